"""Letters for pictures without any font file: a tiny bitmap alphabet of capitals, digits and four Chinese letters."""

from functools import cache
from typing import Protocol

ROWS = 16  # height of every glyph in dots
WHITE, BLACK = 235, 16  # ITU-R BT.601 limited-range luma


class Alphabet(Protocol):
    """Where a watermark's letters come from."""

    @property
    def name(self) -> str:
        """What it is, as it is signed into the recording."""

    @property
    def chinese(self) -> bool:
        """Whether it has Chinese characters in general."""

    def learn(self, text: str) -> None:
        """Draw what is new in `text`, all at once: the next calls of `glyph` are about it."""

    def glyph(self, character: str) -> tuple[bytes, ...]:
        """`character` as rows of luma from top to bottom, all of one width; a box where it is not known."""


# 5 x 7 dots, one number a row, most significant dot left; doubled to 16 rows when drawn.
_SMALL = {
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
    "-": (0, 0, 0, 31, 0, 0, 0),
    ":": (0, 4, 4, 0, 4, 4, 0),
    ".": (0, 0, 0, 0, 0, 12, 12),
    "+": (0, 4, 4, 31, 4, 4, 0),
    " ": (0, 0, 0, 0, 0, 0, 0),
    "A": (14, 17, 17, 31, 17, 17, 17),
    "B": (30, 17, 17, 30, 17, 17, 30),
    "C": (14, 17, 16, 16, 16, 17, 14),
    "D": (30, 17, 17, 17, 17, 17, 30),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "F": (31, 16, 16, 30, 16, 16, 16),
    "G": (14, 17, 16, 23, 17, 17, 15),
    "H": (17, 17, 17, 31, 17, 17, 17),
    "I": (14, 4, 4, 4, 4, 4, 14),
    "J": (7, 2, 2, 2, 2, 18, 12),
    "K": (17, 18, 20, 24, 20, 18, 17),
    "L": (16, 16, 16, 16, 16, 16, 31),
    "M": (17, 27, 21, 21, 17, 17, 17),
    "N": (17, 17, 25, 21, 19, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14),
    "P": (30, 17, 17, 30, 16, 16, 16),
    "Q": (14, 17, 17, 17, 21, 18, 13),
    "R": (30, 17, 17, 30, 20, 18, 17),
    "S": (15, 16, 16, 14, 1, 1, 30),
    "T": (31, 4, 4, 4, 4, 4, 4),
    "U": (17, 17, 17, 17, 17, 17, 14),
    "V": (17, 17, 17, 17, 17, 10, 4),
    "W": (17, 17, 17, 21, 21, 21, 10),
    "X": (17, 17, 10, 4, 10, 17, 17),
    "Y": (17, 17, 17, 10, 4, 4, 4),
    "Z": (31, 1, 2, 4, 8, 16, 31),
    "/": (0, 1, 2, 4, 8, 16, 0),
    "_": (0, 0, 0, 0, 0, 0, 31),
    "(": (2, 4, 8, 8, 8, 4, 2),
    ")": (8, 4, 2, 2, 2, 4, 8),
    "±": (4, 4, 31, 4, 4, 0, 31),
}
_UNKNOWN = (31, 17, 17, 17, 17, 17, 31)
# 16 x 16 dots, two bytes a row, most significant dot left.
_LARGE = {
    "合": bytes.fromhex("0180 03c0 0660 1818 6006 8ff1 0000 0000 3ffc 300c 300c 300c 300c 3ffc 300c 0000"),
    "成": bytes.fromhex("00d0 00c8 00c0 7ffe 60c0 60c0 7ccc 64cc 64d8 6470 6460 6cf2 619a 460e 800c 0000"),
    "画": bytes.fromhex("ffff 0180 0180 1ff8 1998 9999 9ff9 9999 9999 9ff9 8001 8001 ffff 0000 0000 0000"),
    "面": bytes.fromhex("ffff 0300 0600 7ffe 6426 6426 67e6 6426 67e6 6426 6426 7ffe 6006 0000 0000 0000"),
}


class BuiltInAlphabet:
    """The alphabet of this file, every dot as a square of `scale` pixels; small letters look like capitals."""

    name, chinese = "built-in", False

    def __init__(self, scale: int) -> None:
        self._scale = scale

    def learn(self, text: str) -> None:
        """Every glyph is remembered as it is asked for."""

    def glyph(self, character: str) -> tuple[bytes, ...]:
        """As `Alphabet`."""
        return tuple(row for row in _glyph(character.upper(), self._scale) for _ in range(self._scale))


@cache
def _glyph(character: str, scale: int) -> tuple[bytes, ...]:
    if character in _LARGE:
        large = _LARGE[character]
        return tuple(_dots(int.from_bytes(large[at : at + 2]), 16, scale) for at in range(0, 2 * ROWS, 2))
    # 8 dots wide, half as wide as the large ones
    small = [_dots(row << 2, 8, scale) for row in _SMALL.get(character, _UNKNOWN)]
    blank = _dots(0, 8, scale)
    return (blank, *(row for row in small for _ in range(2)), blank)


def _dots(row: int, width: int, scale: int) -> bytes:
    return b"".join(bytes((WHITE if row >> shift & 1 else BLACK,)) * scale for shift in range(width - 1, -1, -1))
