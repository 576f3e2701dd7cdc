"""A countersigned head: somebody other than the recording device has seen a recording's head, and says when.

The centre makes one for every head that it commits; a second recorder may make one on the spot. Whoever holds the
device's key can record again and sign again; it cannot make the witnesses say another head.
"""

from dataclasses import dataclass
from datetime import datetime

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import Digest, RecordingId, device_id, digest, label, parse_recording_id
from agent.wire.trust import Role

WITNESS_TYPE = "application/vnd.liuhen.witness+json"
WITNESS_ROLES = frozenset({Role.RECEIVER, Role.RECORDER})


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


def _name(text: str) -> str:
    try:
        return device_id(text)
    except SenderFault:
        return label(text)
