"""What the controller asks of the recorder; apart from `agent.control.effects`, so that a camera runs before anything
is loaded that it does not need."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.control.acts import Act
from agent.wire.identifiers import DeviceId, Digest, RecordingId
from agent.wire.instant import Instant


@dataclass(frozen=True)
class StartRecording:
    """Begin `recording`, linked to `previous`, the head of the recording before (genesis for the first); `context` is
    signed into every segment."""

    recording: RecordingId
    unit: str
    previous: Digest
    context: Mapping[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class StopRecording:
    """Close the running recording; `reason` is a code of `agent.evidence.journal`."""

    recording: RecordingId
    reason: str


@dataclass(frozen=True)
class MarkRecording:
    """Carry out an officer's act in the running recording; `cause` is a code of `agent.evidence.reasons.Cause` or
    empty."""

    recording: RecordingId
    act: Act
    cause: str
    at: Instant


@dataclass(frozen=True)
class TakePhoto:
    """Keep the camera's next picture as a signed photo, in the running recording or without one; answered by
    `PhotoTaken` or `WorkFailed`."""

    device: DeviceId
    unit: str
    at: Instant
