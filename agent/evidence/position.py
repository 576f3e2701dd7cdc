"""Where a fragment was captured, as a GNSS receiver measured it; six integers in the journal.

latitude, longitude   10^-7 degree, WGS-84 (not GCJ-02), north and east positive; 10^-7 degree is about 1 cm
quality               field 6 of NMEA 0183's GGA: 1 autonomous, 2 differential, 3 PPS, 4 and 5 RTK, 8 simulator
satellites            used
hdop                  horizontal dilution of precision, hundredths
age_ms                from the fix to the first frame; negative when the fix came after it
"""

from dataclasses import dataclass
from typing import Any

from agent.errors import SenderFault

DEGREE = 10**7
QUALITIES = frozenset({1, 2, 3, 4, 5, 8})
SIMULATED = 8
MAX_HDOP, MAX_SATELLITES = 9999, 99
MAX_AGE_MS = 10_000  # ours; an older position is not where the fragment was captured


@dataclass(frozen=True)
class Position:
    """See above; raises `ValueError` for a place that is not on earth."""

    latitude: int
    longitude: int
    quality: int
    satellites: int
    hdop: int
    age_ms: int = 0

    def __post_init__(self) -> None:
        on_earth = abs(self.latitude) <= 90 * DEGREE and abs(self.longitude) <= 180 * DEGREE
        measured = self.quality in QUALITIES and 0 <= self.satellites <= MAX_SATELLITES and 0 < self.hdop <= MAX_HDOP
        if not (on_earth and measured and abs(self.age_ms) <= MAX_AGE_MS):
            raise ValueError("not a measured position")

    @property
    def simulated(self) -> bool:
        """Whether the receiver itself says that it is a simulator."""
        return self.quality == SIMULATED

    def __str__(self) -> str:
        """Degrees with five digits, about a metre."""
        return f"{self.latitude / DEGREE:.5f}, {self.longitude / DEGREE:.5f}"


def encode_position(position: Position | None) -> list[int] | None:
    """As it stands in a journal entry."""
    if position is None:
        return None
    whole = (position.latitude, position.longitude, position.quality, position.satellites, position.hdop)
    return [*whole, position.age_ms]


def parse_position(value: Any) -> Position | None:
    """The inverse of `encode_position`; raises `SenderFault`."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 6 or any(type(number) is not int for number in value):
        raise SenderFault("录制日志中的位置无法读取，已拒绝。")
    try:
        return Position(*value)
    except ValueError as error:
        raise SenderFault("录制日志中的位置不合规定，已拒绝。") from error


def position_json(position: Position | None) -> dict[str, int] | None:
    """As it stands in `journal.jsonl`."""
    return None if position is None else dict(vars(position))
