"""Reason codes (原因代码): the department's own words for an interruption, a step left out, a record not made.

Rules in force name such reasons (reference/domain.md 1.4: 设备故障、损坏、天气恶劣、电量或存储空间不足、检查场所变化);
a code stands in signed events, its words come from here.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.duty.entries import Entry
from agent.errors import SenderFault

CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class ReasonUse(StrEnum):
    """What a reason may be given for (用途)."""

    INTERRUPTION = "记录中断"
    STEP_MISSING = "步骤缺失"
    NOT_RECORDED = "不予记录"
    DELETED = "删除记录"


@dataclass(frozen=True)
class ReasonCode:
    """One reason; `written` says that somebody has to explain it in writing (须书面说明)."""

    code: str
    use: ReasonUse
    text: str
    written: bool


def parse_reason_codes(entries: Iterable[Any]) -> tuple[ReasonCode, ...]:
    """The reasons of a document; raises `SenderFault` naming entry and field, also when a code stands twice."""
    reasons = tuple(_reason(Entry("原因代码", number, entry)) for number, entry in enumerate(entries, 1))
    if len({reason.code for reason in reasons}) != len(reasons):
        raise SenderFault("原因代码有重复，请改正。")
    return reasons


def _reason(entry: Entry) -> ReasonCode:
    code = entry.text("代码")
    if not CODE.fullmatch(code):
        raise SenderFault(f"{entry.where('代码')}是“{code[:40]}”，应为小写字母、数字和连字符，请改正。")
    use = ReasonUse(entry.choice("用途", tuple(use.value for use in ReasonUse)))
    return ReasonCode(code, use, entry.text("原因"), entry.choice("须书面说明", ("是", "否")) == "是")
