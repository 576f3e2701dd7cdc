"""A moment as a device knows it. Order comes from boot and monotonic time; wall time is an annotation with a trust
state and an error bound (DESIGN section 6)."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum

BEIJING = timezone(timedelta(hours=8), "北京时间")  # the one legal time in all of China, in which people are told times


class TimeState(StrEnum):
    """Where the wall clock got its time and so how far it may be believed."""

    GNSS = "gnss"
    NTP = "ntp"
    HOLDOVER = "holdover"
    UNSET = "unset"

    @property
    def chinese(self) -> str:
        """The state as people are told it."""
        return _CHINESE[self]


_CHINESE = {
    TimeState.GNSS: "卫星校时",
    TimeState.NTP: "网络校时",
    TimeState.HOLDOVER: "守时",
    TimeState.UNSET: "时间未校准",
}


@dataclass(frozen=True)
class Instant:
    """`wall` is aware UTC; `monotonic_ns` counts since boot `boot` (CLOCK_BOOTTIME); `error_ms` bounds how wrong
    `wall` may be, None where nobody knows."""

    wall: datetime
    monotonic_ns: int
    boot: str
    state: TimeState
    error_ms: int | None
