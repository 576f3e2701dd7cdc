"""An MCU for tests and rehearsals: a pseudo-terminal that talks like the real one. Never a default."""

import argparse
import os
import pty
import sys
import tty
from pathlib import Path
from types import TracebackType
from typing import Self

from firmware_hooks.frames import Action, Asked, Button, Frame, Press, encode


class SimulatedMcu:
    """Open it as a context; `device` is then the serial device to configure (`[hooks] mcu`)."""

    def __init__(self) -> None:
        self.device = ""
        self._ours = self._theirs = -1
        self._presses = 0

    def open(self) -> Self:
        """Make the pseudo-terminal."""
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.device = os.ttyname(self._theirs)
        return self

    def press(self, press: Press = Press.SHORT) -> None:
        """Send one press of the record button."""
        self._presses = (self._presses + 1) % 256
        self.send(Button(press, self._presses))

    def ask(self, action: Action, cause: int = 0) -> None:
        """Move a slide or press another button."""
        self._presses = (self._presses + 1) % 256
        self.send(Asked(action, cause, self._presses))

    def send(self, frame: Frame) -> None:
        """Send any frame."""
        self.send_bytes(encode(frame))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are, garbage too."""
        os.write(self._ours, data)

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


def obey(mcu: SimulatedMcu, words: list[str]) -> None:
    """Do what one line of words says; what it does not know it leaves alone."""
    match words:
        case ["press"]:
            mcu.press()
        case ["press", kind] if kind.upper() in Press.__members__:
            mcu.press(Press[kind.upper()])
        case [name, *cause] if name.upper() in Action.__members__:
            mcu.ask(Action[name.upper()], int(cause[0]) if cause else 0)


def main() -> None:
    """`python -m firmware_hooks.simulated_mcu --link PATH`: every line "press" on standard input is a short press,
    every line "mute", "pause 7" and so on an action with its cause."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--link", type=Path, required=True, help="a symbolic link to the pseudo-terminal is made here")
    link = parser.parse_args().link
    with SimulatedMcu() as mcu:
        link.unlink(missing_ok=True)
        link.symlink_to(mcu.device)
        try:
            for line in sys.stdin:
                obey(mcu, line.split())
        finally:
            link.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
