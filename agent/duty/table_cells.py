"""What may stand in one cell of a published table: formulas, clock times, lists of steps."""

import re
from collections.abc import Mapping
from datetime import date

from agent.duty.table_shape import Shape

FORMULA_SIGNS = ("=", "＝")
SHEET_ERRORS = ("#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!")
_ITEM_BREAK = re.compile(r"[\n；;]+|(?<!\d)(?=(?:\d{1,2}[.．、)）]|[（(]\d{1,2}[)）]|[①-⑳])\s*\D)")
_ITEM_NUMBER = re.compile(r"^(?:\d{1,2}[.．、)）](?!\d)|[（(]\d{1,2}[)）]|[①-⑳])\s*")
_CLOCK = re.compile(r"(?<![\d:：])(\d{1,2})[:：](\d{1,2})(?:[:：](\d{1,2}))?(?![\d:：])")
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})")


def not_text(line: int, cells: Mapping[str, str]) -> list[str]:
    """What is computed, not written: nobody signs a value that another program makes."""
    formulas = [name for name, text in cells.items() if text.startswith(FORMULA_SIGNS)]
    errors = [name for name, text in cells.items() if text in SHEET_ERRORS]
    return [
        *(f"第 {line} 行的“{name}”是公式，请改为文字。" for name in formulas),
        *(f"第 {line} 行的“{name}”是表格的错误值 {cells[name]}，请改为文字。" for name in errors),
    ]


def impossible(shape: Shape, line: int, cells: Mapping[str, str]) -> list[str]:
    """Times that no clock or calendar shows, and an end that is not after its beginning."""
    texts = {name: cells.get(name, "") for name in shape.times}
    found = [
        f"第 {line} 行的“{name}”中没有这样的时间：{bad}。" for name, text in texts.items() for bad in _bad_times(text)
    ]
    clocks = [_CLOCK.fullmatch(text) for text in texts.values()]
    if not found and len(clocks) == 2 and clocks[0] and clocks[1]:
        begin, end = (tuple(int(part or 0) for part in clock.groups()) for clock in clocks if clock)
        if end <= begin:
            found.append(f"第 {line} 行的结束时间 {clocks[1][0]} 不晚于开始时间 {clocks[0][0]}，请改正。")
    return found


def _bad_times(text: str) -> list[str]:
    bad = []
    for clock in _CLOCK.finditer(text):
        hour, minute, second = (int(part or 0) for part in clock.groups())
        if (hour, minute, second) != (24, 0, 0) and (hour > 23 or minute > 59 or second > 59):
            bad.append(clock[0])
    for day in _DAY.finditer(text):
        try:
            date(int(day[1]), int(day[2]), int(day[3]))
        except ValueError:
            bad.append(day[0])
    return bad


def items(text: str) -> list[str]:
    """The steps in one cell: on lines of their own, numbered, or set off by semicolons; a comma divides nothing."""
    parts = [_ITEM_NUMBER.sub("", part.strip()).strip("。，, ") for part in _ITEM_BREAK.split(text)]
    return [part for part in parts if part] or [text]
