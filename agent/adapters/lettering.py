"""Letters for pictures without any font file: a tiny bitmap alphabet, drawn straight into the planes of YUV 4:2:0."""

from collections.abc import Iterable, Sequence
from functools import cache

ROWS = 16  # height of every glyph in dots
WHITE, BLACK, GREY = 235, 16, 128  # ITU-R BT.601 limited-range luma; 128 is colourless chroma

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
    "C": (14, 17, 16, 16, 16, 17, 14),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "H": (17, 17, 17, 31, 17, 17, 17),
    "I": (14, 4, 4, 4, 4, 4, 14),
    "N": (17, 17, 25, 21, 19, 17, 17),
    "S": (15, 16, 16, 14, 1, 1, 30),
    "T": (31, 4, 4, 4, 4, 4, 4),
    "Y": (17, 17, 17, 10, 4, 4, 4),
}
# 16 x 16 dots, two bytes a row, most significant dot left.
_LARGE = {
    "合": bytes.fromhex("0180 03c0 0660 1818 6006 8ff1 0000 0000 3ffc 300c 300c 300c 300c 3ffc 300c 0000"),
    "成": bytes.fromhex("00d0 00c8 00c0 7ffe 60c0 60c0 7ccc 64cc 64d8 6470 6460 6cf2 619a 460e 800c 0000"),
    "画": bytes.fromhex("ffff 0180 0180 1ff8 1998 9999 9ff9 9999 9999 9ff9 8001 8001 ffff 0000 0000 0000"),
    "面": bytes.fromhex("ffff 0300 0600 7ffe 6426 6426 67e6 6426 67e6 6426 6426 7ffe 6006 0000 0000 0000"),
}


def draw(planes: Sequence[memoryview], strides: Sequence[int], lines: Iterable[str], scale: int) -> None:
    """Write `lines` at the top left of one picture: planes Y, U, V as writable bytes, with their strides in bytes.

    A dot becomes `scale` x `scale` pixels, white on black. Raises `KeyError` for a character outside the alphabet.
    """
    top = 0
    for text in lines:
        rows = [row for row in bitmap(text, scale) for _ in range(scale)]
        for number, row in enumerate(rows, top):
            _put(planes[0], number * strides[0], row, strides[0])
        for number in range(top // 2, (top + len(rows)) // 2):
            for plane, stride in zip(planes[1:], strides[1:], strict=True):
                _put(plane, number * stride, bytes((GREY,)) * (len(rows[0]) // 2), stride)
        top += len(rows)


def bitmap(text: str, scale: int) -> list[bytes]:
    """The `ROWS` rows of `text` as luma, every dot repeated `scale` times along the row."""
    glyphs = [_glyph(character, scale) for character in text]
    return [b"".join(glyph[row] for glyph in glyphs) for row in range(ROWS)]


@cache
def _glyph(character: str, scale: int) -> tuple[bytes, ...]:
    if character in _LARGE:
        large = _LARGE[character]
        return tuple(_dots(int.from_bytes(large[at : at + 2]), 16, scale) for at in range(0, 2 * ROWS, 2))
    small = [_dots(row << 1, 6, 2 * scale) for row in _SMALL[character]]
    blank = _dots(0, 6, 2 * scale)
    return (blank, *(row for row in small for _ in range(2)), blank)


def _dots(row: int, width: int, scale: int) -> bytes:
    return b"".join(bytes((WHITE if row >> shift & 1 else BLACK,)) * scale for shift in range(width - 1, -1, -1))


def _put(plane: memoryview, start: int, row: bytes, stride: int) -> None:
    clipped = row[:stride]
    if start + len(clipped) <= len(plane):
        plane[start : start + len(clipped)] = clipped
