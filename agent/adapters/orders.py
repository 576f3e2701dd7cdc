"""What the controller orders of the recorder, on its way through the recorder's queue between the packets."""

from dataclasses import dataclass

from agent.control.acts import Act
from agent.control.effects import StartRecording, TakePhoto
from agent.evidence.journal import Reason
from agent.wire.instant import Instant

RecordingOrder = StartRecording  # what the source is, and what the pre-event ring held, are added to its context
PhotoAsked = TakePhoto


@dataclass(frozen=True)
class StartAsked:
    """A recording is to begin; it takes over the packets of the pre-event ring and those behind this."""

    order: RecordingOrder


@dataclass(frozen=True)
class StopAsked:
    """The recording is to be closed after the packets before this."""

    reason: Reason


@dataclass(frozen=True)
class ActAsked:
    """An officer's act inside a recording, at the packets behind this. `cause` is a code of
    `agent.evidence.reasons.Cause` or empty; `at` is when it was pressed."""

    act: Act
    cause: str
    at: Instant


@dataclass(frozen=True)
class CloseAsked:
    """The recorder's thread is to end; nothing is recorded afterwards."""


Asked = StartAsked | StopAsked | ActAsked | PhotoAsked | CloseAsked
