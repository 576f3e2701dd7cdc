"""The first sheet of an XLSX file (ECMA-376 part 1, section 18): bytes -> cells as texts, and its merged areas.

Read here and not by openpyxl: that takes 1.6 s of a processor for 5 000 rows (1.0 s in its read-only mode, which knows
no merged cells), this 0.3 s, and it tells a formula from what the formula gave.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import IO
from xml.etree import ElementTree as Xml  # documents with a DOCTYPE are refused before: no entity is ever expanded

from agent.errors import OperatorFault

MAX_UNPACKED = 200 * 2**20  # ours, against a file that unpacks without end
MAX_COLUMNS = 1_000  # ours; a published list has some twelve
MAX_INSIDE = 8 * MAX_COLUMNS  # ours; elements of one row, a cell with runs of text has some
MAX_STRINGS = 1_000_000  # ours
MAX_MERGED = 500_000  # ours; cells in merged areas, all together
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})  # section 18.8.30
EPOCH = datetime(1899, 12, 30)
CHUNK = 2**20
_FOREIGN = re.compile(rb"(?!(?:\xef\xbb\xbf)?\s*<)|[^>]*encoding\s*=\s*[\"'](?!utf-8|us-ascii)", re.IGNORECASE)
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_LITERAL = re.compile(r"\"[^\"]*\"|\[[^\]]*\]|\\.")

NOT_WHOLE = (
    zipfile.BadZipFile, zlib.error, Xml.ParseError, LookupError, ValueError, OverflowError, EOFError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
"""What reading a file that is not whole ends in: a broken archive, a name that is not there, a number that is none."""
Area = tuple[int, int, int, int]  # first row, first column, last row, last column, from 1


class Sheet:
    """The first sheet; `rows` gives its lines in order with their cells, blank where there is none; `merged` its merged
    areas, known when `rows` is at its end."""

    def __init__(self, data: bytes) -> None:
        try:
            self._packed = zipfile.ZipFile(io.BytesIO(data))
            if sum(item.file_size for item in self._packed.infolist()) > MAX_UNPACKED:
                raise OperatorFault("表格文件解开后过大，未导入。请另存为 .csv。")
            self._texts, self._dates = self._shared(), self._date_styles()
            self._name = self._first_sheet()
        except NOT_WHOLE as error:
            raise _broken(error) from error
        self.merged: list[Area] = []

    def rows(self) -> Iterator[tuple[int, dict[int, str]]]:
        """Line and texts by column, both from 1; raises `OperatorFault` for a file that is not whole."""
        line = 0
        try:
            for element in self._each(self._name, "row", "mergeCell"):
                if element.tag == MAIN + "mergeCell":
                    self._merge(element.get("ref", ""))
                    continue
                before, line = line, int(element.get("r") or line + 1)
                if line <= before:
                    raise OperatorFault(f"表格中第 {line} 行出现了两次，未导入。请用表格软件重新另存。")
                yield line, self._cells(element)
        except NOT_WHOLE as error:
            raise _broken(error) from error

    def _merge(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        self.merged.append((*_place(first), *_place(last or first)))
        if sum(abs(it[2] - it[0] + 1) * abs(it[3] - it[1] + 1) for it in self.merged) > MAX_MERGED:
            raise OperatorFault("表格中合并的单元格过多，未导入。请取消合并或另存为 .csv。")

    def _each(self, name: str, *tags: str) -> Iterator[Xml.Element]:
        """The elements so called, each whole and alone in memory: what lies before it in its parent is let go."""
        parents: list[Xml.Element] = []
        wanted, inside = {MAIN + tag for tag in tags}, 0
        for event, element in Xml.iterparse(self._open(name), events=("start", "end")):  # noqa: S314 - see above
            if event == "start":
                inside = 0 if element.tag in wanted else inside + 1
                if inside > MAX_INSIDE:  # counted and not looked up: the parser is ahead of what it tells
                    raise OperatorFault(f"表格的一行超过 {MAX_COLUMNS} 格，未导入。请检查文件。")
                parents.append(element)
                continue
            parents.pop()
            if element.tag in wanted:
                yield element
                parents[-1].clear()

    def _cells(self, row: Xml.Element) -> dict[int, str]:
        cells, column = {}, 0
        for cell in row:
            name = cell.get("r")
            column = _place(name)[1] if name else column + 1
            if len(cell):
                cells[column] = self._text(cell)
        return cells

    def _text(self, cell: Xml.Element) -> str:
        formula = cell.find(MAIN + "f")
        if formula is not None:
            return f"={formula.text or ''}"
        inline, value = cell.find(MAIN + "is"), cell.findtext(MAIN + "v", "")
        if inline is not None:
            return _run(inline)
        match cell.get("t"):
            case "s":
                return self._texts[int(value)]
            case "b":
                return "是" if value == "1" else "否"
            case None | "n" if value:
                return _moment(float(value)) if int(cell.get("s", 0)) in self._dates else _number(value)
        return value

    def _open(self, name: str) -> IO[bytes]:
        """The part, in UTF-8 and without a document type, wherever one could stand: no entity is ever expanded."""
        with self._packed.open(name) as file:
            head = before = file.read(CHUNK)
            if b"\0" in head or _FOREIGN.match(head):
                raise OperatorFault("表格文件的文字编码不是 UTF-8，未导入。请用表格软件重新另存。")
            while before:
                if b"<!DOCTYPE" in before:
                    raise OperatorFault("表格文件中有文件类型声明，未导入。请用表格软件重新另存。")
                chunk = file.read(CHUNK)
                before = before[-len("<!DOCTYPE") :] + chunk if chunk else b""
        return self._packed.open(name)

    def _root(self, name: str) -> Xml.Element:
        with self._open(name) as file:
            return Xml.parse(file).getroot()  # noqa: S314 - see above

    def _shared(self) -> list[str]:
        if "xl/sharedStrings.xml" not in self._packed.namelist():
            return []
        texts: list[str] = []
        for item in self._each("xl/sharedStrings.xml", "si"):
            texts.append(_run(item))
            if len(texts) > MAX_STRINGS:
                raise OperatorFault(f"表格中的文字超过 {MAX_STRINGS} 条，未导入。请另存为 .csv。")
        return texts

    def _first_sheet(self) -> str:
        sheets = [*self._root("xl/workbook.xml").iter(MAIN + "sheet")]
        wanted = sheets[0].get(RELATION)
        targets = {each.get("Id"): each.get("Target", "") for each in self._root("xl/_rels/workbook.xml.rels")}
        target = targets[wanted]
        return target.lstrip("/") if target.startswith("/") else f"xl/{target}"

    def _date_styles(self) -> frozenset[int]:
        """The numbers of the cell styles that show a number as a day or a time."""
        if "xl/styles.xml" not in self._packed.namelist():
            return frozenset()
        root = self._root("xl/styles.xml")
        own = {int(each.get("numFmtId", 0)): each.get("formatCode", "") for each in root.iter(MAIN + "numFmt")}
        dated = {number for number, code in own.items() if re.search("[ymdhs]", _LITERAL.sub("", code))}
        styles = root.find(MAIN + "cellXfs")
        formats = [] if styles is None else [int(each.get("numFmtId", 0)) for each in styles]
        return frozenset(place for place, number in enumerate(formats) if number in DATE_FORMATS | dated)


def _broken(error: Exception) -> OperatorFault:
    return OperatorFault(f"不是完好的 .xlsx 文件（{error}）。请重新另存后再导入。")


def _place(name: str) -> tuple[int, int]:
    found = _CELL.fullmatch(name)
    if found is None:
        raise ValueError(name)
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - 64
    return int(found[2]), column


def _run(item: Xml.Element) -> str:
    """The text of a string, of all its runs; without the readings (`rPh`) that stand beside it."""
    texts = [item.findtext(MAIN + "t", "")] + [run.findtext(MAIN + "t", "") for run in item.findall(MAIN + "r")]
    return "".join(texts)


def _number(value: str) -> str:
    number = float(value)
    return str(int(number)) if number.is_integer() else value


def _moment(days: float) -> str:
    moment = EPOCH + timedelta(seconds=round(days * 86_400))
    if days < 1:
        return moment.strftime("%H:%M")
    return moment.strftime("%Y-%m-%d" if moment.hour == moment.minute == 0 else "%Y-%m-%d %H:%M")
