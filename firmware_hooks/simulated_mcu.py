"""An MCU for tests and rehearsals: a pseudo-terminal that talks like the real one. Never a default."""

import argparse
from pathlib import Path

from firmware_hooks.frames import Action, Asked, Button, Frame, FrameReader, Press, Show, encode
from firmware_hooks.pseudo_terminal import PseudoTerminal, follow


class SimulatedMcu(PseudoTerminal):
    """Open it as a context; `device` is then the serial device to configure (`[hooks] mcu`)."""

    def __init__(self) -> None:
        super().__init__()
        self._presses = 0
        self._told = FrameReader()

    def shown(self, wait_s: float = 0.0) -> list[Show]:
        """What the recorder wants shown, since the last call."""
        return [frame for frame in self._told.feed(self.received(wait_s)) if isinstance(frame, Show)]

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
    mcu = SimulatedMcu()
    follow(mcu, parser.parse_args().link, lambda words: obey(mcu, words))


if __name__ == "__main__":
    main()
