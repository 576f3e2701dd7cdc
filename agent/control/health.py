"""Readings of the device's own state: how they arrive, and when one is put down in the health trail."""

from dataclasses import dataclass
from enum import StrEnum

from agent.control.backoff import NANOSECONDS
from agent.control.governor import Measure, Strain
from agent.evidence.health import HealthReading
from agent.wire.instant import Instant, TimeState

INTERVAL_NS = 300 * NANOSECONDS  # ours: twelve readings an hour
CHANGE_NS = 60 * NANOSECONDS  # ours: what swings around a limit is told once a minute at most
BATTERY_STEP = 10  # percent
HEAT_STEP_MC, HEAT_FROM_MC = 5_000, 60_000  # ours: below it a degree more or less says nothing
MIB = 2**20


class Why(StrEnum):
    """What made a reading be put down."""

    START = "start"
    INTERVAL = "interval"
    CHANGE = "change"
    END = "end"


@dataclass(frozen=True)
class HealthRead:
    """Sensors were read. None for what this source does not measure or could not read just now; percent, millidegrees
    Celsius, bytes."""

    at: Instant
    battery_percent: int | None = None
    charging: bool | None = None
    temperature_mc: int | None = None
    free_bytes: int | None = None


class HealthTrail:
    """Merges readings of several sources and says when one is due; counts interruptions and faults."""

    def __init__(self) -> None:
        self._last = Strain()
        self._free_bytes: int | None = None
        self._put_ns: int | None = None
        self._told: tuple[object, ...] = ()
        self.gaps = self.faults = 0
        self.intervals = 1

    @property
    def strain(self) -> Strain:
        """What the governor decides by."""
        return self._last

    def take(self, event: HealthRead) -> None:
        """Remember what was measured."""
        last = self._last
        self._last = Strain(
            last.temperature_mc if event.temperature_mc is None else event.temperature_mc,
            last.battery_percent if event.battery_percent is None else event.battery_percent,
            last.charging if event.charging is None else event.charging,
        )
        self._free_bytes = self._free_bytes if event.free_bytes is None else event.free_bytes

    def due(self, measure: Measure, now: Instant) -> Why | None:
        """Why a reading is to be put down now; None when it is not."""
        if self._put_ns is None:
            return Why.START
        since_ns = now.monotonic_ns - self._put_ns
        if since_ns >= INTERVAL_NS * self.intervals:
            return Why.INTERVAL
        marks = self._marks(measure, now.state)
        urgent = bool(self._told) and marks[0] != self._told[0]
        return Why.CHANGE if urgent or (marks != self._told and since_ns >= CHANGE_NS) else None

    def put(self, why: Why, measure: Measure, now: Instant) -> HealthReading:
        """The reading that is put down now."""
        self._put_ns, self._told = now.monotonic_ns, self._marks(measure, now.state)
        last = self._last
        free_mib = None if self._free_bytes is None else self._free_bytes // MIB
        return HealthReading(
            why.value,
            now.state,
            self.gaps,
            self.faults,
            int(measure),
            last.battery_percent,
            last.charging,
            last.temperature_mc,
            free_mib,
        )

    def _marks(self, measure: Measure, clock: TimeState) -> tuple[object, ...]:
        """What counts as a change when one of these does; the first at once."""
        battery, heat = self._last.battery_percent, self._last.temperature_mc
        steps = None if battery is None else battery // BATTERY_STEP
        degrees = None if heat is None else max(heat, HEAT_FROM_MC) // HEAT_STEP_MC
        return measure, self._last.charging, steps, degrees, clock, self.gaps, self.faults
