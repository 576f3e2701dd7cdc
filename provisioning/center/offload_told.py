"""What devices' chains tell of recordings that were brought out (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, EventType, parse_event
from agent.wire.identifiers import RecordingId, parse_recording_id, recording_device
from agent.wire.recording_receipts import RecordingReceipt

ENDS = frozenset({EventType.RECORDING_SEALED, EventType.RECORDING_RECOVERED})
KINDS = ENDS | {EventType.RECORDING_OFFLOADED, EventType.RECORDING_RECEIPTED}


@dataclass(frozen=True)
class ToldOffload:
    """In the device's own words: `recording` ends at `head`; `manifest` is the newest that stands in the store;
    `confirmed`, `filed` and `signed_at` are manifest, retention and moment of the receipt that it took last. Each empty
    until it is told."""

    recording: RecordingId
    head: str = ""
    manifest: str = ""
    confirmed: str = ""
    filed: str = ""
    signed_at: str = ""

    def confirms(self, receipt: RecordingReceipt) -> bool:
        """Whether the device has told that it has this very receipt."""
        told = (receipt.manifest, receipt.retention, canonical.timestamp(receipt.signed_at))
        return (self.confirmed, self.filed, self.signed_at) == told


class OffloadBook:
    """Every recording that is told of, kept up to date by `take`."""

    def __init__(self) -> None:
        self._told: dict[RecordingId, ToldOffload] = {}

    def take(self, bodies: Iterable[bytes]) -> int:
        """Take over events of one device, in the order of its chain; returns the number of the last, 0 of none."""
        last = 0
        for body in bodies:
            event = parse_event(canonical.decode(body))
            last = event.devseq
            try:
                self._add(event)
            except SenderFault:
                continue  # an event that says nothing readable tells nothing
        return last

    def waiting(self) -> list[ToldOffload]:
        """Recordings that stand in the store, with their end told."""
        return [it for it in self._told.values() if it.manifest and it.head]

    def _add(self, event: DeviceEvent) -> None:
        if event.type not in KINDS:
            return
        fields = Fields("录制事件", event.data)
        recording = parse_recording_id(fields.text("recording"))
        if recording_device(recording) != event.device:
            return
        told = self._told.get(recording, ToldOffload(recording))
        if event.type in ENDS:
            told = replace(told, head=fields.text("head"))
        elif event.type is EventType.RECORDING_OFFLOADED:
            told = replace(told, manifest=fields.text("manifest"))
        else:
            receipt = fields.text("manifest"), fields.text("retention"), fields.text("signed_at")
            told = replace(told, confirmed=receipt[0], filed=receipt[1], signed_at=receipt[2])
        self._told[recording] = told
