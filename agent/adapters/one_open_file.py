"""Reading thousands of files here and there with one of them open at a time."""

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from agent.adapters.window import Window
from agent.errors import OperatorFault
from agent.evidence.bmff import Source


class OneOpenFile:
    """Sources over files that are opened when they are read and closed when another one is."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._stream: BinaryIO | None = None
        self._window: Window | None = None
        self._seen: dict[Path, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def source(self, path: Path) -> Source:
        """The regular file at `path`, of the size that it has now; raises `OperatorFault` or `OSError`."""
        self._turn_to(path)
        return Source(path.stat().st_size, lambda offset, length: self._turn_to(path).read_at(offset, length))

    def _turn_to(self, path: Path) -> Window:
        if self._window is not None and (self._path is path or self._path == path):
            return self._window
        self._close()
        self._stream, self._path = open_regular(path), path
        found = os.fstat(self._stream.fileno())
        identity = (found.st_dev, found.st_ino)
        if self._seen.setdefault(path, identity) != identity:
            raise OperatorFault(f"{path} 在核验期间被换掉，结论作废。请在无人改动时重新核验。")
        self._window = Window(self._stream.fileno())
        return self._window

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._path = self._stream = self._window = None


def open_regular(path: Path) -> BinaryIO:
    """The file at `path`; a pipe or device, which would make us wait or read for ever, is an `OperatorFault`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OperatorFault(f"{path} 不是普通文件，无法核验。请检查路径。")
    return os.fdopen(descriptor, "rb")
