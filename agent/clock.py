"""The clocks of the machine, behind one protocol: wall time with its trust state, and time since boot."""

import ctypes
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from agent.wire.instant import Instant, TimeState

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
STA_UNSYNC = 0x0040  # adjtimex(2): the kernel clock is not disciplined


class Clock(Protocol):
    """Tells the moment; simulators in tests step it by hand."""

    def read(self) -> Instant:
        """The moment now."""


class SystemClock:
    """The kernel's clocks. The state is NTP when the kernel says that its clock is disciplined, else UNSET."""

    def __init__(self, boot: str) -> None:
        self._boot = boot
        self._libc = ctypes.CDLL(None, use_errno=True)

    def read(self) -> Instant:
        """The moment now; `error_ms` is the kernel's own maximum error."""
        state, error_ms = self._discipline()
        return Instant(datetime.now(UTC), time.clock_gettime_ns(time.CLOCK_BOOTTIME), self._boot, state, error_ms)

    def _discipline(self) -> tuple[TimeState, int | None]:
        timex = _Timex()
        if self._libc.adjtimex(ctypes.byref(timex)) < 0 or timex.status & STA_UNSYNC:
            return TimeState.UNSET, None
        return TimeState.NTP, -(-timex.maxerror // 1000)


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
