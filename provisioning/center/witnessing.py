"""Which committed events tell the head of a recording, and what the centre states about them (pure)."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, EventType, parse_event
from agent.wire.identifiers import digest, parse_recording_id, recording_device
from agent.wire.witness import Witness

# Where each event has the number of the last fragment that its head covers.
SEQUENCE_FIELDS = {
    EventType.RECORDING_HEAD_ADVANCED: "sequence",
    EventType.RECORDING_SEALED: "fragments",
    EventType.RECORDING_RECOVERED: "fragments",
}


def witnesses(bodies: Iterable[bytes], receiver: str, now: datetime) -> Iterator[tuple[DeviceEvent, Witness]]:
    """What `receiver` states at `now` about the heads in committed events, with the event that told each."""
    for body in bodies:
        event = parse_event(canonical.decode(body))
        if event.type in SEQUENCE_FIELDS:
            try:
                yield event, _witness(event, receiver, now)
            except SenderFault:  # a device's own business; nothing that we could put our name to
                continue


def _witness(event: DeviceEvent, receiver: str, now: datetime) -> Witness:
    fields = Fields("录制事件", event.data)
    recording = parse_recording_id(fields.text("recording"))
    if recording_device(recording) != event.device:
        raise SenderFault("事件说的是别的设备的录制，不作见证。")
    sequence = fields.integer(SEQUENCE_FIELDS[event.type], 1)
    return Witness(recording, sequence, digest(fields.text("head")), receiver, now)
