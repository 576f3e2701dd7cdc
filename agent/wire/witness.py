"""A countersigned head: somebody other than the recording device has seen a recording's head, and says when.

The centre makes one for every head that it commits; a second recorder may make one on the spot. Whoever holds the
device's key can record again and sign again; it cannot make the witnesses say another head.
"""

from dataclasses import dataclass
from datetime import datetime

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, EventType
from agent.wire.identifiers import (
    Digest,
    RecordingId,
    device_id,
    digest,
    label,
    parse_recording_id,
    recording_device,
)
from agent.wire.trust import Role

WITNESS_TYPE = "application/vnd.liuhen.witness+json"
WITNESS_ROLES = frozenset({Role.RECEIVER, Role.RECORDER})
# Where each event has the number of the last fragment that its head covers.
SEQUENCE_FIELDS = {
    EventType.RECORDING_HEAD_ADVANCED: "sequence",
    EventType.RECORDING_SEALED: "fragments",
    EventType.RECORDING_RECOVERED: "fragments",
}


@dataclass(frozen=True)
class SeenHead:
    """Fragment `sequence` of `recording` has the head `head`, in the words of its own device."""

    recording: RecordingId
    sequence: int
    head: Digest


@dataclass(frozen=True)
class Witness:
    """`witness` (a receiver or a recorder) saw at `at`, by its own clock, that fragment `sequence` of `recording` had
    the head `head`: everything up to it existed then, and in this form."""

    recording: RecordingId
    sequence: int
    head: Digest
    witness: str
    at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the witness to seal."""
        return canonical.encode(
            {
                "at": canonical.timestamp(self.at),
                "head": self.head,
                "recording": self.recording,
                "sequence": self.sequence,
                "witness": self.witness,
            }
        )


def parse_witness(payload: bytes) -> Witness:
    """The statement in an opened envelope's payload; raises `SenderFault` when malformed."""
    fields = Fields("见证", canonical.decode(payload))
    return Witness(
        parse_recording_id(fields.text("recording")),
        fields.integer("sequence", 1),
        digest(fields.text("head")),
        _name(fields.text("witness")),
        fields.moment("at"),
    )


def told_head(event: DeviceEvent) -> SeenHead | None:
    """The head that a device tells of its own recording, None for any other event or one that says it badly."""
    field = SEQUENCE_FIELDS.get(event.type)
    head = None if field is None else _head(event, field)
    return head if head is not None and recording_device(head.recording) == event.device else None


def countersigned(event: DeviceEvent) -> Witness | None:
    """The witness that a recorder bears in its own chain to another one's head, None for any other event. Nobody is a
    witness for himself."""
    head = _head(event, "sequence") if event.type is EventType.RECORDING_COUNTERSIGNED else None
    if head is None or recording_device(head.recording) == event.device:
        return None
    return Witness(head.recording, head.sequence, head.head, event.device, event.time)


def _head(event: DeviceEvent, sequence: str) -> SeenHead | None:
    fields = Fields("录制事件", event.data)
    try:
        recording = parse_recording_id(fields.text("recording"))
        return SeenHead(recording, fields.integer(sequence, 1), digest(fields.text("head")))
    except SenderFault:
        return None


def _name(text: str) -> str:
    try:
        return device_id(text)
    except SenderFault:
        return label(text)
