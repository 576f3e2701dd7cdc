"""A sysfs tree for tests and rehearsals: batteries, chargers, heat zones and clocks that say what they are told to.
Never a default."""

from pathlib import Path

from firmware_hooks.clocks import RTCS
from firmware_hooks.power_and_heat import SUPPLIES, THROTTLED, ZONES


class SimulatedSysfs:
    """Lives in `root`, which is then the `sysfs` argument of the readers."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def supply(self, name: str, **attributes: str | int) -> None:
        """Set attributes of a power supply, for example `supply("bat", type="Battery", capacity=80)`."""
        self._write(f"{SUPPLIES}/{name}", attributes)

    def battery(self, percent: int, status: str = "Discharging", microvolts: int = 3_700_000) -> None:
        """Set the battery "battery"."""
        self.supply("battery", type="Battery", capacity=percent, status=status, voltage_now=microvolts)

    def heat(self, millidegrees: int, zone: int = 0) -> None:
        """Set the temperature of a zone."""
        self._write(f"{ZONES}/thermal_zone{zone}", {"type": "cpu-thermal", "temp": millidegrees})

    def throttled(self, bits: int) -> None:
        """Set the bits of the Raspberry Pi's firmware."""
        place = Path(THROTTLED)
        self._write(str(place.parent), {place.name: f"{bits:x}"})

    def clock(self, seconds: int | str, *, set_kernel: bool = True) -> None:
        """Set the battery-backed clock."""
        self._write(f"{RTCS}/rtc0", {"since_epoch": seconds, "hctosys": int(set_kernel)})

    def _write(self, folder: str, attributes: dict[str, str | int]) -> None:
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        for name, value in attributes.items():
            (self.root / folder / name).write_text(f"{value}\n", encoding="ascii")
