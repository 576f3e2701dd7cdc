"""The ledger of carrying out the three systems (工作台账, the plan's section 四), one page for each department.

What devices and lists show is counted from signed facts; what only people know (training, supervision, filing,
summaries) is entered by hand and is told as that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from agent.duty.entries import Entry
from agent.duty.record_counts import UsedCase, count, month, whole
from agent.duty.review_rules import Stage
from agent.errors import SenderFault

DOCUMENT = "工作登记"
KINDS = ("实施方案", "动员会议", "培训", "制度备案", "监督检查", "自查", "工作总结", "评估验收")
"""What the plan's sections 三 and 四 ask for that no device can see."""
TRAINED = ("执法人员", "审核人员")
MAX_PEOPLE = 100_000  # ours: more than any district has
MONTHLY_COLUMNS = (
    "月份", "任务数", "完整任务数", "录像数", "完整录像数", "未说明中断", "证件问题", "重大数", "送审数", "已决定",
)  # fmt: skip


@dataclass(frozen=True)
class LedgerEntry:
    """One thing that was done by hand: `people` of `trained` were taught, a supervision's finding was put right on
    `mended` (None: it has not been)."""

    unit: str
    kind: str
    on: date
    text: str
    people: int = 0
    trained: str = ""
    mended: date | None = None


def parse_ledger(entries: Iterable[Any]) -> tuple[LedgerEntry, ...]:
    """The entries of a ledger file, by day; raises `SenderFault` naming entry and field."""
    found = [_entry(Entry(DOCUMENT, number, entry)) for number, entry in enumerate(entries, 1)]
    return tuple(sorted(found, key=lambda it: (it.on, it.unit, it.kind)))


def monthly_sheet(cases: Sequence[UsedCase]) -> tuple[Mapping[str, Any], ...]:
    """One row for each month in which a task of `cases` began (月报)."""
    groups: dict[str, list[UsedCase]] = {}
    for case in cases:
        groups.setdefault(month(case.facts.began), []).append(case)
    return tuple(_month(name, groups[name]) for name in sorted(groups))


def _month(name: str, cases: Sequence[UsedCase]) -> Mapping[str, Any]:
    counts = count(cases, max(case.facts.began for case in cases))
    facts = [case.facts for case in cases]
    values = (
        name, len(facts), sum(map(whole, facts)), sum(len(it.recordings) for it in facts), counts.recordings.good,
        sum(gap.unexplained for gap in counts.gaps), sum(len(it.tasks) for it in counts.certificates),
        sum(bool(it.major) for it in facts), sum(case.stage is not Stage.UNSUBMITTED for case in cases),
        sum(case.stage is Stage.DECIDED for case in cases),
    )  # fmt: skip
    return dict(zip(MONTHLY_COLUMNS, values, strict=True))


def _entry(entry: Entry) -> LedgerEntry:
    kind = entry.choice("类别", KINDS)
    on = entry.day("日期")
    mended = entry.day("整改完成") if entry.has("整改完成") else None
    if mended is not None and mended < on:
        raise SenderFault(f"{entry.where('整改完成')}早于检查日期，请改正。")
    trained = entry.choice("对象", TRAINED) if kind == "培训" else ""
    people = _people(entry) if kind == "培训" else 0
    return LedgerEntry(entry.text("单位"), kind, on, entry.text("内容"), people, trained, mended)


def _people(entry: Entry) -> int:
    text = entry.text("人数")
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= MAX_PEOPLE):
        raise SenderFault(f"{entry.where('人数')}是“{text[:20]}”，应为 1 至 {MAX_PEOPLE} 的数字，请改正。")
    return int(text)
