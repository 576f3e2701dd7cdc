"""What a device's clocks can be trusted with: its battery-backed clock (RTC) and how the kernel's is disciplined.

The RTC is read from sysfs (Documentation/ABI/testing/sysfs-class-rtc), the kernel's discipline by adjtimex(2), which is
where chrony, systemd-timesyncd and ntpd all leave it: no daemon's own files are needed.
"""

import ctypes
from dataclasses import dataclass
from pathlib import Path

from firmware_hooks.power_and_heat import SYSFS

RTCS = "class/rtc"
STA_UNSYNC, TIME_ERROR = 0x0040, 5  # adjtimex(2)
LATEST_S = 253_402_300_800  # the year 10000; a chip that says more is broken


@dataclass(frozen=True)
class Rtc:
    """One battery-backed clock: its UTC as seconds since 1970, None when the chip cannot be read or has lost its time;
    whether the kernel set its own clock from it at boot."""

    name: str
    seconds: int | None
    set_kernel: bool


@dataclass(frozen=True)
class KernelClock:
    """How the kernel's clock is disciplined; errors in microseconds. `max_error_us` grows by itself (500 us/s) while
    nobody corrects it and means nothing when not `synchronised`."""

    synchronised: bool
    max_error_us: int
    estimated_error_us: int


def rtcs(sysfs: Path = SYSFS) -> list[Rtc]:
    """Every RTC that is there, in the order of their names; a Raspberry Pi before the fifth has none of its own."""
    try:
        places = sorted((sysfs / RTCS).iterdir())
    except OSError:
        return []
    return [Rtc(place.name, _seconds(place / "since_epoch"), _text(place / "hctosys") == "1") for place in places]


def kernel_clock() -> KernelClock | None:
    """The discipline of this machine's clock, None where the kernel refuses to say."""
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0:
        return None
    synchronised = state != TIME_ERROR and not timex.status & STA_UNSYNC
    return KernelClock(synchronised, timex.maxerror, timex.esterror)


def _seconds(place: Path) -> int | None:
    text = _text(place)
    try:
        value = int(text)
    except ValueError:
        return None
    return value if 0 < value < LATEST_S else None


def _text(place: Path) -> str:
    try:
        return place.read_text(encoding="ascii", errors="replace").strip()
    except OSError:  # a chip whose battery is empty answers EINVAL
        return ""


class _Timex(ctypes.Structure):
    """`struct timex`; only the leading fields are read, the rest is room for the kernel to write."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )
