"""What a display log proves: from when to when each page was on the screen, and where the clock jumped. Pure.

A page counts as shown from the line that says so to the last moment at which the browser said that it was still
painted. Another page that was painted while the one before was fresh follows without a gap. After a start, a restart
of the browser or silence nothing is known until the next page was painted: a power cut, a dead browser and a killed
server leave no claim. Order is that of the lines; a span's length is that of the monotonic clock, its times those of
the wall clock at its beginning.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from kiosk.display_record import Line, What

BEAT_EVERY_S = 300  # ours: a line at least so often while the page stays the same: some 130 KB a day
SILENCE_S = 15  # ours: pages tell every 4 s that they are painted
FRESH_MS = 1000 * (BEAT_EVERY_S + SILENCE_S)  # so long after its last beat a page may still have been there
JUMP = timedelta(seconds=60)  # ours: NTP slews what is less


@dataclass(frozen=True)
class Span:
    """One page on the screen: `line` says which, `until` the last moment at which it is known to have been there;
    `followed`: another took its place then; otherwise nobody knows what came after. `pixels` is the last look at the
    screen that was about this page, `last` the number of the last line about it."""

    line: Line
    until: datetime
    followed: bool = False
    pixels: Line | None = None
    last: int = 0

    def covers(self, moment: datetime) -> bool:
        """Whether it is known to have been there at `moment`."""
        return self.line.at <= moment and (moment < self.until or (moment == self.until and not self.followed))


@dataclass(frozen=True)
class Jump:
    """Before line `number` the wall clock was set by `by` against the one that nobody sets; over a restart, at least
    by so much."""

    number: int
    by: timedelta


@dataclass(frozen=True)
class Shown:
    """What is known of a moment: the spans that cover it, more than one where the clock was set back; if none, the
    nearest before and after it; and the clock's jumps about them."""

    spans: tuple[Span, ...]
    before: Span | None = None
    after: Span | None = None
    jumps: tuple[Jump, ...] = ()


@dataclass
class _Open:
    """The page that is on the screen while the lines are read."""

    line: Line
    beat_ms: int
    pixels: Line | None = None
    last: int = 0

    def span(self, followed_at_ms: int | None = None) -> Span:
        end_ms = self.beat_ms if followed_at_ms is None else followed_at_ms
        until = self.line.at + timedelta(milliseconds=end_ms - self.line.monotonic_ms)
        return Span(self.line, until, followed_at_ms is not None, self.pixels, self.last)


def spans(lines: Sequence[Line]) -> Iterator[Span]:
    """The spans of a verified log, in the order of its lines."""
    page: _Open | None = None
    for line in lines:
        if page is not None:
            over = _over(page, line)
            if over is not None:
                yield over
                page = None
        if line.what is What.SHOWN:
            page = _Open(line, line.monotonic_ms, last=line.number)
    if page is not None:
        yield page.span()


def _over(page: _Open, line: Line) -> Span | None:
    """The span of `page` when `line` ends it; else what the line adds to it is kept."""
    match line.what:
        case What.PAINTED if int(line.facts["lastms"]) - page.beat_ms <= FRESH_MS:
            page.beat_ms, page.last = int(line.facts["lastms"]), line.number
            return page.span() if line.monotonic_ms - page.beat_ms > 1000 * SILENCE_S else None
        case What.PIXELS:
            if line.facts.get("tag") == page.line.facts.get("tag"):
                page.pixels, page.last = line, line.number
            return None
        case What.SHOWN if line.boot == page.line.boot and 0 <= line.monotonic_ms - page.beat_ms <= FRESH_MS:
            return page.span(line.monotonic_ms)
    return page.span()


def jumps(lines: Sequence[Line]) -> Iterator[Jump]:
    """Where the wall clock went otherwise than the monotonic one, or back over a restart."""
    for before, line in pairwise(lines):
        passed = timedelta(milliseconds=line.monotonic_ms - before.monotonic_ms)
        by = line.at - before.at - (passed if line.boot == before.boot else timedelta())
        if by < -JUMP or (by > JUMP and line.boot == before.boot):
            yield Jump(line.number, by)


def shown_at(lines: Sequence[Line], moment: datetime) -> Shown:
    """What was shown at `moment`, by the clock of then."""
    every = list(spans(lines))
    found = tuple(one for one in every if one.covers(moment))
    if found:
        first, last = found[0].line.number, found[-1].last + 1
        return Shown(found, jumps=tuple(jump for jump in jumps(lines) if first < jump.number <= last))
    before = next((one for one in reversed(every) if one.until <= moment), None)
    after = next((one for one in every if one.line.at > moment), None)
    return Shown((), before, after, tuple(jumps(lines)))
