"""Reading a file here and there, mostly forward: one read for many small ones, what is large uncopied."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.durable import disk_errors
from agent.errors import EnvironmentFault
from agent.evidence.bmff import Source

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


@contextmanager
def opened_file(path: Path, window_bytes: int = WINDOW_BYTES) -> Iterator[Source]:
    """`path`, which must be a regular file, as it stands, read `window_bytes` at a time; raises `EnvironmentFault`."""
    with disk_errors(path):
        # Without O_NONBLOCK a FIFO of that name would never be opened, and the device never start.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        with disk_errors(path):
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise EnvironmentFault(f"{path} 不是普通文件，不能读取。请移走后重新启动。")
            yield Source(found.st_size, Window(descriptor, window_bytes).read_at)
    finally:
        os.close(descriptor)
