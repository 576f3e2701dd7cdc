"""One growing segment on the disk: append and sync, nothing else; after a failure the descriptor is not used again."""

import os
from pathlib import Path

from agent.durable import SHARED, disk_errors, remove, sync_directory
from agent.errors import EnvironmentFault

SEGMENT_MODE = SHARED


class SegmentFile:
    """A new file under its final name. Every method raises `EnvironmentFault` when the disk fails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._descriptor = -1
        self._failed = self._made = False

    def create(self) -> None:
        """Make the file, which must not exist, and its name durable."""
        with disk_errors(self.path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, SEGMENT_MODE)
            self._made = True
        sync_directory(self.path.parent)

    def append(self, data: bytes) -> None:
        """Add `data` at the end; it is on the disk when this returns."""
        # A failed fdatasync forgets the pages: the next one would succeed without the bytes being on the disk.
        if self._failed or self._descriptor < 0:
            raise EnvironmentFault(f"{self.path} 写入失败过，不再续写。请检查存储卡，录像将转入新的一段。")
        self._failed = True
        with disk_errors(self.path):
            write_all(self._descriptor, data, self.size)
            os.fdatasync(self._descriptor)
        self._failed = False
        self.size += len(data)

    def close(self) -> None:
        """Let the file go; what was appended is durable already."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with disk_errors(self.path):
                os.close(descriptor)

    def discard(self) -> None:
        """Take the closed file back, if it was made."""
        if self._made:
            remove(self.path)
            self._made = False


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write the whole of `data` at `offset`; raises `OSError`."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
