"""What a card reader says: bytes in, card numbers out; garbage is skipped and counted, never an error.

The frame of the common serial readers (RDM6300 and its kin, 9600 baud 8N1), widened to the lengths of ISO 14443:

    0x02 | number, 4, 5, 7 or 10 bytes as hexadecimal digits | XOR of these bytes, 2 digits | [CR] [LF] | 0x03

A reader repeats the number as long as the card is held to it; telling that as one is the user's part.
"""

import re
from functools import reduce

BAUD = 9600
BEGIN, END = b"\x02", b"\x03"
LENGTHS = (4, 5, 7, 10)  # bytes: ISO 14443 UIDs, and 5 for EM4100
MAX_FRAME = 2 * (max(LENGTHS) + 1) + 4
_FRAME = re.compile(rb"\x02([0-9A-Fa-f]{10,22})\r?\n?\Z")


class CardReader:
    """Feed it what the line delivers. `garbage` counts the frames that were none."""

    def __init__(self) -> None:
        self._pending = b""
        self.garbage = 0

    def feed(self, data: bytes) -> list[str]:
        """The numbers (hexadecimal capitals) that `data` completes, in order. Never raises; holds at most one frame."""
        *frames, rest = (self._pending + data).split(END)
        self._pending = rest[-MAX_FRAME:]
        cards = [card_number(frame) for frame in frames]
        self.garbage += cards.count(None)
        return [card for card in cards if card is not None]

    def quiet(self) -> list[str]:
        """The line fell silent: an unfinished frame is given up."""
        self._pending = b""
        return []


def card_number(frame: bytes) -> str | None:
    """The number in a frame without its end, from the last beginning on; None unless its checksum is right."""
    found = _FRAME.search(frame[max(0, frame.rfind(BEGIN)) :])
    if found is None or len(found[1]) // 2 - 1 not in LENGTHS or len(found[1]) % 2:
        return None
    number, check = bytes.fromhex(found[1].decode()[:-2]), int(found[1][-2:], 16)
    return number.hex().upper() if reduce(int.__xor__, number) == check else None


def encode_card(number: str) -> bytes:
    """The frame of a card, as the reader sends it."""
    check = reduce(int.__xor__, bytes.fromhex(number))
    return BEGIN + number.upper().encode("ascii") + b"%02X" % check + b"\r\n" + END
