"""The clocks of the machine, behind one protocol: wall time with its trust state, and time since boot.

Nothing here sets a clock. `GuidedClock` knows better than the system what time it is once a GNSS receiver or NTP has
told; how far it may be wrong is told with every moment.
"""

import ctypes
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from agent.wire.instant import Instant, TimeState

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
STA_UNSYNC = 0x0040  # adjtimex(2): the kernel clock is not disciplined
GNSS_ERROR_MS = 1000  # ours: a receiver's sentence of a second is heard before that second is over
ASK_NS = 100_000_000  # ours: the kernel disciplines its clock at most once a second, and asking costs four readings
STEP_NS = 1_000_000  # ours: a wall clock that moved so far against the other was set, and its state is asked at once
GNSS_FRESH_NS = 5_000_000_000  # ours: receivers tell once a second
DRIFT_PPM = 100  # ours: three times the 3 s a day that GA/T 947 is reported to allow (reference: domain, section 1.5)


class Clock(Protocol):
    """Tells the moment; simulators in tests step it by hand."""

    def read(self) -> Instant:
        """The moment now."""


class SystemClock:
    """The kernel's clocks. The state is NTP when the kernel says that its clock is disciplined, else UNSET; it is asked
    again after `ASK_NS`, and whenever the wall clock was set."""

    def __init__(self, boot: str) -> None:
        self._boot = boot
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._told: tuple[int, int, TimeState, int | None] | None = None

    def read(self) -> Instant:
        """The moment now; `error_ms` is the kernel's own maximum error."""
        passed_ns, apart_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME), self._apart_ns()
        told = self._told
        if told is None or passed_ns - told[0] > ASK_NS or abs(apart_ns - told[1]) > STEP_NS:
            told = self._told = passed_ns, apart_ns, *self._discipline()
        return Instant(datetime.now(UTC), passed_ns, self._boot, told[2], told[3])

    def _apart_ns(self) -> int:
        """How far the wall clock is from one that nobody sets."""
        return time.time_ns() - time.monotonic_ns()

    def _discipline(self) -> tuple[TimeState, int | None]:
        timex = _Timex()
        if self._libc.adjtimex(ctypes.byref(timex)) < 0 or timex.status & STA_UNSYNC:
            return TimeState.UNSET, None
        return TimeState.NTP, -(-timex.maxerror // 1000)


@dataclass(frozen=True)
class _Anchor:
    """The last moment at which the time was known."""

    at: Instant
    from_gnss: bool

    def carried_to(self, now: Instant) -> Instant:
        """This moment, and what has passed since by the monotonic clock; less certain the longer ago it was."""
        passed_ns = now.monotonic_ns - self.at.monotonic_ns
        fresh = self.from_gnss and passed_ns <= GNSS_FRESH_NS
        error_ms = (self.at.error_ms or 0) + -(-max(0, passed_ns) * DRIFT_PPM // 10**12)
        state = TimeState.GNSS if fresh else TimeState.HOLDOVER
        return Instant(
            self.at.wall + timedelta(microseconds=passed_ns // 1000), now.monotonic_ns, now.boot, state, error_ms
        )


class GuidedClock:
    """A clock that takes the time from whoever knows it best: NTP through the system's clock, or a GNSS receiver
    through `guide`, whichever is bound more tightly; holdover once neither tells. Any thread reads, one guides."""

    def __init__(self, system: Clock) -> None:
        self._system = system
        self._anchor: _Anchor | None = None

    def read(self) -> Instant:
        """The moment now."""
        now, anchor = self._system.read(), self._anchor
        carried = None if anchor is None else anchor.carried_to(now)
        if now.state is TimeState.UNSET:
            return carried or now
        if carried is None or _bound(now) <= _bound(carried):
            self._anchor = _Anchor(now, from_gnss=False)
            return now
        return carried

    def guide(self, utc: datetime, heard: Instant) -> timedelta | None:
        """A receiver told, at the moment `heard` of this clock, that it is `utc`. Returns how far it is from NTP when
        that is more than both admit, for then one of them lies; None when they agree or there is no NTP."""
        before = self._system.read()
        self._offer(Instant(utc, heard.monotonic_ns, heard.boot, TimeState.GNSS, GNSS_ERROR_MS))
        if before.state is TimeState.UNSET:
            return None
        apart = utc - before.wall + timedelta(microseconds=(before.monotonic_ns - heard.monotonic_ns) // 1000)
        allowed = timedelta(milliseconds=GNSS_ERROR_MS + _bound(before))
        return apart if abs(apart) > allowed else None

    def _offer(self, told: Instant) -> None:
        anchor = self._anchor
        if anchor is None or anchor.from_gnss or _bound(anchor.carried_to(told)) >= GNSS_ERROR_MS:
            self._anchor = _Anchor(told, from_gnss=True)


def _bound(moment: Instant) -> float:
    return float("inf") if moment.error_ms is None else moment.error_ms


def system_clock() -> SystemClock:
    """The clock of this boot."""
    return SystemClock(BOOT_ID.read_text(encoding="ascii").strip())


class _Timex(ctypes.Structure):
    """`struct timex` of adjtimex(2); only the leading fields are read, the rest is room for the kernel to write."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )
