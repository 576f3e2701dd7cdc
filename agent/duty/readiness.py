"""How far a department is (工作步骤, the plan's section 三): conditions to look up, milestones with their dates.

A milestone is reached on the day on which its last condition was met. Profiles are data: those of 2017 are a sample.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from agent.duty.entries import Entry
from agent.duty.labels import LAWFUL_OFFICERS
from agent.duty.ledger import KINDS, LedgerEntry
from agent.duty.record_counts import UsedCase, good
from agent.duty.roster import Officer
from agent.errors import SenderFault
from agent.wire.disclosures import DisclosureKind
from agent.wire.instant import BEIJING

DOCUMENT = "进度表"
RELEASED, ENTERED = "公布", "登记"
ASSESSED: Mapping[str, str] = {
    "公布:item-list": "行政执法事项清单（一）2",
    "公布:subject-list": "执法主体资格清单（一）3",
    "公布:personnel-list": "执法人员资格清单（一）4",
    "人员": "两名以上持证人员（一）5",
    "公布:window-board": "办事人员信息公示（一）7",
    "公布:recording-rules": "全过程记录办法（二）1",
    "公布:document-templates": "执法文书标准文本（二）2",
    "公布:recording-list": "音像记录事项清单（二）3",
    "设备": "记录设备已接入（二）3",
    "首次记录": "首次记录检验合格（二）4",
    "公布:review-rules": "法制审核办法（三）1",
    "公布:major-catalogue": "重大执法决定目录（三）3",
    "登记:培训": "培训（三）2",
    "登记:监督检查": "监督检查（四）",
}
"""The assessment sheet (考核表): each condition with the words and the section of the plan."""


class Progress(StrEnum):
    """How a milestone stands."""

    DONE = "按期完成"
    DONE_LATE = "逾期完成"
    OVERDUE = "逾期未完成"
    AHEAD = "未到期"


@dataclass(frozen=True)
class Released:
    """A list or policy in force at the centre: `since` is when it took effect, `recorded` the newest version under
    which a recorder of the department recorded (None: it never did)."""

    title: str
    version: int
    since: date
    recorded: int | None = None


@dataclass(frozen=True)
class Department:
    """All that is known of one department; `devices` with the day of their first task here, `enrolled` its officers
    whom a device knows, by certificate, `accepted` its devices that passed their acceptance, with the day (None: nobody
    gave the inventory)."""

    unit: str
    released: Mapping[DisclosureKind, Released] = field(default_factory=dict)
    devices: Mapping[str, date] = field(default_factory=dict)
    officers: Sequence[Officer] = ()
    rostered: date | None = None
    cases: Sequence[UsedCase] = ()
    entries: Sequence[LedgerEntry] = ()
    enrolled: frozenset[str] = frozenset()
    accepted: Mapping[str, date] | None = None


@dataclass(frozen=True)
class Milestone:
    """One line of a profile."""

    stage: str
    due: date
    text: str
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """A milestone, when it was reached, and what is still missing for it."""

    milestone: Milestone
    progress: Progress
    reached: date | None
    missing: tuple[str, ...]


def parse_profile(entries: Iterable[Any]) -> tuple[Milestone, ...]:
    """The milestones of a profile in their order; raises `SenderFault` naming entry and field."""
    return tuple(_milestone(Entry(DOCUMENT, number, entry)) for number, entry in enumerate(entries, 1))


def met(condition: str, department: Department, on: date) -> date | None:
    """The day on which `condition` was first met; None while it is not, or only after `on`."""
    name, _, word = condition.partition(":")
    day = LOOKED_UP[name](department, word, on)
    return day if day is not None and day <= on else None


def standings(profile: Iterable[Milestone], department: Department, on: date) -> tuple[Standing, ...]:
    """How `department` stood on `on`."""
    return tuple(_standing(milestone, department, on) for milestone in profile)


def licensed(department: Department, on: date) -> int:
    """How many of the department's officers may enforce on that day."""
    return sum(officer.obstacle(on) is None for officer in department.officers)


def day_of(moment: datetime) -> date:
    """The day in Beijing."""
    return moment.astimezone(BEIJING).date()


def _standing(milestone: Milestone, department: Department, on: date) -> Standing:
    days = {condition: met(condition, department, on) for condition in milestone.conditions}
    missing = tuple(condition for condition, day in days.items() if day is None)
    if missing:
        return Standing(milestone, Progress.OVERDUE if on > milestone.due else Progress.AHEAD, None, missing)
    reached = max(day for day in days.values() if day is not None)
    return Standing(milestone, Progress.DONE_LATE if reached > milestone.due else Progress.DONE, reached, ())


def _released(department: Department, word: str, _: date) -> date | None:
    found = department.released.get(DisclosureKind(word))
    return None if found is None else found.since


def _entered(department: Department, word: str, _: date) -> date | None:
    return min((entry.on for entry in department.entries if entry.kind == word), default=None)


def _device(department: Department, _: str, __: date) -> date | None:
    return min(department.devices.values(), default=None)


def _officers(department: Department, _: str, on: date) -> date | None:
    return department.rostered if licensed(department, on) >= LAWFUL_OFFICERS else None


def _recorded(department: Department, _: str, __: date) -> date | None:
    films = (film for case in department.cases for film in case.facts.recordings if good(film))
    return min((day_of(film.ends) for film in films), default=None)


LOOKED_UP: Mapping[str, Callable[[Department, str, date], date | None]] = {
    RELEASED: _released,
    ENTERED: _entered,
    "设备": _device,
    "人员": _officers,
    "首次记录": _recorded,
}
WORDS: Mapping[str, frozenset[str]] = {RELEASED: frozenset(DisclosureKind), ENTERED: frozenset(KINDS)}


def _milestone(entry: Entry) -> Milestone:
    conditions = entry.texts("条件")
    for condition in conditions:
        name, _, word = condition.partition(":")
        if name not in LOOKED_UP or word not in WORDS.get(name, {""}):
            raise SenderFault(f"{entry.where('条件')}“{condition[:40]}”未知，可用：{'、'.join(LOOKED_UP)}，请改正。")
    return Milestone(entry.text("阶段"), entry.day("期限"), entry.text("事项"), conditions)
