"""How full the disk is, and what that means.

Nothing is ever deleted because the disk is full: then the recording that runs is closed and sealed in room that was
kept for it, an alarm was there hours before, and what was recorded stays (REC-09: unsent data is never evicted). What
may go, and when, is in `agent.control.deletion`.
"""

from dataclasses import dataclass
from enum import IntEnum

MARGIN_BYTES = 8 * 2**20  # ours: room to close what is open: a fragment at 50 Mbit/s (3 MB), seal, sidecars, outbox


class Tier(IntEnum):
    """How full the disk of the recordings is."""

    PLENTY = 0
    LOW = 1
    SHORT = 2
    FULL = 3


@dataclass(frozen=True)
class StoragePolicy:
    """`[storage]`: at `margin_bytes` of free room the disk counts as full, `low_hours` and `short_hours` of recording
    at `bits_per_second` are where the alarms stand."""

    margin_bytes: int
    bits_per_second: int
    low_hours: float
    short_hours: float

    def hours_left(self, free_bytes: int) -> float:
        """Hours of recording that still fit."""
        return max(0, free_bytes - self.margin_bytes) * 8 / self.bits_per_second / 3600


def tier(free_bytes: int, policy: StoragePolicy, before: Tier = Tier.PLENTY) -> Tier:
    """The tier at `free_bytes`; one that was reached is left with a tenth more than it was entered at."""
    hours = policy.hours_left(free_bytes)
    limits = ((Tier.FULL, 0.0), (Tier.SHORT, policy.short_hours), (Tier.LOW, policy.low_hours))
    for found, limit in limits:
        if hours <= limit * (1.1 if before >= found else 1.0):
            return found
    return Tier.PLENTY
