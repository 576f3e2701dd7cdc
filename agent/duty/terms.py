"""The length of a time limit as the law writes it: hours from the minute, days, or working days.

Hours run from the moment on. Days and working days begin on the day after and end with the last one, at 24:00 in
Beijing. Which a limit has is the law's word: the seven days of 行政处罚法 article 56 are working days by its article
85 (二日、三日、五日、七日), as are terms of ten days and less in 行政强制法 (article 69); its 24 hours are hours.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from agent.duty.working_days import MAX_DAYS, WorkCalendar
from agent.errors import SenderFault
from agent.wire.instant import BEIJING

HOURS_A_DAY = 24
MAX_HOURS = 24 * MAX_DAYS  # ours
_TERM = re.compile(r"(\d{1,4}) ?(小时|个?工作日|日|天)(?:内|以内)?")


class Unit(StrEnum):
    """What is counted."""

    HOURS = "小时"
    DAYS = "日"
    WORKING_DAYS = "工作日"


_UNITS = {unit.value: unit for unit in Unit} | {"天": Unit.DAYS, "个工作日": Unit.WORKING_DAYS}


@dataclass(frozen=True)
class Term:
    """`count` hours, days or working days."""

    count: int
    unit: Unit

    @property
    def text(self) -> str:
        """In words; `parse_term` reads them again."""
        return f"{self.count}{'个' if self.unit is Unit.WORKING_DAYS else ''}{self.unit}"

    @property
    def hours(self) -> int | None:
        """As a number of hours; None for working days, which only a calendar can tell."""
        factor = {Unit.HOURS: 1, Unit.DAYS: HOURS_A_DAY}.get(self.unit)
        return None if factor is None else factor * self.count

    def due(self, begins: datetime, calendar: WorkCalendar) -> datetime:
        """When it is over that began at `begins`."""
        if self.unit is Unit.HOURS:
            return begins + timedelta(hours=self.count)
        if self.unit is Unit.WORKING_DAYS:
            return calendar.due(begins, self.count)
        day = begins.astimezone(BEIJING).date() + timedelta(days=self.count + 1)
        return datetime.combine(day, time(), BEIJING)

    def looser_than(self, other: "Term") -> bool:
        """Whether this one may let more time pass than `other`: where only a calendar could tell, it may."""
        own, least = (self.count * (1 if self.unit is Unit.HOURS else HOURS_A_DAY) for self in (self, other))
        if self.unit is Unit.WORKING_DAYS and other.unit is not Unit.WORKING_DAYS:
            return own >= least
        return own > least


def parse_term(text: str, where: str) -> Term:
    """The term that `text` says, such as 24小时 or 7个工作日; raises `SenderFault` naming `where`."""
    found = _TERM.fullmatch(text.strip())
    count = int(found[1]) if found else 0
    most = MAX_HOURS if found and found[2] == "小时" else MAX_DAYS
    if found is None or not 1 <= count <= most:
        raise SenderFault(f"{where}是“{text[:20]}”，应形如 24小时、7日 或 7个工作日，请改正。")
    return Term(count, _UNITS[found[2]])
