"""Which committed events tell the head of a recording, and what the centre states about them (pure)."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from agent.wire.device_events import DeviceEvent
from agent.wire.identifiers import DeviceId, recording_device
from agent.wire.witness import Witness, countersigned, told_head


def witnesses(events: Iterable[DeviceEvent], receiver: str, now: datetime) -> Iterator[tuple[DeviceEvent, Witness]]:
    """What `receiver` states at `now` about the heads in committed events, with the event that told each."""
    for event in events:
        seen = told_head(event)
        if seen is not None:  # anything else is a device's own business; nothing that we could put our name to
            yield event, Witness(seen.recording, seen.sequence, seen.head, receiver, now)


def countersigned_devices(events: Iterable[DeviceEvent]) -> frozenset[DeviceId]:
    """The devices whose heads these events of another one countersign."""
    found = (countersigned(event) for event in events)
    return frozenset(recording_device(witness.recording) for witness in found if witness is not None)
