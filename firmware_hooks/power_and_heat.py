"""What Linux tells of batteries, chargers and heat: files below a sysfs root, read anew at every call.

Shapes and units are those of the kernel's Documentation/ABI/testing/sysfs-class-power and sysfs-class-thermal: percent,
microvolt, microampere, thousandths of a degree Celsius. A file that is missing, cannot be read or holds nonsense is
None: a broken fuel gauge never stops anything. `SimulatedSysfs` makes such a tree for tests and rehearsals.
"""

from dataclasses import dataclass
from pathlib import Path

SYSFS = Path("/sys")
SUPPLIES, ZONES = "class/power_supply", "class/thermal"
THROTTLED = "devices/platform/soc/soc:firmware/get_throttled"  # Raspberry Pi firmware driver, hexadecimal
CHARGING = {"Charging": True, "Full": True, "Discharging": False, "Not charging": False}
MAX_FILE = 4096  # a sysfs attribute is at most a page
HOTTEST_MC, COLDEST_MC = 200_000, -100_000  # ours: outside of it a sensor is broken


@dataclass(frozen=True)
class PowerSupply:
    """One entry of /sys/class/power_supply. `kind` as the kernel says: Battery, Mains, USB, ... `charging` is None
    where the driver does not know; `online` says of a charger whether it delivers. `current_ua` is negative or positive
    when discharging, as the driver chose. `connected` is said of a peripheral's own supply, a headset's for example."""

    name: str
    kind: str
    percent: int | None = None
    charging: bool | None = None
    microvolts: int | None = None
    current_ua: int | None = None
    online: bool | None = None
    connected: bool = False


@dataclass(frozen=True)
class HeatZone:
    """One sensor of /sys/class/thermal: `millidegrees` Celsius."""

    name: str
    kind: str
    millidegrees: int | None


@dataclass(frozen=True)
class Throttling:
    """What the Raspberry Pi's firmware says of the moment (bits 0 to 3 of `get_throttled`)."""

    under_voltage: bool
    frequency_capped: bool
    throttled: bool
    soft_limit: bool


def power_supplies(sysfs: Path = SYSFS) -> list[PowerSupply]:
    """Every supply that is there, in the order of their names."""
    return [_supply(place) for place in _entries(sysfs / SUPPLIES)]


def battery(sysfs: Path = SYSFS) -> PowerSupply | None:
    """The device's own battery: the first supply of that kind which tells its charge; None without one."""
    own = (it for it in power_supplies(sysfs) if it.kind == "Battery" and not it.connected)
    return next((it for it in own if it.percent is not None), None)


def heat_zones(sysfs: Path = SYSFS) -> list[HeatZone]:
    """Every thermal zone, in the order of their names."""
    places = [place for place in _entries(sysfs / ZONES) if place.name.startswith("thermal_zone")]
    return [
        HeatZone(place.name, _text(place / "type") or "", _number(place / "temp", COLDEST_MC, HOTTEST_MC))
        for place in places
    ]


def hottest(sysfs: Path = SYSFS) -> int | None:
    """The highest temperature of all zones in thousandths of a degree Celsius, None where nobody measures."""
    return max((it.millidegrees for it in heat_zones(sysfs) if it.millidegrees is not None), default=None)


def throttling(sysfs: Path = SYSFS) -> Throttling | None:
    """What a Raspberry Pi's firmware holds back at this moment; None on other boards."""
    try:
        bits = int(_text(sysfs / THROTTLED) or "", 16)
    except ValueError:
        return None
    return Throttling(*(bool(bits >> bit & 1) for bit in range(4)))


def _supply(place: Path) -> PowerSupply:
    online = _number(place / "online", 0, 2)  # 2: fixed by firmware, still delivering
    return PowerSupply(
        place.name,
        _text(place / "type") or "",
        _number(place / "capacity", 0, 100),
        CHARGING.get(_text(place / "status") or ""),
        _number(place / "voltage_now", 0, 10**9),
        _number(place / "current_now", -(10**9), 10**9),
        None if online is None else online > 0,
        _text(place / "scope") == "Device",
    )


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _number(place: Path, lowest: int, highest: int) -> int | None:
    try:
        value = int(_text(place) or "")
    except ValueError:
        return None
    return value if lowest <= value <= highest else None


def _text(place: Path) -> str | None:
    try:
        with place.open("rb") as file:
            return file.read(MAX_FILE).decode("ascii", "replace").strip()
    except OSError:  # also a driver that answers EIO or ENODATA: the value is not known now
        return None
