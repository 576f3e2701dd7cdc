"""Working days (工作日): not Saturday, Sunday or a public holiday, but a weekend day that is worked in exchange (调休).
The day on which a term begins is not counted (行政处罚法 article 85)."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from agent.wire.instant import BEIJING

SATURDAY = 5
MAX_DAYS = 250  # ours; a year has about as many


@dataclass(frozen=True)
class WorkCalendar:
    """Public holidays that are not on a weekend's own, and weekend days that are worked."""

    holidays: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()

    def works(self, day: date) -> bool:
        """Whether `day` is a working day."""
        return day in self.worked or (day.weekday() < SATURDAY and day not in self.holidays)

    def due(self, begins: datetime, days: int) -> datetime:
        """The end of the last of `days` working days after the day of `begins`, in Beijing; `days` up to `MAX_DAYS`."""
        day, left = begins.astimezone(BEIJING).date(), min(days, MAX_DAYS)
        while left > 0:
            day += timedelta(days=1)
            left -= self.works(day)
        return datetime.combine(day + timedelta(days=1), time(), BEIJING)

    def count(self, begins: datetime, ends: datetime) -> int:
        """Working days that began after the day of `begins`, up to and with the day of `ends`."""
        first, last = begins.astimezone(BEIJING).date(), ends.astimezone(BEIJING).date()
        return sum(self.works(first + timedelta(days=after)) for after in range(1, (last - first).days + 1))
