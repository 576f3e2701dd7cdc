"""A flow chart (行政执法程序流程图) in words: its steps in order, and where each leads. Pure.

What a picture shows by arrows, a list has to say: who cannot see the one reads the same in the other.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.duty.masking import quoted
from agent.errors import OperatorFault

STEPS, WAYS = "步骤", "走向"
_WAY = re.compile(r"(.+?)\s*(?:->|→)\s*(.+?)(?:[：:]\s*(.+))?")

Way = tuple[int, int, str]


def steps_of(entry: Mapping[str, Any]) -> list[str]:
    """The steps of a chart, in order; one that stands there without a list is the only one."""
    return _listed(entry[STEPS])


def ways(entry: Mapping[str, Any]) -> list[Way]:
    """From which step to which (from 0), and on what condition; one after the other where 走向 says nothing. Raises
    `OperatorFault` for a way between steps that are not there."""
    steps, told = steps_of(entry), entry.get(WAYS)
    if not told:
        return [(number, number + 1, "") for number in range(len(steps) - 1)]
    return [_way(steps, text) for text in _listed(told)]


def step_lines(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Of each step its text and, where that is not just the next one, a line for each step that it leads to; raises as
    `ways`."""
    steps, led, found = steps_of(entry), ways(entry), []
    for number, step in enumerate(steps):
        out = [(to, when) for begin, to, when in led if begin == number]
        told = out if out != [(number + 1, "")] else []
        lines = (f"→ 第 {to + 1} 步 {steps[to]}{f'（{when}）' if when else ''}" for to, when in told)
        found.append((step, *lines))
    return found


def text_twin(entry: Mapping[str, Any]) -> str:
    """The chart as a text: its steps numbered, below each where it leads."""
    numbered = [(f"{number}. {step}", *out) for number, (step, *out) in enumerate(step_lines(entry), 1)]
    return "\n".join("\n　".join(lines) for lines in numbered) + "\n"


def _listed(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _way(steps: Sequence[str], text: str) -> Way:
    found = _WAY.fullmatch(text.strip())
    places = [] if found is None else [_place(steps, found[1]), _place(steps, found[2])]
    if found is None or -1 in places:
        raise OperatorFault(
            f"流程图的走向“{quoted(text, 40)}”应形如 审核->决定：同意，两端都是步骤的名称或序号。请改正。"
        )
    return places[0], places[1], found[3] or ""


def _place(steps: Sequence[str], name: str) -> int:
    if name in steps:
        return steps.index(name)
    return int(name) - 1 if name.isascii() and name.isdigit() and 1 <= int(name) <= len(steps) else -1
