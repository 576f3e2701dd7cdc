"""A paper as PDF on A4, the same bytes for the same paper, font and library. Nothing of the moment goes in: date and id
come from the paper itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.adapters.qr_text import qr_rows
from agent.chinese_pdf import FAMILY, FONTS, chinese_pdf
from agent.duty.papers import Paper, PaperKind
from agent.errors import OperatorFault
from agent.wire import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

MARGIN_MM, TITLE_PT, TEXT_PT, SMALL_PT, LINE_MM, QR_MM = 25.0, 18.0, 11.0, 8.0, 7.0, 40.0


def write_pdf(paper: Paper, fonts: "Sequence[tuple[Path, int]]" = FONTS) -> bytes:
    """The PDF. Raises `EnvironmentFault` without the library or a font, `OperatorFault` for characters the font
    does not have: a name must not change silently."""
    made = canonical.parse_timestamp(paper.made)
    with chinese_pdf(fonts) as pdf:
        pdf.set_creation_date(made)
        pdf.set_title(f"{paper.title} {paper.number}")
        pdf.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        _check_letters(pdf, paper)
        _lay_out(pdf, paper)
        return bytes(pdf.output())


def _lay_out(pdf: Any, paper: Paper) -> None:
    lines = list(paper.lines())
    pdf.add_page()
    if paper.kind is PaperKind.DOCUMENT:
        _written(pdf, lines.pop(0), TEXT_PT + 2, align="C")
    _written(pdf, paper.title, TITLE_PT, align="C")
    pdf.ln(LINE_MM / 2)
    for line in lines:
        _written(pdf, line, TEXT_PT)
    if paper.code:
        _code(pdf, paper)


def _written(pdf: Any, text: str, size: float, align: str = "L") -> None:
    pdf.set_font(FAMILY, size=size)
    height = LINE_MM * max(1.0, size / TEXT_PT * 0.9)
    pdf.multi_cell(0, height, text, align=align, new_x="LMARGIN", new_y="NEXT", wrapmode="CHAR")


def _code(pdf: Any, paper: Paper) -> None:
    rows = qr_rows(paper.code)
    if pdf.get_y() + QR_MM + LINE_MM > pdf.h - MARGIN_MM:
        pdf.add_page()
    side, left, top = QR_MM / len(rows), pdf.w - MARGIN_MM - QR_MM, pdf.get_y()
    for down, row in enumerate(rows):
        for across, dark in enumerate(row):
            if dark:
                pdf.rect(left + across * side, top + down * side, side, side, style="F")
    pdf.set_y(top + QR_MM)
    _written(pdf, f"{paper.number}　扫码核对", SMALL_PT, align="R")


def _check_letters(pdf: Any, paper: Paper) -> None:
    known = pdf.fonts[FAMILY].cmap
    lacking = dict.fromkeys(
        letter for letter in paper.title + paper.text if letter not in "\n\u3000" and ord(letter) not in known
    )
    if lacking:
        raise OperatorFault(f"字体没有“{''.join(lacking)[:20]}”，未写 PDF。请装有这些字的字体，或打印纸质件。")
