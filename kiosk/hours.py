"""When the hall is open: `1-5 09:00-12:00, 1-5 13:30-17:00` and the days it is closed. Pure; Beijing time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from agent.errors import OperatorFault
from agent.wire.instant import BEIJING

SPAN = re.compile(r"([1-7])(?:-([1-7]))? ([0-2]\d:[0-5]\d)-([0-2]\d:[0-5]\d)")
LOOK_AHEAD_DAYS = 31  # ours: longer than any holiday


@dataclass(frozen=True)
class Span:
    """From `opens` to `closes` on the ISO weekdays `first` to `last` (1 is Monday)."""

    first: int
    last: int
    opens: time
    closes: time


@dataclass(frozen=True)
class Hours:
    """No spans: always open. `closed` are whole days."""

    spans: tuple[Span, ...] = ()
    closed: frozenset[date] = frozenset()

    def is_open(self, now: datetime) -> bool:
        """Whether the hall serves at `now`."""
        local = now.astimezone(BEIJING)
        return not self.spans or any(opens <= local < closes for opens, closes in self._on(local.date()))

    def next_opening(self, now: datetime) -> datetime | None:
        """When it opens next; None when that is more than `LOOK_AHEAD_DAYS` away."""
        local = now.astimezone(BEIJING)
        days = (local.date() + timedelta(days=ahead) for ahead in range(LOOK_AHEAD_DAYS))
        return min((opens for day in days for opens, _ in self._on(day) if opens > local), default=None)

    def _on(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        if day in self.closed:
            return
        for span in self.spans:
            if span.first <= day.isoweekday() <= span.last:
                yield (
                    datetime.combine(day, span.opens, tzinfo=BEIJING),
                    datetime.combine(day, span.closes, tzinfo=BEIJING),
                )


def parse_hours(spans: str, closed: str) -> Hours:
    """Hours from the texts of `kiosk.toml`, both may be empty; raises `OperatorFault`."""
    days = frozenset(_day(text) for text in closed.replace(",", " ").split())
    return Hours(tuple(_span(text.strip()) for text in spans.split(",") if text.strip()), days)


def _span(text: str) -> Span:
    found = SPAN.fullmatch(text)
    try:
        if found is not None:
            opens, closes = time.fromisoformat(found[3]), time.fromisoformat(found[4])
            span = Span(int(found[1]), int(found[2] or found[1]), opens, closes)
            if span.first <= span.last and opens < closes:
                return span
    except ValueError:
        pass
    raise OperatorFault(f"kiosk.toml：开放时间“{text[:40]}”不对，应写作 1-5 09:00-12:00（周一至周五）。请改正 hours。")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise OperatorFault(f"kiosk.toml：日期“{text[:40]}”不对，应写作 2026-10-01。请改正 closed_days。") from error
