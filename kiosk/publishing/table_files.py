"""CSV and XLSX files as departments send them: bytes -> rows. Encodings, separators, merged cells; no meaning."""

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agent.duty.tables import MAX_COLUMNS, TableRow
from agent.errors import OperatorFault
from kiosk.publishing.sheet_file import Area, Sheet

MAX_BYTES = 20 * 2**20  # ours: 5 000 rows are below 2 MiB
MAX_ROWS = 20_000  # ours
MAX_MERGED = 200_000  # ours: cells of merged areas; one area of 20 000 rows and 200 columns takes some 500 MB
ENCODINGS = ("utf-8-sig", "gb18030")  # in this order: UTF-8 is told from GBK, not GBK from UTF-8
SEPARATORS = (",", "\t", ";")
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
ZIP = b"PK\x03\x04"


def read_rows(path: Path) -> list[TableRow]:
    """The rows of a CSV or XLSX file, told apart by their bytes; raises `OperatorFault` naming what to do."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror}。请检查路径。") from error
    if len(data) > MAX_BYTES:
        raise OperatorFault(f"{path} 超过 {MAX_BYTES // 2**20} MiB。请拆成几份。")
    if data.startswith(OLD_EXCEL):
        raise OperatorFault(f"{path} 是旧版或加密的 Excel 文件。请另存为不加密的 .xlsx 或 .csv。")
    rows = _sheet_rows(data) if data.startswith(ZIP) else _text_rows(_decoded(data, path))
    found: list[TableRow] = []
    for row in rows:
        if len(found) >= MAX_ROWS or len(row.cells) > MAX_COLUMNS:
            raise OperatorFault(f"{path} 超过 {MAX_ROWS} 行或 {MAX_COLUMNS} 列。请删去空行空列或拆成几份。")
        found.append(row)
    return found


def _decoded(data: bytes, path: Path) -> str:
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ENCODINGS
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise OperatorFault(f"{path} 不是文字表格，或编码不是 UTF-8、GBK。请另存为 .xlsx 或 UTF-8 的 .csv。")


def _text_rows(text: str) -> Iterator[TableRow]:
    head = text[:4096]
    separator = max(SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            yield TableRow(line, _trimmed(cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise OperatorFault(f"第 {line} 行起引号不成对或过长（{error}）。请检查该行的引号。") from error


def _sheet_rows(data: bytes) -> list[TableRow]:
    sheet = Sheet(data)
    lines = dict(itertools.islice(sheet.rows(), MAX_ROWS + 1))
    continued: dict[int, set[int]] = {}
    for first, left, last, right in _few(sheet.merged):
        text = lines.get(first, {}).get(left, "")
        for line in range(first, min(last, MAX_ROWS) + 1):
            columns = range(left, min(right, MAX_COLUMNS) + 1)
            lines.setdefault(line, {}).update(dict.fromkeys(columns, text))
            continued.setdefault(line, set()).update(columns if line > first else ())
    return [_sheet_row(line, lines[line], continued.get(line, set())) for line in sorted(lines)]


def _few(merged: list[Area]) -> list[Area]:
    """The merged areas, which must not cost more than a sheet may."""
    sizes = ((min(it[2], MAX_ROWS) - it[0] + 1) * (min(it[3], MAX_COLUMNS) - it[1] + 1) for it in merged)
    if sum(max(0, size) for size in sizes) > MAX_MERGED:
        raise OperatorFault(f"表格中合并的单元格超过 {MAX_MERGED} 格，未导入。请取消合并，或另存为 .csv。")
    return merged


def _sheet_row(line: int, cells: Mapping[int, str], continued: set[int]) -> TableRow:
    width = min(max(cells, default=0), MAX_COLUMNS + 1)
    texts = _trimmed(cells.get(column, "") for column in range(1, width + 1))
    return TableRow(line, texts, frozenset(column - 1 for column in continued))


def _trimmed(cells: Iterable[str]) -> tuple[str, ...]:
    """Without the empty cells at the end, of which sheets have many."""
    found = list(cells)
    while found and not found[-1].strip():
        found.pop()
    return tuple(found)
