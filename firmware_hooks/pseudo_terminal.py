"""A serial line without hardware: what the simulated devices of this package are plugged into. Never a default."""

import os
import pty
import select
import sys
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self


class PseudoTerminal:
    """Open it as a context; `device` is then the serial device to configure."""

    def __init__(self) -> None:
        self.device = ""
        self._ours = self._theirs = -1

    def open(self) -> Self:
        """Make the pseudo-terminal."""
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.device = os.ttyname(self._theirs)
        return self

    @property
    def descriptor(self) -> int:
        """Our side, to read and write; the other side is `device`."""
        return self._ours

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are, garbage too."""
        os.write(self._ours, data)

    def received(self, wait_s: float = 0.0) -> bytes:
        """What the other side has written since the last call; waits at most `wait_s` for its first byte."""
        data = b""
        while select.select([self._ours], [], [], 0 if data else wait_s)[0]:
            data += os.read(self._ours, 4096)
        return data

    def unplug(self) -> None:
        """Take the device away."""
        for descriptor in (self._ours, self._theirs):
            if descriptor >= 0:
                os.close(descriptor)
        self._ours = self._theirs = -1

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unplug()


def follow(terminal: PseudoTerminal, link: Path, obey: Callable[[list[str]], None]) -> None:
    """Plug `terminal` in at the symbolic link `link` and carry out the words of every line of standard input until
    that ends."""
    with plugged(terminal, link):
        for line in sys.stdin:
            obey(line.split())


@contextmanager
def plugged(terminal: PseudoTerminal, link: Path) -> Iterator[None]:
    """`terminal` is plugged in at the symbolic link `link` while the block runs."""
    with terminal:
        link.unlink(missing_ok=True)
        link.symlink_to(terminal.device)
        try:
            yield
        finally:
            link.unlink(missing_ok=True)
