"""How lamps flash and buzzers sound: cycles of on and off, pure. Times in milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass

from firmware_hooks.frames import Colour, Pattern, Pulse

MILLISECOND_NS = 1_000_000
Cycle = tuple[tuple[bool, int], ...]

LIGHTS: Mapping[Pattern, Cycle] = {
    Pattern.STEADY: ((True, 0),),
    Pattern.SLOW: ((True, 1000), (False, 1000)),
    Pattern.FAST: ((True, 200), (False, 200)),
    Pattern.DOUBLE: ((True, 150), (False, 150), (True, 150), (False, 1050)),
}
PULSES: Mapping[Pulse, Cycle] = {
    Pulse.NONE: (),
    Pulse.SHORT: ((True, 120),),
    Pulse.TWICE: ((True, 120), (False, 120), (True, 120)),
    Pulse.LONG: ((True, 600),),
    Pulse.ALARM: ((True, 150), (False, 100)) * 4,
}
LAMPS: Mapping[Colour, tuple[bool, bool]] = {
    Colour.OFF: (False, False),
    Colour.GREEN: (False, True),
    Colour.YELLOW: (True, True),
    Colour.RED: (True, False),
}
"""Which of a red and a green lamp burn; together they are yellow."""


@dataclass(frozen=True)
class Playing:
    """A cycle that began at `since_ns`, played once or for ever. Monotonic nanoseconds."""

    cycle: Cycle
    since_ns: int
    endless: bool = False

    def level(self, now_ns: int) -> tuple[bool, int | None]:
        """Whether it is on now, and when that changes (None: never)."""
        whole = sum(length for _, length in self.cycle) * MILLISECOND_NS
        if not whole:
            return (bool(self.cycle) and self.cycle[0][0], None)
        passed = now_ns - self.since_ns
        if passed >= whole and not self.endless:
            return False, None
        change_ns = now_ns - passed % whole
        for on, length in self.cycle:
            change_ns += length * MILLISECOND_NS
            if change_ns > now_ns:
                return on, change_ns
        return False, None
