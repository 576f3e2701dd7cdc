"""What a filling store still takes: one table, from the first warning to the loud refusal.

Nothing that is stored is ever overwritten or expires without a receipt, so what is new must give way. What is refused
stands in the signed recordings, where it is of one; a recording never stops because the store is full.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from agent.wire.device_events import EventType

FALL_PERCENT = 3  # ours: a level is left this far below its beginning, so that it does not flutter


class Pressure(IntEnum):
    """How full the store is."""

    NONE = 0
    SLOWED = 1
    EVIDENCE_ONLY = 2
    CRITICAL_ONLY = 3
    FULL = 4


class Weight(IntEnum):
    """How much an event matters."""

    ROUTINE = 0
    EVIDENCE = 1
    CRITICAL = 2


@dataclass(frozen=True)
class Step:
    """From `percent` of the quota on: events from weight `takes` on (None: nothing), one health report for
    `health_every`, and what people are told."""

    percent: int
    takes: Weight | None
    health_every: int
    text: str


STEPS: Mapping[Pressure, Step] = {  # reference/mqtt.md section 4: 70, 85, 95, 100 %
    Pressure.NONE: Step(0, Weight.ROUTINE, 1, ""),
    Pressure.SLOWED: Step(70, Weight.ROUTINE, 6, "待发事件已占配额七成，状态上报已放慢。请检查网络与中心。"),
    Pressure.EVIDENCE_ONLY: Step(85, Weight.EVIDENCE, 6, "待发事件已占配额八成半，只再接收证据类事件。请接通网络。"),
    Pressure.CRITICAL_ONLY: Step(
        95, Weight.CRITICAL, 6, "待发事件将满，只再接收起止、拆机等关键事件。请立即接通网络。"
    ),
    Pressure.FULL: Step(100, None, 6, "待发事件已满，不再接收，录制不受影响。请立即接通网络或导出。"),
}
ROUTINE = frozenset(
    {
        EventType.HEALTH_REPORTED,
        EventType.MEASURE_CHANGED,
        EventType.STORAGE_TIER_CHANGED,
        EventType.DOCK_CHANGED,
        EventType.LIMIT_STARTED,
    }
)
CRITICAL = frozenset(  # beginning and end, tampering, power, gaps, what became of a command
    {
        EventType.COMMAND_ANSWERED,
        EventType.RECORDING_HELD,
        EventType.RECORDING_RELEASED,
        EventType.DEVICE_STARTED,
        EventType.DEVICE_STOPPED,
        EventType.STORAGE_FAILED,
        EventType.EVENTS_LOST,
        EventType.EVENTS_DROPPED,
        EventType.RECORDING_STARTED,
        EventType.RECORDING_GAP_OPENED,
        EventType.RECORDING_SEALED,
        EventType.RECORDING_RECOVERED,
        EventType.RECORDING_REFUSED,
        EventType.CASING_CHANGED,
        EventType.CLOCK_DISPUTED,
    }
)
HINTED = frozenset(  # a person at the centre should not wait for these behind a backlog
    {
        EventType.CASING_CHANGED,
        EventType.STORAGE_FAILED,
        EventType.EVENTS_LOST,
        EventType.RECORDING_REFUSED,
        EventType.RECORDING_STARTED,
    }
)


def weight(kind: EventType) -> Weight:
    """What is in neither list is evidence."""
    if kind in CRITICAL:
        return Weight.CRITICAL
    return Weight.ROUTINE if kind in ROUTINE else Weight.EVIDENCE


def pressure(percent: float, held: Pressure) -> Pressure:
    """The level at `percent` of the quota, when it was `held` before."""
    reached = max(level for level, step in STEPS.items() if percent >= step.percent)
    if reached >= held:
        return reached
    stays = [level for level in STEPS if level <= held and percent > STEPS[level].percent - FALL_PERCENT]
    return max(reached, *stays) if stays else reached


def takes(level: Pressure, kind: EventType) -> bool:
    """Whether a store at `level` still takes an event of this kind."""
    floor = STEPS[level].takes
    return floor is not None and weight(kind) >= floor
