"""A slip printer for tests and rehearsals: a pseudo-terminal that reads its paper back. Never a default."""

import argparse
import re
import select
import sys
from pathlib import Path

from firmware_hooks.pseudo_terminal import PseudoTerminal, plugged
from firmware_hooks.slip_printer import GB18030, KANJI_OFF, KANJI_ON

LOOK_S = 0.1
_TEXT = re.compile(re.escape(KANJI_ON) + rb"(.*?)" + re.escape(KANJI_OFF), re.DOTALL)
_QR = re.compile(rb"\x1d\(k(..)1P0", re.DOTALL)  # GS ( k, function 180: store the symbol's content


class SimulatedPrinter(PseudoTerminal):
    """Open it as a context; `device` is then the printer's line."""

    def __init__(self, encoding: str = GB18030) -> None:
        super().__init__()
        self._encoding = encoding
        self.paper = b""

    def feed(self, wait_s: float = 1.0) -> bytes:
        """Take what has arrived onto the paper; returns all of it."""
        self.paper += self.received(wait_s)
        return self.paper

    def lines(self) -> list[str]:
        """The text on the paper."""
        return [found.decode(self._encoding) for found in _TEXT.findall(self.paper)]

    def codes(self) -> list[str]:
        """What stands in the QR codes."""
        found = []
        for match in _QR.finditer(self.paper):
            length = int.from_bytes(match[1], "little") - 3
            found.append(self.paper[match.end() : match.end() + length].decode())
        return found


def main() -> None:
    """`python -m firmware_hooks.simulated_printer --link PATH`: what is printed goes, byte by byte, into `PATH.paper`,
    until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--link", type=Path, required=True, help="a symbolic link to the pseudo-terminal is made here")
    link = parser.parse_args().link
    printer = SimulatedPrinter()
    with plugged(printer, link), link.with_suffix(".paper").open("wb", buffering=0) as roll:
        while not select.select([sys.stdin], [], [], 0)[0]:
            roll.write(printer.received(LOOK_S))


if __name__ == "__main__":
    main()
