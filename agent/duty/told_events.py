"""The events of all devices, found by the task and by the recording that they tell of: sorted once, however many cases
are put together from them."""

from collections.abc import Iterable, Sequence

from agent.wire.device_events import DeviceEvent


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
        """What is told of a task."""
        return self._by_task.get(task, ())

    def of_recording(self, recording: str) -> Sequence[DeviceEvent]:
        """What is told of a recording."""
        return self._by_recording.get(recording, ())
