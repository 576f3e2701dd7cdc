"""Reading a file here and there, mostly forward: one read of the disk for many small ones."""

import os

WINDOW_BYTES = 1 << 20  # ours; two or three fragments of half a second


class Window:
    """Keeps the stretch read last; `read_at` is what `agent.evidence.bmff.Source` wants. Raises `OSError`."""

    def __init__(self, descriptor: int, window_bytes: int = WINDOW_BYTES) -> None:
        self._descriptor, self._window_bytes = descriptor, window_bytes
        self._begin, self._content = 0, b""

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`, fewer only at the end of the file."""
        at = offset - self._begin
        if at < 0 or at + length > len(self._content):
            self._begin, at = offset, 0
            self._content = os.pread(self._descriptor, max(length, self._window_bytes), offset)
        return self._content[at : at + length]
