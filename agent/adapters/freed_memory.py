"""Memory that was freed: given back to the kernel, or kept because the same is needed again at once."""

import ctypes


def return_freed_memory() -> None:
    """Between two recordings. Encoder, muxer and their threads free what they took, but glibc keeps it in pieces, some
    in each thread's arena: after a hundred recordings 17 MB lay idle (malloc_trim(3)). Nothing where libc has no such
    call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def keep_freed_memory(block_bytes: int) -> None:
    """For work that takes and frees memory in pieces over and over, smaller than `block_bytes` each: glibc would hand
    it back to the kernel and have it zeroed again every time. Once it has freed one block of this size it keeps up to
    twice as much (mallopt(3), M_MMAP_THRESHOLD). Nobody writes to the block, so it takes no memory itself."""
    bytes(block_bytes)
