"""How long a record is kept (存储期限): classes as published lists write them, and which of two is the longer.

永久 · 同案卷保留期限 · 30年 · 6个月. The measure of the police rule is six months at least, and for ever for evidence
(reference/domain.md 1.3). Where it is not certain that one class is as long as the other it counts as shorter.
"""

import calendar
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent.errors import SenderFault

MONTHS_A_YEAR = 12
MAX_YEARS = 200  # ours: longer is for ever
_NUMERALS = {word: number for number, word in enumerate("一二三四五六七八九", 1)} | {"两": 2}
_TERM = re.compile(
    r"(?:定期|不少于|至少|保存)?(\d{1,4}|半|[一二两三四五六七八九]?十?[一二三四五六七八九]?)(年|个?月)(?:以上)?"
)
_WITH_FILE = re.compile(r"[同随与按](?:执法)?案卷(?:的)?(?:保留|保存|保管|存储|归档)?(?:期限)?(?:相同|一致|保存|保管)?")
_UNIT = {"年": MONTHS_A_YEAR}


class RetentionKind(StrEnum):
    """What ends the keeping."""

    PERMANENT = "永久"
    CASE_FILE = "同案卷保留期限"
    TERM = "定期"


@dataclass(frozen=True)
class Retention:
    """A class. `months` is the whole term, or the least one of a case file's (0: none is known), 0 for ever."""

    kind: RetentionKind
    months: int = 0

    @property
    def text(self) -> str:
        """The class in the words of the lists; `parse_retention` reads them again."""
        if not self.months:
            return self.kind.value
        years, rest = divmod(self.months, MONTHS_A_YEAR)
        term = f"{self.months}个月" if rest else f"{years}年"
        return term if self.kind is RetentionKind.TERM else f"{self.kind.value}，不少于{term}"

    def ends(self, begins: datetime) -> datetime | None:
        """When a record that was closed at `begins` may go; None when never, or not before its case file's end is
        known."""
        return _later(begins, self.months) if self.kind is RetentionKind.TERM else None


PERMANENT = Retention(RetentionKind.PERMANENT)
CASE_FILE = Retention(RetentionKind.CASE_FILE)


def parse_retention(text: str, where: str = "存储期限") -> Retention:
    """The class that `text` says; raises `SenderFault` naming `where` for words that say no single class."""
    plain = re.sub(r"\s", "", text)
    if plain in ("永久", "永久保存", "永久保管"):
        return PERMANENT
    file, _, least = plain.partition("，")
    if _WITH_FILE.fullmatch(file):
        return Retention(RetentionKind.CASE_FILE, _months(least, where) if least else 0)
    return Retention(RetentionKind.TERM, _months(plain, where))


def longest(classes: Iterable[Retention]) -> Retention | None:
    """The class that satisfies all of them; None of none. A case file's term is unknown: a known one beside it becomes
    the least."""
    found = list(classes)
    if not found:
        return None
    if any(one.kind is RetentionKind.PERMANENT for one in found):
        return PERMANENT
    kinds = {one.kind for one in found}
    kind = RetentionKind.CASE_FILE if RetentionKind.CASE_FILE in kinds else RetentionKind.TERM
    return Retention(kind, max(one.months for one in found))


def shortens(old: Retention, new: Retention) -> bool:
    """Whether a record might be gone earlier under `new`: such a change needs a second person."""
    if new.kind is RetentionKind.PERMANENT:
        return False
    if old.kind is RetentionKind.PERMANENT or (old.kind is RetentionKind.CASE_FILE and new.kind is RetentionKind.TERM):
        return True
    return new.months < old.months


def _months(text: str, where: str) -> int:
    found = _TERM.fullmatch(text)
    number = _number(found[1]) if found else 0
    if found is not None and found[1] == "半" and found[2] == "年":
        return MONTHS_A_YEAR // 2
    months = number * _UNIT.get(found[2], 1) if found else 0
    if not 0 < months <= MAX_YEARS * MONTHS_A_YEAR:
        raise SenderFault(f"{where}是“{text[:40]}”，应为永久、同案卷保留期限，或如 30年、6个月，请改正。")
    return months


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    tens, ten, ones = text.partition("十")
    if not ten:
        return _NUMERALS.get(tens, 0)
    return 10 * _NUMERALS.get(tens, 1) + _NUMERALS.get(ones, 0)


def _later(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * MONTHS_A_YEAR + moment.month - 1 + months, MONTHS_A_YEAR)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
