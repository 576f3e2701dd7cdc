"""What a device's battery-backed clock (RTC) can be trusted with, from sysfs
(Documentation/ABI/testing/sysfs-class-rtc)."""

from dataclasses import dataclass
from pathlib import Path

from firmware_hooks.power_and_heat import SYSFS

RTCS = "class/rtc"
LATEST_S = 253_402_300_800  # the year 10000; a chip that says more is broken


@dataclass(frozen=True)
class Rtc:
    """One battery-backed clock: its UTC as seconds since 1970, None when the chip cannot be read or has lost its time;
    whether the kernel set its own clock from it at boot."""

    name: str
    seconds: int | None
    set_kernel: bool


def rtcs(sysfs: Path = SYSFS) -> list[Rtc]:
    """Every RTC that is there, in the order of their names; a Raspberry Pi before the fifth has none of its own."""
    try:
        places = sorted((sysfs / RTCS).iterdir())
    except OSError:
        return []
    return [Rtc(place.name, _seconds(place / "since_epoch"), _text(place / "hctosys") == "1") for place in places]


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
