"""Reading a file here and there, mostly forward: one read for many small ones, what is large uncopied."""

import os

WINDOW_BYTES = 16 * 1024  # ours; the boxes before the media of a fragment take 4 KiB


class Window:
    """Keeps the stretch read last; `read_at` is what `agent.evidence.bmff.Source` wants. Raises `OSError`."""

    def __init__(self, descriptor: int, window_bytes: int = WINDOW_BYTES) -> None:
        self._descriptor, self._window_bytes = descriptor, window_bytes
        self._begin, self._content = 0, b""

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`, fewer only at the end of the file."""
        at = offset - self._begin
        if at >= 0 and at + length <= len(self._content):
            return self._content[at : at + length]
        if length >= self._window_bytes:
            return os.pread(self._descriptor, length, offset)
        self._begin, self._content = offset, os.pread(self._descriptor, self._window_bytes, offset)
        return self._content[:length]
