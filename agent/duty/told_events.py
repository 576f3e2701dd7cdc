"""The events of all devices, found by the task and by the recording that they tell of: sorted once, however many cases
are put together from them."""

from collections.abc import Iterable, Sequence

from agent.errors import SenderFault
from agent.wire.device_events import DeviceEvent, EventType
from agent.wire.identifiers import RecordingId, parse_recording_id, recording_device


class ToldEvents:
    """In the order of their times; of each device in the order of its chain where times are equal."""

    def __init__(self, events: Iterable[DeviceEvent]) -> None:
        self._by_task: dict[str, list[DeviceEvent]] = {}
        self._by_recording: dict[str, list[DeviceEvent]] = {}
        for event in sorted(events, key=lambda event: event.time):
            for name, found in (("task", self._by_task), ("recording", self._by_recording)):
                value = event.data.get(name)
                if isinstance(value, str):
                    found.setdefault(value, []).append(event)

    def of_task(self, task: str) -> Sequence[DeviceEvent]:
        """What is told of a task by devices that took it; of a recording nobody but its own device tells."""
        found = self._by_task.get(task, ())
        takers = {event.device for event in found if event.type is EventType.TASK_TAKEN}
        return [event for event in found if event.device in takers and _is_of_its_own(event)]

    def of_recording(self, recording: RecordingId) -> Sequence[DeviceEvent]:
        """What the device that made a recording tells of it."""
        own = recording_device(recording)
        return [event for event in self._by_recording.get(recording, ()) if event.device == own]


def _is_of_its_own(event: DeviceEvent) -> bool:
    named = event.data.get("recording")
    if not named or not isinstance(named, str):
        return True
    try:
        return recording_device(parse_recording_id(named)) == event.device
    except SenderFault:
        return False
