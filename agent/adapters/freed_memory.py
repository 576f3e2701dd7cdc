"""Giving memory that was freed back to the kernel."""

import ctypes


def return_freed_memory() -> None:
    """Between two recordings. Encoder, muxer and their threads free what they took, but glibc keeps it in pieces, some
    in each thread's arena: after a hundred recordings 17 MB lay idle (malloc_trim(3)). Nothing where libc has no such
    call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
