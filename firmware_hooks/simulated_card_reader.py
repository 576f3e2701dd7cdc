"""A card reader for tests and rehearsals. Never a default."""

from firmware_hooks.cards import encode_card
from firmware_hooks.pseudo_terminal import PseudoTerminal


class SimulatedCardReader(PseudoTerminal):
    """Open it as a context; `device` is then `[hooks] card`."""

    def show(self, number: str, times: int = 1) -> None:
        """Hold a card to it: readers tell it again and again."""
        self.send_bytes(encode_card(number) * times)
