"""The department's time limits that begin on scene (执法时限清单): a signed list, one row for each.

What stands in this file is the law as it is known here: it is what holds on a device that has no list, and what a list
is held against. The list decides; where it gives more time than the law, that is told, in the label of every recording
and to whoever drafts, signs and reviews. Days of review stand in the review rules, days of publication in the
publication rules: they are signed data too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from agent.duty.entries import Entry
from agent.duty.terms import Term, Unit, parse_term
from agent.duty.working_days import WorkCalendar
from agent.errors import SenderFault

WHERE = "执法时限清单"
HOLIDAYS, WORKED = "节假日", "调休上班日"


class LimitKind(StrEnum):
    """What must be done in time."""

    EMERGENCY_REPORT = "emergency-report"
    PRESERVATION = "registered-preservation"
    HAND_IN = "hand-in"


MATTERS: Mapping[str, LimitKind] = {
    "当场强制措施报告": LimitKind.EMERGENCY_REPORT,
    "先行登记保存处理": LimitKind.PRESERVATION,
    "交回记录设备": LimitKind.HAND_IN,
}
"""时限事项 of a row."""


@dataclass(frozen=True)
class TimeLimit:
    """One row: `term` and its `basis` (依据); `steps` are words of a step that begins it when it is marked."""

    kind: LimitKind
    term: Term
    basis: str
    steps: tuple[str, ...] = ()
    holidays: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()


LAW = (
    TimeLimit(
        LimitKind.EMERGENCY_REPORT,
        Term(24, Unit.HOURS),
        "行政强制法第十九条",
        ("当场强制措施", "当场实施行政强制措施", "紧急强制措施"),
    ),
    TimeLimit(
        LimitKind.PRESERVATION, Term(7, Unit.WORKING_DAYS), "行政处罚法第五十六条、第八十五条", ("先行登记保存",)
    ),
)
HABIT = TimeLimit(LimitKind.HAND_IN, Term(24, Unit.HOURS), "执法记录管理规定")  # reference REC-20; no statute
KNOWN: Mapping[LimitKind, TimeLimit] = {one.kind: one for one in (*LAW, HABIT)}


@dataclass(frozen=True)
class TimeLimits:
    """What a department's lists say, with `KNOWN` for what they leave out."""

    rows: Mapping[LimitKind, TimeLimit] = field(default_factory=dict)
    calendar: WorkCalendar = field(default_factory=WorkCalendar)

    def of(self, kind: LimitKind) -> TimeLimit:
        """The row that holds for `kind`."""
        return self.rows.get(kind, KNOWN[kind])

    def begun_by(self, step: str) -> tuple[LimitKind, ...]:
        """The limits that marking `step` begins."""
        found = ((kind, self.of(kind).steps or KNOWN[kind].steps) for kind in LimitKind)
        return tuple(kind for kind, words in found if any(word in step for word in words))

    @property
    def loosened(self) -> tuple[str, ...]:
        """Which rows give more time than the law, one Chinese line each."""
        return tuple(line for one in LAW if (line := _loosened(self.of(one.kind), one)))


def joined(rows: Iterable[TimeLimit]) -> TimeLimits:
    """All rows of a department's lists; of two for one matter the shorter holds."""
    found: dict[LimitKind, TimeLimit] = {}
    holidays, worked = set[date](), set[date]()
    for row in rows:
        held = found.setdefault(row.kind, row)
        if held.term.looser_than(row.term):
            found[row.kind] = row
        holidays |= row.holidays
        worked |= row.worked
    return TimeLimits(found, WorkCalendar(frozenset(holidays), frozenset(worked)))


def parse_time_limits(entries: Iterable[Any]) -> tuple[TimeLimit, ...]:
    """The rows of a signed list; raises `SenderFault` naming entry and field, also when a matter stands twice."""
    rows = tuple(_row(Entry(WHERE, number, value)) for number, value in enumerate(entries, 1))
    if len({row.kind for row in rows}) != len(rows):
        raise SenderFault(f"{WHERE}的时限事项有重复，请只留一条。")
    return rows


def _row(entry: Entry) -> TimeLimit:
    kind = MATTERS[entry.choice("时限事项", tuple(MATTERS))]
    term = parse_term(entry.text("时限"), entry.where("时限"))
    steps = entry.texts("起算环节") if entry.has("起算环节") else ()
    return TimeLimit(kind, term, entry.text("依据"), steps, _dates(entry, HOLIDAYS), _dates(entry, WORKED))


def _dates(entry: Entry, name: str) -> frozenset[date]:
    if not entry.has(name):
        return frozenset()
    try:
        return frozenset(date.fromisoformat(text) for text in entry.texts(name))
    except ValueError as error:
        raise SenderFault(f"{entry.where(name)}应逐日写成 2027-01-01，请改正。") from error


def _loosened(row: TimeLimit, law: TimeLimit) -> str:
    if not row.term.looser_than(law.term):
        return ""
    matter = next(name for name, kind in MATTERS.items() if kind is row.kind)
    return f"{matter}：清单定为 {row.term.text}，宽于{law.basis}的 {law.term.text}，请报法制机构核对。"
