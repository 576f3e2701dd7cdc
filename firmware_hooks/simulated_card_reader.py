"""A card reader for tests and rehearsals. Never a default."""

import argparse
from pathlib import Path

from firmware_hooks.cards import encode_card
from firmware_hooks.pseudo_terminal import PseudoTerminal, follow


class SimulatedCardReader(PseudoTerminal):
    """Open it as a context; `device` is then `[hooks] card`."""

    def show(self, number: str, times: int = 1) -> None:
        """Hold a card to it: readers tell it again and again."""
        self.send_bytes(encode_card(number) * times)


def main() -> None:
    """`python -m firmware_hooks.simulated_card_reader --link PATH`: every card on standard input is held to it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--link", type=Path, required=True, help="a symbolic link to the pseudo-terminal is made here")
    reader = SimulatedCardReader()
    follow(reader, parser.parse_args().link, lambda words: reader.show("".join(words)))


if __name__ == "__main__":
    main()
