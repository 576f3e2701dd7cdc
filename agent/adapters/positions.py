"""Where the device was, second by second, for fragments that were captured then: the pre-event ring's too."""

import threading
from bisect import bisect_left
from collections import deque
from dataclasses import replace
from itertools import islice

from agent.evidence.position import MAX_AGE_MS, Position
from agent.wire.instant import Instant

KEPT = 300  # ours: seconds at a fix a second; the pre-event ring is 120 s at most
MILLISECOND_NS = 1_000_000


class PositionLog:
    """The latest positions by monotonic time; one thread tells, another asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: deque[tuple[int, Position]] = deque(maxlen=KEPT)

    def tell(self, position: Position, measured: Instant) -> None:
        """The device was at `position`; moments come in order."""
        with self._lock:
            self._told.append((measured.monotonic_ns, position))

    def at(self, moment: Instant) -> Position | None:
        """The position measured nearest to `moment`, with its age; None when there is none within `MAX_AGE_MS`."""
        with self._lock:
            place = bisect_left(self._told, moment.monotonic_ns, key=lambda told: told[0])
            around = list(islice(self._told, max(0, place - 1), place + 1))
        ages = [((moment.monotonic_ns - at) // MILLISECOND_NS, position) for at, position in around]
        nearest = min(ages, key=lambda pair: abs(pair[0]), default=None)
        if nearest is None or abs(nearest[0]) > MAX_AGE_MS:
            return None
        return replace(nearest[1], age_ms=nearest[0])
