"""Virtual time: what happens, happens at a nanosecond of it, in an order that only the seed decides."""

import heapq
import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from agent.wire.instant import Instant, TimeState

Act = Callable[[], None]
SECOND_NS = 1_000_000_000


class PowerCut(BaseException):
    """The power of one machine goes, in the midst of what it does; no `except` of its own may hear of it."""


class World:
    """The agenda and the dice of one seed. `start` is the wall time at nanosecond 0."""

    def __init__(self, seed: int, start: datetime | None = None) -> None:
        self.dice = random.Random(seed)
        self.now_ns = 0
        self.start = start or datetime.now(UTC).replace(microsecond=0)
        self.steps = 0
        self._agenda: list[tuple[int, int, Act]] = []
        self._order = itertools.count()

    @property
    def wall(self) -> datetime:
        """The true time."""
        return self.start + timedelta(microseconds=self.now_ns // 1000)

    def after(self, seconds: float, act: Act) -> int:
        """Do `act` so much later; returns the nanosecond of it."""
        return self.at(self.now_ns + int(seconds * SECOND_NS), act)

    def at(self, moment_ns: int, act: Act) -> int:
        """Do `act` at a moment that is not past."""
        heapq.heappush(self._agenda, (max(moment_ns, self.now_ns), next(self._order), act))
        return moment_ns

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end_ns = self.now_ns + int(seconds * SECOND_NS)
        while self._agenda and self._agenda[0][0] <= end_ns:
            self.now_ns, _, act = heapq.heappop(self._agenda)
            self.steps += 1
            act()
        self.now_ns = end_ns

    def chance(self, probability: float) -> bool:
        """Whether it happens this time."""
        return self.dice.random() < probability

    def some(self, least: float, most: float) -> float:
        """A number between these."""
        return self.dice.uniform(least, most)


class SimClock:
    """The clock of one machine: wrong by `offset`, unknown after a boot without a network where it has no battery."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.offset = timedelta()
        self.state, self.error_ms = TimeState.NTP, 10
        self._booted_ns, self._boot = 0, ""
        self.boot()

    def boot(self) -> None:
        """Begin to count anew."""
        self._booted_ns = self._world.now_ns - SECOND_NS
        self._boot = f"0b{self._world.dice.getrandbits(48):012x}"

    def read(self) -> Instant:
        """The moment now, as this machine has it."""
        world = self._world
        wall = world.wall + self.offset
        error_ms = self.error_ms if self.state is TimeState.NTP else None
        return Instant(wall, world.now_ns - self._booted_ns, self._boot, self.state, error_ms)

    def world_ns(self, monotonic_ns: int) -> int:
        """The moment of the world at which this clock shows that."""
        return monotonic_ns + self._booted_ns
