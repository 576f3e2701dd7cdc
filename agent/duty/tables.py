"""From a department's table to the entries of a policy: header, rows, and every fault with its line.

Nothing is guessed that a person has to answer for: an unknown column, a formula, a row that stands twice, a time that
no clock shows are told with their line and the whole table is refused. What is laid out differently is understood:
titles above the header, a header of two rows, merged and blank cells, the header again on every page, notes below.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from agent.duty.cell_checks import DAYS, PLAN_CATEGORIES, check_cells, personal, plain_day
from agent.duty.disclosure_rules import check_entries
from agent.duty.factors import with_unit
from agent.duty.masking import quoted, unnumbered
from agent.duty.steps import MAX_STEP
from agent.duty.table_cells import impossible, items, not_text
from agent.duty.table_shape import NUMBER, Shape
from agent.duty.table_shapes import SHAPES
from agent.errors import SenderFault
from agent.wire.disclosures import DisclosureKind

MAX_TITLE_ROWS = 20  # ours: titles, units and dates above the header
MAX_COLUMNS = 64  # ours; the widest published list has 15
MIN_KNOWN = 3  # columns by which a row is told to be the header
MAX_TITLE = 20  # characters, ours
MAX_MATTER_STEPS = 40  # as many as the officer's page shows (agent.page.found_duty); the longest published list has 13
STEPS = "记录内容"
UNIT = re.compile(r".*[（(](万?元)[)）]")
REMARK = "备注"
NOTES = ("注：", "注:", "备注：", "备注:", "说明：", "填表人", "审核人", "制表", "联系人")


@dataclass(frozen=True)
class TableRow:
    """A row of cells as they stand in the file, at `line` from 1; `continued` are the places of those that are one
    merged cell with the row above."""

    line: int
    cells: tuple[str, ...]
    continued: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Imported:
    """What a table says: entries for a document, `problems` one Chinese line each (then it is not to be used), and
    `passed` what was left out, likewise."""

    entries: tuple[Mapping[str, Any], ...]
    problems: tuple[str, ...]
    passed: tuple[str, ...] = ()


@dataclass
class _Reading:
    shape: Shape
    columns: tuple[str | None, ...]
    nameless: frozenset[int]
    entries: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    seen: dict[tuple[str, ...], int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    above: dict[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    sound: set[tuple[str, str]] = field(default_factory=set)


def import_table(kind: DisclosureKind, rows: Iterable[TableRow]) -> Imported:
    """Read the table of a policy of `kind`; raises `SenderFault` when there is no header to read it by."""
    shape = SHAPES[kind]
    filled = [row for row in rows if any(cell.strip() for cell in row.cells)]
    at, depth, columns, problems = _header(shape, filled)
    nameless = frozenset(range(MAX_COLUMNS)) - _named(filled[at : at + depth])
    reading = _Reading(shape, columns, nameless, problems=problems, units=_units(_plain(filled[at]), columns))
    headers = {_plain(row) for row in filled[at : at + depth]}
    firsts = {header[0] for header in headers}
    whole = not problems
    for row in filled[at + depth :]:
        if "".join(row.cells[0].split()) not in firsts or _plain(row) not in headers:
            _read_row(kind, reading, row, whole=whole)
    if kind is DisclosureKind.RECORDING_LIST:
        reading.problems += _crowded(reading)
    if not reading.entries and not reading.problems:
        reading.problems.append("表头之下没有任何条目，请补充。")
    return Imported(tuple(reading.entries), tuple(reading.problems), tuple(reading.passed))


def _named(header: Iterable[TableRow]) -> set[int]:
    return {place for row in header for place, cell in enumerate(row.cells) if cell.strip()}


def _plain(row: TableRow) -> tuple[str, ...]:
    return tuple("".join(cell.split()) for cell in row.cells)


def _header(shape: Shape, rows: Sequence[TableRow]) -> tuple[int, int, tuple[str | None, ...], list[str]]:
    """Where the header is, of how many rows, its columns and what is wrong with them."""
    known, least = shape.names, min(MIN_KNOWN, len(set(shape.columns) - shape.optional))
    for at, row in enumerate(rows[:MAX_TITLE_ROWS]):
        names = _plain(row)
        if sum(name in known for name in names) < least:
            continue
        below = _plain(rows[at + 1]) if at + 1 < len(rows) else ()
        joined = _joined(names, below, known)
        depth, names = (1, names) if joined is None else (2, joined)
        return at, depth, *_columns(shape, row.line, names)
    wanted = "、".join(name for name in shape.columns if name not in shape.optional)
    raise SenderFault(f"前 {MAX_TITLE_ROWS} 行中没有找到表头。表头应有这些列：{wanted}。")


def _joined(names: Sequence[str], below: Sequence[str], known: Mapping[str, str]) -> tuple[str, ...] | None:
    """The names of a header of two rows (记录时间 over 开始 and 结束), None when the row below is none of it."""
    if not any(below):
        return None
    parent, found = "", []
    for upper, lower in zip_longest(names, below, fillvalue=""):
        parent = upper or (parent if lower else "")
        if not lower or lower == upper:
            found.append(upper)
            continue
        ways = (parent + lower, lower + parent, parent.replace("时间", "") + lower + "时间", lower)
        fits = next((way for way in ways if way in known), None)
        if fits is None:
            return None
        found.append(fits)
    return tuple(found)


def _columns(shape: Shape, line: int, names: Sequence[str]) -> tuple[tuple[str | None, ...], list[str]]:
    known, problems = shape.names, []
    columns = tuple(known.get(name) for name in names)
    for place, name in enumerate(names, 1):
        if name and name not in known:
            problems.append(_unknown(line, place, name, known))
    for column in shape.columns:
        if columns.count(column) > 1:
            problems.append(f"第 {line} 行表头的“{column}”出现不止一次，请只留一列。")
        elif column not in columns and column not in (*shape.defaults, *shape.optional, NUMBER):
            problems.append(f"第 {line} 行表头缺少“{column}”一列，请补上。")
    return columns, problems


def _units(names: Sequence[str], columns: Sequence[str | None]) -> dict[str, str]:
    """The unit that stands in a column's header, by column."""
    found = ((column, UNIT.fullmatch(name)) for name, column in zip(names, columns, strict=False))
    return {column: unit[1] for column, unit in found if column is not None and unit is not None}


def _unknown(line: int, place: int, name: str, known: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    advice = f"是否应为“{near[0]}”？" if near else f"可用的列有：{'、'.join(dict.fromkeys(known.values()))}。"
    return f"第 {line} 行表头第 {place} 列“{quoted(name, 40)}”不认识。{advice}"


def _read_row(kind: DisclosureKind, reading: _Reading, row: TableRow, *, whole: bool) -> None:
    """One row: all that is wrong with it is told at once. `whole`: the header has every column."""
    if len({text.strip() for text in row.cells} - {""}) == 1:
        _lone(reading, row)
        return
    line, cells = row.line, _cells(reading, row)
    problems = [*_spilled(reading, row), *not_text(line, cells), *impossible(reading.shape, line, cells)]
    problems += [
        text for name, text in check_cells(kind, line, cells, reading.sound).items() if not _told(problems, name)
    ]
    entry = _entry(reading, line, cells, empty := list[str]())
    problems += _twice(reading, line, entry) or empty
    if problems:
        problems += [text for name, text in personal(line, cells).items() if not _told(problems, name)]
    elif whole:
        problems += _parsed(kind, line, entry)
    reading.entries.append(entry)
    reading.lines.append(line)
    reading.problems += map(unnumbered, problems)
    reading.passed += _long(line, entry)


def _cells(reading: _Reading, row: TableRow) -> dict[str, str]:
    found = {
        name: "" if name == NUMBER and place in row.continued else row.cells[place].strip()
        for place, name in enumerate(reading.columns[: len(row.cells)])
        if name is not None
    }
    for name in DAYS & found.keys():
        found[name] = plain_day(found[name])
    for name in reading.units.keys() & found.keys():
        found[name] = with_unit(found[name], reading.units[name])
    return found


def _told(problems: Iterable[str], name: str) -> bool:
    return any(f"“{name}”" in problem for problem in problems)


def _long(line: int, entry: Mapping[str, Any]) -> list[str]:
    """A step that a recorder cannot show whole is taken, and told."""
    steps = entry.get(STEPS, ())
    if not isinstance(steps, list) or len(max(steps, key=len)) <= MAX_STEP:
        return []
    long = (step for step in steps if len(step) > MAX_STEP)
    return [f"第 {line} 行的“{STEPS}”有 {len(step)} 字的一项，记录仪只显示前 {MAX_STEP} 字，宜拆分。" for step in long]


def _crowded(reading: _Reading) -> list[str]:
    """The matters with more steps than an officer is shown, each with its lines."""
    found: dict[tuple[str, str], tuple[dict[str, None], list[int]]] = {}
    for line, entry in zip(reading.lines, reading.entries, strict=True):
        key = entry.get("执法类别", ""), entry.get("执法事项", "")
        if key not in found:
            found[key] = {}, []
        found[key][0].update(dict.fromkeys(entry.get(STEPS, ())))
        found[key][1].append(line)
    return [
        f"第 {'、'.join(map(str, lines))} 行的“{STEPS}”：{category}“{matter[:20]}”共有 {len(steps)} 个环节，"
        f"超过 {MAX_MATTER_STEPS} 个，现场无法逐项提示。请归并，或分成几个执法事项。"
        for (category, matter), (steps, lines) in found.items()
        if len(steps) > MAX_MATTER_STEPS
    ]


def _lone(reading: _Reading, row: TableRow) -> None:
    """A row with one text only: a note below the table, or a title above the rows of one 执法类别."""
    text = next(cell.strip() for cell in row.cells if cell.strip())
    category = next((name for name in PLAN_CATEGORIES if name in text), None)
    if text.startswith(NOTES):
        reading.passed.append(f"第 {row.line} 行是注释，未导入：{quoted(text, 40)}")
    elif category is not None and "执法类别" in reading.shape.carried and len(text) <= MAX_TITLE:
        reading.above = {"执法类别": category}
        reading.passed.append(f"第 {row.line} 行是小标题，其下各行按“{category}”导入。")
    else:
        reading.problems.append(f"第 {row.line} 行只有“{quoted(text, 40)}”，不成一条。请补全或删去。")


def _spilled(reading: _Reading, row: TableRow) -> list[str]:
    """Cells under no header: something has shifted, or a quotation mark is missing."""
    stray = [text.strip() for place, text in enumerate(row.cells) if place in reading.nameless and text.strip()]
    return [f"第 {row.line} 行的“{quoted(stray[0], 20)}”没有表头，请检查是否错列或缺引号。"] if stray else []


def _entry(reading: _Reading, line: int, cells: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    shape = reading.shape
    entry: dict[str, Any] = {}
    above = dict(reading.above)
    for name in shape.columns:
        text = cells.get(name, "") or (above.get(name, "") if name in shape.carried else "")
        if name in shape.carried and text != above.get(name):
            above.clear()  # another category: what stood below the one above is not carried into it
        if not text and (name == REMARK or name not in reading.columns):
            text = shape.defaults.get(name, "")
        if text:
            entry[name] = items(text) if name in shape.lists else text
        elif name not in shape.optional and name != NUMBER and name in reading.columns:
            problems.append(f"第 {line} 行的“{name}”是空的，请补填（没有的填“无”）。")
    reading.above.update({name: entry[name] for name in shape.carried if name in entry})
    if NUMBER in shape.columns:
        entry[NUMBER] = _number(reading, line, cells.get(NUMBER, ""), problems)
    return entry


def _number(reading: _Reading, line: int, text: str, problems: list[str]) -> str:
    """The 序号; rows that have none of their own get that of the row above, counted on."""
    if text and text in reading.numbers and reading.numbers[text] != line:
        problems.append(f"第 {line} 行的序号 {quoted(text, 20)} 与第 {reading.numbers[text]} 行相同，请改正。")
    if text:
        reading.above[NUMBER] = text
    number, count = text or reading.above.get(NUMBER, "") or str(len(reading.entries) + 1), 1
    while not text and number in reading.numbers:
        count += 1
        number = f"{reading.above.get(NUMBER, '') or 'L'}-{count}"
    reading.numbers.setdefault(number, line)
    return number


def _twice(reading: _Reading, line: int, entry: Mapping[str, Any]) -> list[str]:
    key = tuple(str(value) for name, value in sorted(entry.items()) if name not in (NUMBER, REMARK))
    first = reading.seen.setdefault(key, line)
    return [] if first == line else [f"第 {line} 行与第 {first} 行重复，请删去一行。"]


def _parsed(kind: DisclosureKind, line: int, entry: Mapping[str, Any]) -> list[str]:
    """The rules of whoever reads the entry, with the line in the place of the entry's number."""
    try:
        check_entries(kind, (entry,))
    except SenderFault as fault:
        return [re.sub(r"^.*?第 1 条", f"第 {line} 行", str(fault))]
    return []
