"""Room on the disk that is ours already: a file of real blocks, given back when something must still be closed."""

import errno
import os
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
NAME = "reserve.bin"


class ReserveFile:
    """`size` bytes (0: none) under `path`. Whatever else fills the disk cannot take them."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size

    def ensure(self) -> bool:
        """Take the room if it is not held; returns whether it is. Raises `EnvironmentFault` for any other trouble of
        the disk than that it is full."""
        if self._size == 0 or self._holds():
            return True
        durable.make_directory(self._path.parent)
        try:
            self._take()
        except OSError as error:
            self.release()
            if error.errno in NO_ROOM:
                return False
            with durable.disk_errors(self._path):
                raise
        return True

    def release(self) -> None:
        """Give it back; what fails here is told by whoever needed it."""
        try:
            durable.remove(self._path)
        except EnvironmentFault:
            return

    def _holds(self) -> bool:
        with durable.disk_errors(self._path):
            return self._path.is_file() and self._path.stat().st_blocks * 512 >= self._size

    def _take(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, durable.PRIVATE)
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        finally:
            os.close(descriptor)
