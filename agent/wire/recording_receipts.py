"""The centre's signed word that it holds a recording, file by file, and has verified it: what a device needs before it
may ever delete one. A receipt for events says nothing about files."""

from dataclasses import dataclass
from datetime import datetime

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.envelope import parse_envelope
from agent.wire.identifiers import Digest, RecordingId, digest, label, parse_recording_id

RECORDING_RECEIPT_TYPE = "application/vnd.liuhen.recording-receipt+json"


@dataclass(frozen=True)
class RecordingReceipt:
    """`receiver` holds every file of `recording` as the manifest with this hash lists them, `size` bytes in all. Its
    chain ends at `head`, as the device told. `opened`: the signatures inside were verified; without, the recording is
    encrypted and the centre that signs has no key, so only that these are the bytes the device's chain names.

    `retention` is how long the centre keeps it, in the words of the lists, empty while it is not filed. It is in force
    from `signed_at` on, which grows with every receipt for a recording: a device takes none older than the last one.
    `received_at` is when the files came."""

    recording: RecordingId
    manifest: Digest
    head: Digest
    size: int
    opened: bool
    retention: str
    receiver: str
    received_at: datetime
    signed_at: datetime

    def encode(self) -> bytes:
        """Canonical payload for a receiver to seal."""
        return canonical.encode(
            {
                "head": self.head,
                "manifest": self.manifest,
                "opened": self.opened,
                "received_at": canonical.timestamp(self.received_at),
                "receiver": self.receiver,
                "recording": self.recording,
                "retention": self.retention,
                "signed_at": canonical.timestamp(self.signed_at),
                "size": self.size,
            }
        )


def parse_recording_receipt(payload: bytes) -> RecordingReceipt:
    """The receipt in an opened envelope's payload; raises `SenderFault` when malformed."""
    fields = Fields("录像回执", canonical.decode(payload))
    return RecordingReceipt(
        parse_recording_id(fields.text("recording")),
        digest(fields.text("manifest")),
        digest(fields.text("head")),
        fields.integer("size"),
        fields.boolean("opened"),
        fields.text("retention"),
        label(fields.text("receiver")),
        fields.moment("received_at"),
        fields.moment("signed_at"),
    )


def is_recording_receipt(data: bytes) -> bool:
    """Whether what came on the topic of receipts is one for a recording; nothing is verified."""
    try:
        return parse_envelope(data).payload_type == RECORDING_RECEIPT_TYPE
    except SenderFault:
        return False
