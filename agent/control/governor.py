"""What the device gives up when it grows hot or its battery empties: uploads first, then bit rate, recording last.

One table, with a distance between the value at which a thing is given up and the one at which it is taken back, and at
least a minute between two changes. The last step waits only until the sensor has said so for ten seconds: what is to be
saved then is the seal, and one wrong reading is no reason to end a recording.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

from agent.control.backoff import NANOSECONDS

SURE_NS = 10 * NANOSECONDS  # ours: two readings of every 5 s behind the first; an empty battery lasts longer
CHANGE_NS = 60 * NANOSECONDS  # reference/reliability.md, fault 25: at most one switch a minute


class Measure(IntEnum):
    """What has been given up, each with everything before it."""

    NONE = 0
    UPLOADS_PAUSED = 1
    BITRATE_LOWERED = 2
    RECORDING_STOPPED = 3


@dataclass(frozen=True)
class Rung:
    """`measure` holds from `hot_mc` (millidegrees Celsius) up until below `cool_mc`, and from `low_percent` of battery
    down until above `charged_percent` or on external power."""

    measure: Measure
    hot_mc: int
    cool_mc: int
    low_percent: int
    charged_percent: int


LADDER = (
    Rung(Measure.UPLOADS_PAUSED, 80_000, 75_000, 10, 15),  # faults 25 and 26: 80 and 85 degrees, 10 and 2 percent
    Rung(Measure.BITRATE_LOWERED, 85_000, 80_000, 5, 10),
    # Ours: ten degrees above the one at which a Pi throttles itself to its lowest clock.
    Rung(Measure.RECORDING_STOPPED, 95_000, 85_000, 2, 5),
)


@dataclass(frozen=True)
class Strain:
    """The last known values; None for what was never measured. A sensor that falls silent keeps its last value."""

    temperature_mc: int | None = None
    battery_percent: int | None = None
    charging: bool | None = None

    @property
    def battery_counts(self) -> bool:
        """Whether the device lives on its battery."""
        return self.battery_percent is not None and not self.charging


def decide(held: Measure, strain: Strain) -> Measure:
    """What is to be given up, when `held` is so far: a rung is entered at one value and left at another."""
    reached = [rung.measure for rung in LADDER if (_stays if rung.measure <= held else _enters)(rung, strain)]
    return max(reached, default=Measure.NONE)


def is_by_battery(before: Measure, held: Measure, strain: Strain) -> bool:
    """Whether the battery alone, at any temperature, would have led from `before` to `held`; else it is the heat."""
    return decide(before, replace(strain, temperature_mc=None)) >= held


class Governor:
    """Holds what is given up at the moment, and whether because of the battery or of the heat; `follow` once for every
    reading."""

    def __init__(self) -> None:
        self.held = Measure.NONE
        self.by_battery = False
        self._changed_ns: int | None = None
        self._last_since_ns: dict[str, int] = {}

    def follow(self, strain: Strain, told: Strain, now_ns: int) -> Measure:
        """What holds from now on. `told` is what of `strain` was measured just now: the last rung is only entered when
        readings of the same kind have asked for it in a row, for `SURE_NS`."""
        sure, wanted = self._is_sure(strain, told, now_ns), decide(self.held, strain)
        if wanted is Measure.RECORDING_STOPPED and wanted is not self.held and not sure:
            wanted = max(self.held, LADDER[-2].measure)
        waits = self._changed_ns is not None and now_ns - self._changed_ns < CHANGE_NS
        if wanted != self.held and (not waits or wanted is Measure.RECORDING_STOPPED):
            if wanted is not Measure.NONE:  # what was given up is taken back for the cause it had
                self.by_battery = is_by_battery(self.held, wanted, strain)
            self.held, self._changed_ns = wanted, now_ns
        return self.held

    def _is_sure(self, strain: Strain, told: Strain, now_ns: int) -> bool:
        single = {
            "heat": Strain(told.temperature_mc),
            "battery": Strain(None, told.battery_percent, strain.charging),
        }
        measured = {"heat": told.temperature_mc, "battery": told.battery_percent}
        for kind in [kind for kind, value in measured.items() if value is not None]:
            if _enters(LADDER[-1], single[kind]):
                self._last_since_ns.setdefault(kind, now_ns)
            else:
                self._last_since_ns.pop(kind, None)
        return any(
            now_ns - since_ns >= SURE_NS for kind, since_ns in self._last_since_ns.items() if measured[kind] is not None
        )


def _enters(rung: Rung, strain: Strain) -> bool:
    hot = strain.temperature_mc is not None and strain.temperature_mc >= rung.hot_mc
    return hot or (strain.battery_counts and (strain.battery_percent or 0) <= rung.low_percent)


def _stays(rung: Rung, strain: Strain) -> bool:
    hot = strain.temperature_mc is not None and strain.temperature_mc >= rung.cool_mc
    return hot or (strain.battery_counts and (strain.battery_percent or 0) <= rung.charged_percent)
