"""How full the disk is, what that means, and the only rule by which a recording may ever leave it.

Nothing without a receipt is deleted, however full the disk: then the recording that runs is closed and sealed in room
that was kept for it, an alarm was there hours before, and what was recorded stays (REC-09: unsent data is never
evicted). `may_go` is for whoever takes recordings over: the device itself deletes none, because no centre signs for
recordings yet, only for events.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from agent.wire.identifiers import RecordingId
from agent.wire.instant import Instant, TimeState

SHORTEST = timedelta(days=183)  # REC-22: six months at least
TRUSTED = frozenset({TimeState.GNSS, TimeState.NTP})


MARGIN_BYTES = (
    8 * 2**20
)  # ours: room to close what is open: a last fragment at 50 Mbit/s (3 MB), seal, sidecars, outbox


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


@dataclass(frozen=True)
class KeptRecording:
    """A recording on the disk. `receipted`: the centre has signed that it holds these very files; `held`: somebody
    asked that it stays (重点标记, a case); `ended` is when, by a clock that was trusted,
    None where nobody knows."""

    recording: RecordingId
    size: int
    ended: datetime | None
    receipted: bool
    held: bool


def tier(free_bytes: int, policy: StoragePolicy, before: Tier = Tier.PLENTY) -> Tier:
    """The tier at `free_bytes`; one that was reached is left with a tenth more than it was entered at."""
    hours = policy.hours_left(free_bytes)
    limits = ((Tier.FULL, 0.0), (Tier.SHORT, policy.short_hours), (Tier.LOW, policy.low_hours))
    for found, limit in limits:
        if hours <= limit * (1.1 if before >= found else 1.0):
            return found
    return Tier.PLENTY


def may_go(kept: KeptRecording, retention: timedelta, now: Instant) -> bool:
    """Whether `kept` may be deleted: receipted, `retention` over since its end, and not held (DESIGN section 5). A
    clock that nobody disciplines decides nothing, and no retention is shorter than `SHORTEST`."""
    if kept.ended is None or not kept.receipted or kept.held or now.state not in TRUSTED:
        return False
    return now.wall - kept.ended > max(retention, SHORTEST)
