"""XLSX files that were made to hurt whoever imports them: bombs, entities, rows that hide others."""

import io
import tracemalloc
import zipfile
from collections.abc import Iterable

import pytest

from agent.errors import OperatorFault
from kiosk.publishing.sheet_file import MAIN, MAX_COLUMNS, Sheet

NS = MAIN.strip("{}")
OFFICE = "http://schemas.openxmlformats.org"
BOOK = (
    f'<workbook xmlns="{NS}" xmlns:r="{OFFICE}/officeDocument/2006/relationships">'
    '<sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>'
)
LINKS = (
    f'<Relationships xmlns="{OFFICE}/package/2006/relationships">'
    '<Relationship Id="r1" Type="x" Target="worksheets/sheet1.xml"/></Relationships>'
)
MOST_MEMORY = 30 * 2**20


def packed(sheet: Iterable[bytes] | str, shared: Iterable[bytes] = ()) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/workbook.xml", BOOK)
        file.writestr("xl/_rels/workbook.xml.rels", LINKS)
        for name, content in (("worksheets/sheet1", sheet), ("sharedStrings", shared)):
            pieces = [content.encode()] if isinstance(content, str) else content
            if pieces:
                with file.open(f"xl/{name}.xml", "w", force_zip64=True) as part:
                    for piece in pieces:
                        part.write(piece)
    return data.getvalue()


def page(*rows: str, more: str = "") -> str:
    return f'<worksheet xmlns="{NS}"><sheetData>{"".join(rows)}</sheetData>{more}</worksheet>'


def row(number: int, text: str = "x") -> str:
    return f'<row r="{number}"><c r="A{number}" t="inlineStr"><is><t>{text}</t></is></c></row>'


def refused(data: bytes) -> str:
    with pytest.raises(OperatorFault) as caught:
        list(Sheet(data).rows())
    return str(caught.value)


def test_sheet_built_like_these_is_read() -> None:
    assert list(Sheet(packed(page(row(1), row(2, "y")))).rows()) == [(1, {1: "x"}), (2, {1: "y"})]
    short = [f'<sst xmlns="{NS}">'.encode(), b"<si><t>x</t></si>" * 9_000, b"</sst>"]
    many = page(*(f'<row><c t="s"><v>{number}</v></c></row>' for number in range(9_000)))
    assert sum(1 for _ in Sheet(packed(many, short)).rows()) == 9_000


@pytest.mark.parametrize("part", ["cells", "strings"])
def test_small_file_of_endless_empty_elements_is_refused_in_little_memory(part: str) -> None:
    cells = [f'<worksheet xmlns="{NS}"><sheetData><row r="1">'.encode(), *[b"<c/>" * 2**18] * 8]
    strings = [f'<sst xmlns="{NS}">'.encode(), *[b"<si/>" * 2**17] * 9]
    data = packed(cells) if part == "cells" else packed(page(row(1)), strings)
    tracemalloc.start()
    try:
        said = refused(data)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()
    assert (str(MAX_COLUMNS) if part == "cells" else "100") in said


@pytest.mark.parametrize("beginning", ['<?xml version="1.0" encoding="UTF-16"?>', f"<?p {'x' * 3_000_000}?>"])
def test_entity_is_expanded_nowhere(beginning: str) -> None:
    """In another encoding, or behind so much that nobody looks that far."""
    text = f'{beginning}<!DOCTYPE w [<!ENTITY e "永久">]>{page(row(1, "&e;"))}'
    encoding = "utf-16" if "UTF-16" in beginning else "utf-8"
    assert "未导入" in refused(packed([text.encode(encoding)]))


def test_row_of_a_number_that_was_there_is_told_and_replaces_nothing() -> None:
    assert "第 2 行出现了两次" in refused(packed(page(row(1), row(2), row(2, "other"))))


def test_merged_areas_larger_than_any_sheet_are_refused() -> None:
    areas = "<mergeCell ref='A3:BL20000'/>" * 20
    merges = f"<mergeCells>{areas}</mergeCells>"
    assert "合并" in refused(packed(page(row(1), more=merges)))
