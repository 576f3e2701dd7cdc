"""The bench's papers and stickers as PDF."""

from collections.abc import Sequence
from typing import Any

from agent.chinese_pdf import FAMILY, chinese_pdf
from provisioning.fleet import sticker
from provisioning.fleet.sheet import LEVELS, Sheet

MARGIN_MM, LABEL_MM, LINE_MM = 18.0, 38.0, 6.0


def sheet_pdf(sheet: Sheet) -> bytes:
    """The paper on A4; raises `EnvironmentFault` without the library or a Chinese font."""
    with chinese_pdf() as pdf:
        pdf.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        pdf.add_page()
        pdf.set_font(FAMILY, size=18)
        pdf.cell(0, 12, sheet.title, align="C", new_x="LMARGIN", new_y="NEXT")
        pdf.set_font(FAMILY, size=12)
        pdf.cell(0, 9, sheet.verdict, align="C", border=1, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(4)
        _rows(pdf, sheet.facts)
        _rows(pdf, [(LEVELS[line.level], line.text) for line in sheet.lines])
        pdf.set_font(FAMILY, size=9)
        for note in sheet.notes:
            pdf.multi_cell(0, 5, f"· {note}", new_x="LMARGIN", new_y="NEXT")
        _rows(pdf, [("技术人员", " \n \n"), ("使用单位", " \n \n")])
        return bytes(pdf.output())


def stickers_pdf(stickers: Sequence[sticker.Sticker]) -> bytes:
    """A4 sheets of stickers; raises as `sheet_pdf`."""
    with chinese_pdf() as pdf:
        pdf.set_auto_page_break(False)
        for place, each in sticker.placed(stickers):
            while pdf.page <= place.sheet:
                pdf.add_page()
            _draw(pdf, place, each)
        return bytes(pdf.output())


def _rows(pdf: Any, rows: Sequence[tuple[str, str]]) -> None:
    pdf.set_font(FAMILY, size=10)
    with pdf.table(col_widths=(22, 78), first_row_as_headings=False, line_height=LINE_MM) as table:
        for name, value in rows:
            row = table.row()
            row.cell(name)
            row.cell(value)
    pdf.ln(3)


def _draw(pdf: Any, place: sticker.Place, each: sticker.Sticker) -> None:
    modules = each.modules()
    size = sticker.QR_MM / len(modules)
    left, top = place.left + sticker.INSET_MM, place.top + (sticker.HEIGHT_MM - sticker.QR_MM) / 2
    for row, line in enumerate(modules):
        for column, dark in enumerate(line):
            if dark:
                pdf.rect(left + column * size, top + row * size, size, size, style="F")
    text = left + sticker.QR_MM + 3
    pdf.set_font(FAMILY, size=14)
    pdf.text(text, top + 7, each.device)
    pdf.set_font(FAMILY, size=8)
    for number, line_text in enumerate(each.lines):
        pdf.text(text, top + 14 + 5 * number, line_text)
