"""Chest badges and desk signs on A4 (胸牌、公示牌; the plan's section 二（一）7), from a signed window board.

The same documents, font and library give the same bytes.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from agent.chinese_pdf import FAMILY, chinese_pdf
from kiosk.qr_code import qr_modules

GREEN, GREY, BLACK = (17, 94, 62), (90, 90, 90), (0, 0, 0)


class Form(StrEnum):
    """What is printed; the value is its name on the command line."""

    BADGE = "badge"
    DESK = "desk"


@dataclass(frozen=True)
class Card:
    """One person: texts as shown, `lines` name and text of each further field, the code, a photo (JPEG) or nothing."""

    name: str
    post: str
    unit: str
    standing: str
    lines: tuple[tuple[str, str], ...]
    code: str
    photo: bytes = b""


@dataclass(frozen=True)
class _Size:
    """Millimetres; `across` cards beside each other, `name` and `text` in points."""

    width: float
    height: float
    across: int
    down: int
    name: float
    text: float
    code: float


SIZES = {Form.BADGE: _Size(90, 54, 2, 5, 20, 8, 19), Form.DESK: _Size(180, 125, 1, 2, 44, 15, 38)}
MARGIN = 5.0


def write_badges(cards: Sequence[Card], form: Form, made: datetime) -> bytes:
    """The PDF; raises `EnvironmentFault` without the library or a font."""
    size = SIZES[form]
    with chinese_pdf() as pdf:
        pdf.set_creation_date(made)
        pdf.set_auto_page_break(False)
        for number, card in enumerate(cards):
            place = number % (size.across * size.down)
            if place == 0:
                pdf.add_page()
            left = (pdf.w - size.across * size.width) / 2 + place % size.across * size.width
            top = (pdf.h - size.down * size.height) / 2 + place // size.across * size.height
            _draw(pdf, card, size, left, top)
        return bytes(pdf.output())


def _draw(pdf: Any, card: Card, size: _Size, left: float, top: float) -> None:
    pdf.set_draw_color(*GREY)
    pdf.set_line_width(0.1)
    pdf.rect(left, top, size.width, size.height)
    band = size.height * 0.17
    pdf.set_fill_color(*GREEN)
    pdf.rect(left, top, size.width, band, style="F")
    _line(pdf, card.unit, (255, 255, 255), size.text * 1.25, (left + MARGIN, top, size.width - 2 * MARGIN, band))
    inner, row = left + MARGIN, top + band + 2
    if card.photo:
        height = size.height * 0.42
        pdf.image(io.BytesIO(card.photo), x=inner, y=row, h=height)
        inner += height * 0.75 + MARGIN
    width = left + size.width - inner - MARGIN
    name = size.name * 0.45
    _line(pdf, card.name, BLACK, size.name, (inner, row, width, name))
    about = "　".join(filter(None, (card.post, card.standing)))
    _line(pdf, about, GREEN, size.text * 1.2, (inner, row + name, width, size.text * 0.6))
    _code(pdf, card.code, size, left, top)
    _fields(pdf, card, size, (inner, row + name + size.text * 0.75, left, top))


def _fields(pdf: Any, card: Card, size: _Size, place: tuple[float, float, float, float]) -> None:
    inner, row, left, top = place
    step, bottom = size.text * 0.5, top + size.height - 2
    pdf.set_font(FAMILY, size=size.text)
    for name, text in card.lines:
        rest = f"{name}：{text}"
        while rest and row + step <= bottom:
            room = left + size.width - inner - MARGIN - (size.code + 2 if row + step > bottom - size.code - 2 else 0)
            length = _fitting(pdf, rest, room)
            _line(pdf, rest[:length], BLACK, size.text, (inner, row, room, step))
            rest, row = rest[length:], row + step


def _fitting(pdf: Any, text: str, room: float) -> int:
    """How many characters of `text` fit into `room` millimetres, one at least."""
    length = len(text)
    while length > 1 and pdf.get_string_width(text[:length]) > room - 2.5:
        length -= 1
    return length


def _line(
    pdf: Any, text: str, colour: tuple[int, int, int], points: float, box: tuple[float, float, float, float]
) -> None:
    """One line in a box (left, top, width, height), made smaller until it fits: a name is never cut."""
    pdf.set_text_color(*colour)
    pdf.set_font(FAMILY, size=points)
    width = pdf.get_string_width(text)
    if width > box[2]:
        pdf.set_font(FAMILY, size=max(4.5, points * box[2] / width * 0.98))
    pdf.set_xy(box[0], box[1])
    pdf.cell(box[2], box[3], text)


def _code(pdf: Any, code: str, size: _Size, left: float, top: float) -> None:
    rows = qr_modules(code)
    side = size.code / len(rows)
    pdf.set_fill_color(*BLACK)
    right, bottom = left + size.width - size.code - 3, top + size.height - size.code - 3
    for down, row in enumerate(rows):
        for across, dark in enumerate(row):
            if dark:
                pdf.rect(right + across * side, bottom + down * side, side, side, style="F")
