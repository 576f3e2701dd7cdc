"""When the browser on the screen has to be started again. (what is known, now) -> reason or None. Pure.

A browser whose renderer died, hangs, or lies under a foreign window is a running process: only what was painted, and
what the compositor really shows, says whether the board is there (reference/kiosk.md 2.2, 2.3).
"""

from dataclasses import dataclass
from datetime import date, datetime, time

from agent.wire.instant import BEIJING

PAINT_SILENCE_S = 9.0  # ours: pages tell every 4 s; with a look each second and a start of 2 s the board is back in 15
UNMATCHED_S = 6.0  # ours: the stamp was not in the pixels for so long, though the page was painted
START_S = 30.0  # ours: a slow card's first start of a browser
AWAY_S = 15.0  # ours: a restart of the server takes less; longer, and nobody knows what the page still shows
UNANSWERED_S = 6.0  # ours: a busy machine misses an answer or two; a browser without a board shows its own error
NIGHTLY = time(3, 30)  # nobody is in the hall; browsers leak (reference/kiosk.md 2.2: 24 MB a day)
BACK_OFF_S = (0.0, 2.0, 5.0, 15.0, 30.0)  # between starts that failed one after the other


@dataclass(frozen=True)
class Seen:
    """What is known of the screen: seconds since the browser's start and since the last painted page (None: not yet),
    how long the stamp has been missing from the pixels (0: it is there, or nobody can look), its memory in bytes."""

    running_s: float
    painted_s: float | None
    unmatched_s: float
    memory: int
    alive: bool = True


@dataclass(frozen=True)
class Limits:
    """`memory` is the ceiling of the browser and its children in bytes."""

    memory: int
    paint_silence_s: float = PAINT_SILENCE_S
    unmatched_s: float = UNMATCHED_S
    start_s: float = START_S


def restart_reason(seen: Seen, limits: Limits, now: datetime, started_on: date) -> str | None:
    """Why the browser is started again now; None when all is well. `started_on` is the night it last began."""
    if not seen.alive:
        return "exited"
    if seen.memory > limits.memory:
        return "memory"
    if seen.painted_s is None:
        return "never-painted" if seen.running_s > limits.start_s else None
    if seen.painted_s > limits.paint_silence_s:
        return "not-painting"
    if seen.unmatched_s > limits.unmatched_s:
        return "foreign-surface"
    return "nightly" if night_of(now) > started_on else None


def away_reason(silent_s: float, *, alive: bool, painted: bool, away: bool) -> str | None:
    """Why our own page is to be shown now, `silent_s` after the server's last answer; None when what is there may stay:
    a board that was `painted` and says itself that it waits, or our own page (`away`)."""
    if not alive:
        return "exited"
    patience_s = AWAY_S if painted else UNANSWERED_S
    return None if away or silent_s <= patience_s else "server-away"


def night_of(now: datetime) -> date:
    """The day whose nightly restart was the last one due at `now`."""
    local = now.astimezone(BEIJING)
    return date.fromordinal(local.date().toordinal() - (local.time() < NIGHTLY))


def pause_s(failures: int) -> float:
    """Seconds to wait before a start after `failures` starts in a row that painted nothing."""
    return BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
