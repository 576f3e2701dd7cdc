"""What an office has to do by when, from its signed rules: to publish, to withdraw, to take down. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent.duty.publication_rules import CATEGORY, KIND_WORDS, PublicationRules, made_on, shown_until
from agent.errors import OperatorFault
from agent.wire.disclosures import Disclosure, DisclosureKind
from agent.wire.instant import BEIJING
from kiosk.beijing import day


class Task(StrEnum):
    """What is due, in words."""

    PUBLISH = "应公示"
    WITHDRAW = "应撤回"
    TAKE_DOWN = "公示期限届满，应撤下"
    RENEW = "将到期，应更新"
    FILE = "应报备案"
    RULES = "公示办法中没有此类"


@dataclass(frozen=True)
class Due:
    """One thing to do with the document `name`: entry `number` from 1 (0: all of it), by `by` (None: no date)."""

    name: str
    title: str
    number: int
    task: Task
    by: datetime | None

    def days_left(self, now: datetime) -> int | None:
        """Whole days until the end, negative when it has passed."""
        return None if self.by is None else (day(self.by) - day(now)).days

    def overdue(self, now: datetime) -> bool:
        """Whether its time has passed."""
        return self.by is not None and now >= self.by


def due_of_pending(document: Disclosure, rules: PublicationRules) -> Iterator[Due]:
    """What a document that is drafted or signed and not released asks for: its most urgent entry counts."""
    name = ".".join(document.key)
    if document.withdrawn is not None:
        # A tombstone has no entries that say of which 执法类别 it was: the shortest term of its kind counts.
        ends = [rules.withdraw_by(rule, document.issued_at) for rule in rules.rules if rule.kind is document.kind]
        yield Due(name, document.title, 0, Task.WITHDRAW if ends else Task.RULES, min(ends, default=None))
        return
    found = [_publish_by(document, number, rules) for number in range(1, len(document.entries) + 1)]
    dated = [(by, number) for number, by in enumerate(found, 1) if by is not None]
    if dated:
        by, number = min(dated)
        yield Due(name, document.title, number, Task.PUBLISH, by)
    elif document.kind in KIND_WORDS:
        yield Due(name, document.title, 0, Task.RULES, None)


def due_of_released(document: Disclosure, rules: PublicationRules, unfiled: datetime | None = None) -> Iterator[Due]:
    """What a document that is shown asks for: entries past their term, its own end, its filing. `unfiled` is when it
    was first released without one, its own date where nobody knows."""
    name = ".".join(document.key)
    if document.withdrawn is not None:
        return
    for number, end in _ends(document, rules):
        yield Due(name, document.title, number, Task.TAKE_DOWN, end)
    if document.effective_until is not None:
        yield Due(name, document.title, 0, Task.RENEW, document.effective_until)
    if to_be_filed(document):
        rule = rules.of(document.kind)
        by = None if rule is None else rules.file_by(rule, unfiled or document.issued_at)
        yield Due(name, document.title, 0, Task.FILE, by)


def to_be_filed(document: Disclosure) -> bool:
    """Whether a released document has still to be reported to the legal office (备案)."""
    return document.kind is DisclosureKind.ITEM_LIST and document.filing is None and document.withdrawn is None


def check_in_term(document: Disclosure, rules: PublicationRules, now: datetime) -> Disclosure:
    """Return `document` when no entry is past its term of publication; raises `OperatorFault` naming the first."""
    for number, end in _ends(document, rules):
        if now >= end:
            raise OperatorFault(f"第 {number} 条的公示期限已于 {day(end)} 届满，不应再公示。请删去该条后重新起草。")
    return document


def sorted_due(found: Iterable[Due], now: datetime, *, only_overdue: bool) -> list[Due]:
    """The most urgent first; what has no date last."""
    kept = [one for one in found if one.overdue(now) or not only_overdue]
    return sorted(kept, key=lambda one: (one.by is None, one.by or now, one.name, one.number))


def _publish_by(document: Disclosure, number: int, rules: PublicationRules) -> datetime | None:
    entry = document.entries[number - 1]
    rule = rules.of(document.kind, str(entry.get(CATEGORY) or ""))
    made = made_on(document.kind, number, entry)
    begins = document.issued_at if made is None else datetime(made.year, made.month, made.day, tzinfo=BEIJING)
    return None if rule is None else rules.publish_by(rule, begins)


def _ends(document: Disclosure, rules: PublicationRules) -> Iterator[tuple[int, datetime]]:
    for number, entry in enumerate(document.entries, 1):
        made = made_on(document.kind, number, entry)
        rule = rules.of(document.kind, str(entry.get(CATEGORY) or ""))
        end = None if made is None or rule is None else shown_until(rule, made)
        if end is not None:
            yield number, end
