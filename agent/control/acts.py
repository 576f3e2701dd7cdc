"""What an officer can do with a recorder besides starting and stopping."""

from dataclasses import dataclass
from enum import StrEnum

from agent.wire.instant import Instant


class Act(StrEnum):
    """What an officer does besides starting and stopping."""

    MUTE = "mute"
    UNMUTE = "unmute"
    PAUSE = "pause"
    RESUME = "resume"
    EXPLAIN = "explain"
    EXPLAINED = "explained"
    PHOTO = "photo"
    MARK = "mark"
    """重点标记: this recording matters and must be kept (reference REC-08)."""
    STEP = "step"
    """The long press: the next step of the task in hand, or a key mark where no step is due."""


@dataclass(frozen=True)
class OfficerActed:
    """An officer did something else than start or stop. `cause` is a code of `agent.evidence.reasons.Cause` or of the
    department's list, empty where none was given; `listed` is the number of a reason in that list (from 1), which only
    the duty desk knows."""

    act: Act
    cause: str
    at: Instant
    listed: int = 0
