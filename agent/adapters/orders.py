"""What the controller orders of the recorder, on its way through the recorder's queue between the packets."""

from dataclasses import dataclass

from agent.control.acts import Act
from agent.control.recording_effects import StartRecording, TakePhoto
from agent.evidence.journal import JournalEvent, Reason
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


@dataclass(frozen=True)
class BitrateAsked:
    """Pictures are to be coded at this rate from now on, also by cameras that are opened later."""

    bits_per_second: int


@dataclass(frozen=True)
class NoteAsked:
    """`event` is to be signed into the running recording; without one it is nobody's."""

    event: JournalEvent


Asked = StartAsked | StopAsked | ActAsked | PhotoAsked | BitrateAsked | NoteAsked | CloseAsked
