"""Feeds systemd's watchdog, and only while all three make progress: the loop, the database, and what is recorded.

The loop calls `feed` at every turn, so a loop that is dead feeds nothing. The unit's `WatchdogSec` is what is left to
a part to recover by itself before everything is started again.
"""

import logging
from collections.abc import Callable

from agent.clock import Clock
from agent.systemd_notify import ALIVE, SystemdNotify
from agent.wire.instant import Instant

FEED_NS = 10**9  # ours: often enough for a WatchdogSec of a few seconds

logger = logging.getLogger(__name__)


class Watchdog:
    """`frames` and `database` say whether they progress; belongs to the loop's thread."""

    def __init__(
        self, systemd: SystemdNotify, clock: Clock, frames: Callable[[Instant], bool], database: Callable[[], bool]
    ) -> None:
        self._systemd, self._clock, self._frames, self._database = systemd, clock, frames, database
        self._next_ns: int | None = None
        self._stalled = ""

    def feed(self) -> None:
        """Tell systemd that everything is alive, unless something is not; once a second at most."""
        now = self._clock.read()
        if self._next_ns is not None and now.monotonic_ns < self._next_ns:
            return
        self._next_ns = now.monotonic_ns + FEED_NS
        stalled = "frames" if not self._frames(now) else "database" if not self._database() else ""
        if stalled != self._stalled:
            logger.warning("watchdog: %s", f"{stalled} stands still, not fed" if stalled else "fed again")
        self._stalled = stalled
        if not stalled:
            self._systemd.tell(ALIVE)
