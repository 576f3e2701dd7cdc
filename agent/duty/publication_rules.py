"""The department's rules of publication (行政执法公示办法): the plan's section 二（一）1.

范围、内容、载体、程序、时限要求、监督方式和保障措施, one entry for each kind of document, or for one 执法类别
of a kind: a penalty is published within 7 working days, other results within 20 (国办发〔2018〕118号, 公开条例 article
26), and what was revoked goes within 3 days (行政处罚法 article 48). The numbers are the department's signed words, not
this program's.
"""

import calendar
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from agent.duty.entries import Entry
from agent.duty.working_days import MAX_DAYS, WorkCalendar
from agent.errors import SenderFault
from agent.wire.disclosures import DisclosureKind
from agent.wire.instant import BEIJING

WHERE = "行政执法公示办法"
KIND_WORDS: Mapping[DisclosureKind, str] = {
    DisclosureKind.WINDOW_BOARD: "窗口公示牌",
    DisclosureKind.ITEM_LIST: "行政执法事项清单",
    DisclosureKind.RANDOM_INSPECTION_LIST: "随机抽查事项清单",
    DisclosureKind.FLOW_CHART: "行政执法程序流程图",
    DisclosureKind.SERVICE_GUIDE: "行政执法服务指南",
    DisclosureKind.SUBJECT_LIST: "行政执法主体资格清单",
    DisclosureKind.PERSONNEL_LIST: "行政执法人员资格清单",
    DisclosureKind.RESULTS: "行政执法结果",
    DisclosureKind.RANDOM_INSPECTION_RESULTS: "双随机抽查结果",
    DisclosureKind.NOTICE: "通知公告",
}
"""The ten kinds of the plan, by their names there."""
MADE_ON = {DisclosureKind.RESULTS: "作出日期", DisclosureKind.RANDOM_INSPECTION_RESULTS: "抽查日期"}
"""The field that says when what is published came about, where an entry has one."""
CATEGORY = "执法类别"
FOR_EVER = "长期"
FILING = "备案时限"
"""Within how many working days a list is reported to the legal office: the plan's section 二（一）2 asks for the filing
and names no term, so the department's own word counts."""
_WORKING = re.compile(r"(\d{1,3}) ?个?工作日(?:内)?")
_SHOWN = re.compile(r"(\d{1,3}) ?(个月|年)")


@dataclass(frozen=True)
class PublicationRule:
    """What the rules say of `kind`, or of its entries of `category` (empty: of all others). Days are working days,
    `filing_days` None where the rules set no term; `shown_months` is None for ever."""

    kind: DisclosureKind
    category: str
    scope: str
    content: str
    carrier: str
    procedure: str
    publish_days: int
    withdraw_days: int
    shown_months: int | None
    supervision: str
    safeguards: str
    filing_days: int | None = None


@dataclass(frozen=True)
class PublicationRules:
    """All rules of a department with its calendar of public holidays."""

    rules: tuple[PublicationRule, ...] = ()
    calendar: WorkCalendar = field(default_factory=WorkCalendar)

    def of(self, kind: DisclosureKind, category: str = "") -> PublicationRule | None:
        """The rule for an entry: that of its category, else that of its kind; None when there is none."""
        found = [rule for rule in self.rules if rule.kind is kind]
        own = next((rule for rule in found if rule.category and rule.category == category), None)
        return own or next((rule for rule in found if not rule.category), None)

    def publish_by(self, rule: PublicationRule, made: datetime) -> datetime:
        """When something that came about at `made` must be published."""
        return self.calendar.due(made, rule.publish_days)

    def withdraw_by(self, rule: PublicationRule, decided: datetime) -> datetime:
        """When something whose withdrawal was decided at `decided` must be gone."""
        return self.calendar.due(decided, rule.withdraw_days)

    def file_by(self, rule: PublicationRule, released: datetime) -> datetime | None:
        """When a list that was first released at `released` must be filed; None where the rules set no term."""
        return None if rule.filing_days is None else self.calendar.due(released, rule.filing_days)


def shown_until(rule: PublicationRule, made: date) -> datetime | None:
    """The end of the last day on which an entry of `made` may be shown; None for ever."""
    if rule.shown_months is None:
        return None
    months = made.month - 1 + rule.shown_months
    year, month = made.year + months // 12, months % 12 + 1
    day = min(made.day, calendar.monthrange(year, month)[1])
    return datetime.combine(date(year, month, day) + timedelta(days=1), time(), BEIJING)


def made_on(kind: DisclosureKind, number: int, entry: Mapping[str, Any]) -> date | None:
    """The day on which what entry `number` publishes came about; None where its kind has no such field. Raises
    `SenderFault` naming entry and field."""
    name = MADE_ON.get(kind)
    return None if name is None else Entry("公示文件", number, entry).day(name)


def parse_publication_rules(entries: Iterable[Any]) -> PublicationRules:
    """The rules of a signed document; holidays stand in any entry. Raises `SenderFault` naming entry and field."""
    found = [Entry(WHERE, number, value) for number, value in enumerate(entries, 1)]
    rules = tuple(_rule(entry) for entry in found)
    keys = [(rule.kind, rule.category) for rule in rules]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise SenderFault(f"{WHERE}中“{KIND_WORDS[twice[0]]}”出现不止一次，请只留一条。")
    holidays, worked = (
        frozenset(day for entry in found for day in _dates(entry, name)) for name in ("节假日", "调休上班日")
    )
    return PublicationRules(rules, WorkCalendar(holidays, worked))


def _rule(entry: Entry) -> PublicationRule:
    words = entry.choice("公示种类", tuple(KIND_WORDS.values()))
    return PublicationRule(
        next(kind for kind, name in KIND_WORDS.items() if name == words),
        entry.optional_text(CATEGORY),
        entry.text("范围"),
        entry.text("内容"),
        entry.text("载体"),
        entry.text("程序"),
        _working_days(entry, "公示时限"),
        _working_days(entry, "撤回时限"),
        _months(entry, "公示期限"),
        entry.text("监督方式"),
        entry.text("保障措施"),
        _working_days(entry, FILING) if entry.has(FILING) else None,
    )


def _working_days(entry: Entry, name: str) -> int:
    text = entry.text(name)
    found = _WORKING.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= MAX_DAYS:
        raise SenderFault(f"{entry.where(name)}是“{text[:20]}”，应形如 20个工作日，请改正。")
    return int(found[1])


def _months(entry: Entry, name: str) -> int | None:
    text = entry.text(name)
    found = _SHOWN.fullmatch(text)
    if text == FOR_EVER:
        return None
    if found is None or int(found[1]) < 1:
        raise SenderFault(f"{entry.where(name)}是“{text[:20]}”，应形如 3个月、3年 或 {FOR_EVER}，请改正。")
    return int(found[1]) * (12 if found[2] == "年" else 1)


def _dates(entry: Entry, name: str) -> tuple[date, ...]:
    if not entry.has(name):
        return ()
    try:
        return tuple(date.fromisoformat(text) for text in entry.texts(name))
    except ValueError as error:
        raise SenderFault(f"{entry.where(name)}应逐日写成 2027-01-01，请改正。") from error
