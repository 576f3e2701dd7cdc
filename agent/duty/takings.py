"""What the devices were told to do: every taking of one task, and what all of them together ask for.

Two officers may take the same task on two recorders, of which one lacks a list, has an older one, or a clock that was
never set. None of them takes anything away from what the other was told: steps and factors of both count, and the
longer term.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.duty.retention import Retention, longest, parse_retention
from agent.duty.task import NAME
from agent.duty.told_events import ToldEvents
from agent.duty.told_facts import texts
from agent.errors import SenderFault
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, EventType
from agent.wire.identifiers import DeviceId, RecordingId
from agent.wire.instant import TimeState

FROM_FILE = "file"


@dataclass(frozen=True)
class Taking:
    """One device took the task at `at`. `major_open` are factors that were not known then and may make it a major
    decision; `by_file`: the task came from a file that somebody laid there, with nobody's signature."""

    device: DeviceId
    at: datetime
    clock_set: bool
    unit: str
    category: str
    matter: str
    party: str
    officers: tuple[str, ...]
    required: tuple[str, ...]
    retention: str
    major: tuple[str, ...]
    major_open: tuple[str, ...]
    by_file: bool

    @property
    def asks(self) -> tuple[object, ...]:
        """What two takings of one task should have in common."""
        lists = (frozenset(it) for it in (self.required, self.major, self.major_open))
        return self.unit, self.category, self.matter, self.party, self.retention, *lists


def is_task(name: object) -> bool:
    """Whether `name` is a task's number; events may carry anything."""
    return isinstance(name, str) and NAME.fullmatch(name) is not None


def takings(own: Iterable[DeviceEvent]) -> tuple[Taking, ...]:
    """The readable takings among the events of one task: those of devices that knew the time first, by time."""
    found: list[Taking] = []
    for event in own:
        if event.type is EventType.TASK_TAKEN:
            try:
                found.append(_taking(event))
            except SenderFault:  # it tells nothing that can be read, and stands in its device's chain all the same
                continue
    return tuple(sorted(found, key=lambda taking: (not taking.clock_set, taking.at)))


def joined(values: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """All of them, each once, in the order in which they were first told."""
    return tuple(dict.fromkeys(value for many in values for value in many))


def retention_of(found: Sequence[Taking]) -> str:
    """The longest of the terms that were told, in the words of the lists; empty where none was."""
    words = dict.fromkeys(taking.retention for taking in found if taking.retention)
    terms = [term for word in words if (term := _term(word)) is not None]
    if len(words) == 1:
        return next(iter(words))
    kept = longest(terms)
    return "" if kept is None else kept.text


def told_term(recording: RecordingId, told: ToldEvents) -> Retention | None:
    """The class of a recording by the list, as its tasks were told it; the longest of several, None where none was."""
    tasks = {event.data.get("task") for event in told.of_recording(recording)}
    found = [taking for task in tasks if is_task(task) for taking in takings(told.of_task(str(task)))]
    return longest(term for taking in found if (term := _term(taking.retention)) is not None)


def _term(words: str) -> Retention | None:
    try:
        return parse_retention(words)
    except SenderFault:  # no term that anything could be held against
        return None


def _taking(event: DeviceEvent) -> Taking:
    fields = Fields("领取任务", event.data)
    return Taking(
        event.device,
        event.time,
        event.time_state is not TimeState.UNSET,
        fields.text("unit"),
        fields.text("category"),
        fields.text("matter"),
        fields.text("party"),
        _optional(fields, "officers"),
        texts(fields.array("required")),
        fields.text("retention"),
        texts(fields.array("major")),
        _optional(fields, "major_open"),
        fields.has("source") and fields.text("source") == FROM_FILE,
    )


def _optional(fields: Fields, name: str) -> tuple[str, ...]:
    return texts(fields.array(name)) if fields.has(name) else ()
