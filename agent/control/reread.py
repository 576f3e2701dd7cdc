"""Recordings that are told again, from their own journals, after the store of events was lost.

Ids and moments are those of the first telling, so that whoever has it already knows the fact again. Not told again:
policies and labels (they stand in the film), every head but the last, photos, and what happened outside recordings.
"""

from collections.abc import Mapping
from typing import Any

from agent.control.effects import Effect, EventDraft, StoreEvent, moment_name
from agent.control.recording_messages import RecordingReread
from agent.wire.device_events import EventType
from agent.wire.instant import Instant


def told_again(event: RecordingReread) -> list[Effect]:
    """Beginning, interruptions and key marks; the end follows as `RecordingSealed`."""
    name, data = f"R{event.recording.rpartition('-R')[2]}", {"recording": event.recording}
    begun = {**data, "previous": event.previous, "reread": True}
    return [
        _store(f"{name}/started", EventType.RECORDING_STARTED, event.started, begun),
        *(
            _store(f"{name}/gap/{moment_name(at)}", EventType.RECORDING_GAP_OPENED, at, {**data, "reason": reason})
            for reason, at in event.gaps
        ),
        *(_store(f"key-mark/{moment_name(at)}", EventType.KEY_MARKED, at, data) for at in event.marks),
    ]


def _store(event_id: str, kind: EventType, at: Instant, data: Mapping[str, Any]) -> Effect:
    return StoreEvent(EventDraft(event_id, kind, at, data))
