"""Stickers for casings: a device's id, its computer's serial number and the fingerprint of the district's root. Nothing
secret: whoever reads a sticker can recognise a device, not become one.

A4 sheets of 3 x 8 labels of 70 x 37 mm, the common size without margins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import segno

COLUMNS, ROWS, WIDTH_MM, HEIGHT_MM = 3, 8, 70.0, 37.0
A4_MM = (210.0, 297.0)
TOP_MM = (A4_MM[1] - ROWS * HEIGHT_MM) / 2
QR_MM, INSET_MM = 27.0, 5.0
A_SHEET = COLUMNS * ROWS


@dataclass(frozen=True)
class Sticker:
    """One label; `root` is the fingerprint of the root certificate, 64 hex characters."""

    device: str
    hardware: str
    district: str
    root: str

    @property
    def content(self) -> str:
        """What the QR code says."""
        return f"LIUHEN:1:{self.device}:{self.hardware}:{self.root}"

    @property
    def lines(self) -> tuple[str, str, str]:
        """What is printed under the id."""
        shown = " ".join(self.root[at : at + 4] for at in range(0, 16, 4))
        return self.district, f"SN {self.hardware}", f"根 {shown}"

    def modules(self) -> list[list[bool]]:
        """The QR code, dark modules True, without a quiet zone."""
        return [[bool(module) for module in row] for row in segno.make_qr(self.content, error="m").matrix]


@dataclass(frozen=True)
class Place:
    """Where a label's corner is on its sheet, in millimetres."""

    sheet: int
    left: float
    top: float


def placed(stickers: Sequence[Sticker]) -> Iterator[tuple[Place, Sticker]]:
    """Every sticker with its place, row by row."""
    for number, sticker in enumerate(stickers):
        sheet, at = divmod(number, A_SHEET)
        row, column = divmod(at, COLUMNS)
        yield Place(sheet, column * WIDTH_MM, TOP_MM + row * HEIGHT_MM), sticker


def sheets_svg(stickers: Sequence[Sticker]) -> list[str]:
    """One SVG a sheet."""
    sheets: dict[int, list[str]] = {}
    for place, sticker in placed(stickers):
        sheets.setdefault(place.sheet, []).append(_label(place, sticker))
    width, height = A4_MM
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}">'
    )
    return [
        "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *sheets[it], "</svg>\n"]) for it in sheets
    ]


def _label(place: Place, sticker: Sticker) -> str:
    modules = sticker.modules()
    scale = QR_MM / len(modules)
    dark = "".join(
        f"M{column} {row}h1v1h-1z" for row, line in enumerate(modules) for column, is_dark in enumerate(line) if is_dark
    )
    left, top = place.left + INSET_MM, place.top + (HEIGHT_MM - QR_MM) / 2
    text = place.left + INSET_MM + QR_MM + 3
    lines = "".join(
        f'<text x="{text}" y="{top + 14 + 5 * number}" font-size="2.8">{escape(line)}</text>'
        for number, line in enumerate(sticker.lines)
    )
    font = 'font-family="Noto Sans CJK SC, WenQuanYi Micro Hei, sans-serif"'
    return (
        f'<g {font}><path transform="translate({left} {top}) scale({scale:.5f})" d="{dark}"/>'
        f'<text x="{text}" y="{top + 7}" font-size="5" font-weight="bold">{escape(sticker.device)}</text>{lines}</g>'
    )
