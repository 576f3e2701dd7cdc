"""The department's rules of legal review (重大执法决定法制审核办法和流程图): the plan's section 二（三）1, 2 and 5.

Who reviews, what, on which materials, in which time, what happens when review and handling disagree and who answers
for what: words and numbers of the department, not of this program. One entry, the fields below.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from agent.duty.entries import Entry
from agent.duty.working_days import MAX_DAYS, WorkCalendar
from agent.errors import SenderFault


class Stage(StrEnum):
    """Where a matter stands on its way to a decision: the boxes of the flow chart."""

    UNSUBMITTED = "未送审"
    SUBMITTED = "待受理"
    RETURNED = "退回补正"
    ACCEPTED = "审核中"
    OBJECTED = "待反馈意见"
    DISPUTED = "意见不一致"
    COORDINATING = "协调中"
    CLOSED = "审核完结"
    DECIDED = "已决定"


class Scope(StrEnum):
    """What has to be reviewed; the plan's section 二（三）3 encourages the wider one."""

    MAJOR = "重大执法决定"
    ALL = "简易程序以外的所有执法决定"


LIMIT_FIELDS: Mapping[Stage, str] = {
    Stage.SUBMITTED: "受理时限",
    Stage.RETURNED: "补正时限",
    Stage.ACCEPTED: "审核时限",
    Stage.OBJECTED: "反馈时限",
    Stage.DISPUTED: "启动协调时限",
    Stage.COORDINATING: "协调时限",
    Stage.CLOSED: "作出决定时限",
}
"""The one table of time limits, in working days: how long a matter may stand in a stage."""


@dataclass(frozen=True)
class ReviewRules:
    """`body` is the configured review body (a name: 法制办, 司法局, 法制科), `members` the staff numbers of its
    reviewers, `materials` what must be handed in, `limits` working days by stage."""

    body: str
    members: frozenset[str]
    scope: Scope
    materials: tuple[str, ...]
    procedure: str
    carrier: str
    limits: Mapping[Stage, int]
    coordination: str
    accountability: str
    calendar: WorkCalendar


def parse_review_rules(entries: Iterable[Any]) -> tuple[ReviewRules]:
    """The rules of a signed document of one entry, alone; raises `SenderFault` naming the field."""
    found = list(entries)
    if len(found) != 1:
        raise SenderFault(f"法制审核办法应恰有 1 条，实有 {len(found)} 条，请改正。")
    entry = Entry("法制审核办法", 1, found[0])
    rules = ReviewRules(
        entry.text("审核机构"),
        frozenset(entry.texts("审核人员")),
        Scope(entry.choice("审核范围", tuple(Scope))),
        entry.texts("送审材料"),
        entry.text("审核程序"),
        entry.text("审核载体"),
        {stage: _days(entry, name) for stage, name in LIMIT_FIELDS.items()},
        entry.text("协调机制"),
        entry.text("责任追究"),
        WorkCalendar(_dates(entry, "节假日"), _dates(entry, "调休上班日")),
    )
    return (rules,)


def _days(entry: Entry, name: str) -> int:
    text = entry.text(name)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_DAYS):
        raise SenderFault(f"法制审核办法的“{name}”是“{text[:20]}”，应为 1 至 {MAX_DAYS} 个工作日的整数，请改正。")
    return int(text)


def _dates(entry: Entry, name: str) -> frozenset[date]:
    if not entry.has(name):
        return frozenset()
    try:
        return frozenset(date.fromisoformat(text) for text in entry.texts(name))
    except ValueError as error:
        raise SenderFault(f"法制审核办法的“{name}”应逐日写成 2027-01-01，请改正。") from error
