"""The facts of one task, put together from the signed events of its devices and from recordings that were verified.

An event that says nothing readable tells nothing; it stands in the device's chain all the same. A recording that the
devices tell of and that nobody has is a fact with the verdict `missing`.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.duty.case_facts import (
    CaseFacts,
    DocumentFact,
    EarlyStop,
    GapFact,
    Label,
    RecordingFact,
    Served,
    Span,
    StepFact,
)
from agent.duty.documents import numbered_by
from agent.duty.takings import Taking, is_task, joined, retention_of, takings
from agent.duty.time_limits import LimitKind
from agent.duty.told_events import ToldEvents
from agent.duty.told_facts import as_begun, labels, readable, texts
from agent.duty.told_officers import told_holders, told_officers
from agent.errors import SenderFault
from agent.wire.canonical import Fields
from agent.wire.device_events import GENESIS, DeviceEvent, EventType
from agent.wire.identifiers import Digest, RecordingId, digest, parse_recording_id, recording_device
from agent.wire.instant import TimeState

MISSING = "missing"
LATE: Mapping[str, Label] = {
    LimitKind.HAND_IN: Label.HANDED_IN_LATE,
    LimitKind.EMERGENCY_REPORT: Label.EMERGENCY_LATE,
    LimitKind.PRESERVATION: Label.PRESERVATION_LATE,
}
"""What a limit that has passed says of the task."""
ENDS = (EventType.RECORDING_SEALED, EventType.RECORDING_RECOVERED)


@dataclass(frozen=True)
class SeenRecording:
    """A recording that was verified: its fact, its interruptions, when each of its fragments began, and the head of the
    chain after it (empty where nobody asked for heads)."""

    fact: RecordingFact
    gaps: tuple[GapFact, ...]
    moments: Mapping[int, datetime]
    heads: Mapping[int, Digest] = field(default_factory=dict)

    def span(self, first: int, last: int) -> Span:
        """Fragments `first`..`last`, with the times that are known of them."""
        begins = self.moments.get(first, self.fact.begins)
        return Span(self.fact.recording, first, last, begins, self.moments.get(last + 1, self.fact.ends))


def assemble_case(
    task: str,
    events: Iterable[DeviceEvent] | ToldEvents,
    seen: Mapping[RecordingId, SeenRecording],
    transfer: str = "",
) -> CaseFacts:
    """The facts of `task`; `events` of all devices, of each in the order of its chain. Raises `SenderFault` when no
    event tells that the task was ever taken."""
    told = events if isinstance(events, ToldEvents) else ToldEvents(events)
    own = told.of_task(task)
    found = takings(own)
    if not found:
        raise SenderFault(
            f"没有设备领取过任务 {task}，或领取记录无法读取。请检查任务编号，或等设备联网后重试。", "no-task"
        )
    recordings = {name: seen.get(name) or _untold(name, told) for name in _recordings(own)}
    return _labelled(_case(task, found, own, recordings, told, transfer), found, own)


def tasks_of(events: Iterable[DeviceEvent]) -> tuple[str, ...]:
    """Every task that was taken, in the order of `events`."""
    found = (event.data.get("task") for event in events if event.type is EventType.TASK_TAKEN)
    return tuple(dict.fromkeys(str(task) for task in found if is_task(task)))


def recordings_of(task: str, events: Iterable[DeviceEvent] | ToldEvents) -> tuple[RecordingId, ...]:
    """The recordings that `events` tell of as made for `task`."""
    told = events if isinstance(events, ToldEvents) else ToldEvents(events)
    return tuple(_recordings(told.of_task(task)))


def _case(
    task: str,
    found: Sequence[Taking],
    own: Sequence[DeviceEvent],
    recordings: Mapping[RecordingId, SeenRecording],
    told: ToldEvents,
    transfer: str,
) -> CaseFacts:
    first, early = found[0], _early(own)
    return CaseFacts(
        task=task,
        unit=first.unit,
        category=first.category,
        matter=first.matter,
        party=first.party,
        began=first.at,
        ended=_ended(own),
        required=joined(it.required for it in found),
        officers=told_officers(own),
        recordings=tuple(
            _ended_early(as_begun(it.fact, told.of_recording(name)), early) for name, it in recordings.items()
        ),
        steps=_steps(own, recordings),
        reasons=_reasons(own),
        gaps=tuple(gap for it in recordings.values() for gap in it.gaps),
        documents=_documents(own, recordings),
        confirmation=next(reversed(list(readable(own, EventType.PARTY_CONFIRMED, _served))), None),
        retention=retention_of(found),
        major=joined(it.major for it in found),
        transfer=transfer,
        major_open=joined(it.major_open for it in found),
        assigned=joined(it.officers for it in found),
        holders=told_holders(own),
        early=tuple(early.values()),
    )


def _ended(own: Iterable[DeviceEvent]) -> datetime | None:
    """When the last device ended the task, by those that knew the time where any did."""
    events = [event for event in own if event.type is EventType.TASK_ENDED]
    known = [event for event in events if event.time_state is not TimeState.UNSET]
    return max((event.time for event in known or events), default=None)


def _recordings(own: Iterable[DeviceEvent]) -> Iterator[RecordingId]:
    names = dict.fromkeys(event.data.get("recording") for event in own)
    for name in names:
        try:
            yield parse_recording_id(str(name))
        except SenderFault:
            continue


def _untold(name: RecordingId, told: ToldEvents) -> SeenRecording:
    """What the device itself tells of a recording that nobody has."""
    own = told.of_recording(name)
    end = next((event for event in reversed(own) if event.type in ENDS), own[-1])
    numbers = {key: value for key, value in end.data.items() if type(value) is int}
    head = end.data.get("head")
    fact = RecordingFact(
        name, recording_device(name), MISSING, own[0].time, end.time, numbers.get("fragments", 0),
        numbers.get("size", 0), digest(head) if isinstance(head, str) else GENESIS, {},
    )  # fmt: skip
    return SeenRecording(fact, (), {})


def _steps(own: Iterable[DeviceEvent], recordings: Mapping[RecordingId, SeenRecording]) -> tuple[StepFact, ...]:
    """Each step once, from its first mark to the next fragment of that recording with a mark of any step."""
    marks = list(readable(own, EventType.STEP_MARKED, _mark))
    numbers: defaultdict[RecordingId, list[int]] = defaultdict(list)
    for _, recording, sequence in sorted(marks, key=lambda mark: mark[2]):
        numbers[recording].append(sequence)
    found: dict[str, StepFact] = {}
    for step, recording, sequence in marks:
        if step in found:
            found[step] = replace(found[step], repeated=found[step].repeated + 1)
        elif recording in recordings:
            later = bisect_right(numbers[recording], sequence)
            end = max(sequence, recordings[recording].fact.fragments)
            last = numbers[recording][later] - 1 if later < len(numbers[recording]) else end
            found[step] = StepFact(step, recordings[recording].span(sequence, last))
    return tuple(found.values())


def _mark(fields: Fields) -> tuple[str, RecordingId, int]:
    return fields.text("step"), parse_recording_id(fields.text("recording")), max(1, fields.integer("sequence"))


def _reasons(own: Iterable[DeviceEvent]) -> dict[str, str]:
    """Why steps are missing, as the officer said it, by step; what was said last counts."""
    found: dict[str, str] = {}
    for missing, reason in readable(own, EventType.STEPS_MISSING, _missing):
        found |= dict.fromkeys(missing, reason) if reason else {}
    for reasons in readable(own, EventType.TASK_ENDED, lambda fields: fields.object("reasons")):
        found |= {step: str(reason) for step, reason in reasons.items() if reason}
    return found


def _early(own: Iterable[DeviceEvent]) -> dict[RecordingId, EarlyStop]:
    """The recordings that ended before their end had come; of reasons that which was said last."""
    found: dict[RecordingId, EarlyStop] = {}
    for stop in readable(own, EventType.STEPS_MISSING, _early_stop):
        before = found.get(stop.recording, stop)
        found[stop.recording] = stop if stop.reason else replace(stop, reason=before.reason, code=before.code)
    return found


def _early_stop(fields: Fields) -> EarlyStop:
    code = fields.text("code") if fields.has("code") else ""
    recording = parse_recording_id(fields.text("recording"))
    return EarlyStop(recording, texts(fields.array("early")), fields.text("reason"), code)


def _ended_early(fact: RecordingFact, early: Mapping[RecordingId, EarlyStop]) -> RecordingFact:
    ended = fact.recording in early and Label.STOPPED_EARLY not in fact.labels
    return replace(fact, labels=(*fact.labels, Label.STOPPED_EARLY)) if ended else fact


def _missing(fields: Fields) -> tuple[tuple[str, ...], str]:
    return texts(fields.array("missing")), fields.text("reason")


def _documents(own: Sequence[DeviceEvent], seen: Mapping[RecordingId, SeenRecording]) -> tuple[DocumentFact, ...]:
    """Each number once, as it was first made out, with what became of it last; only of the device that is named in the
    number, and only what is a number at all: it becomes the name of a file."""
    numbered = [event for event in own if numbered_by(event.data.get("number"), event.device)]
    served = dict(readable(numbered, EventType.DOCUMENT_SERVED, lambda it: (it.text("number"), _served(it))))
    found: dict[str, DocumentFact] = {}
    for paper in readable(numbered, EventType.DOCUMENT_ISSUED, lambda fields: _document(fields, seen)):
        found.setdefault(paper.number, replace(paper, served=served.get(paper.number, Served.NOT_SERVED)))
    return tuple(found.values())


def _document(fields: Fields, seen: Mapping[RecordingId, SeenRecording]) -> DocumentFact:
    return DocumentFact(
        fields.text("number"),
        fields.text("template"),
        fields.text("title"),
        digest(fields.text("digest")),
        Served.NOT_SERVED,
        _span(fields, seen),
    )


def _span(fields: Fields, seen: Mapping[RecordingId, SeenRecording]) -> Span | None:
    try:
        recording = seen[parse_recording_id(fields.text("recording"))]
        return recording.span(fields.integer("first", 1), fields.integer("last", 1))
    except (SenderFault, KeyError):
        return None


def _served(fields: Fields) -> Served:
    try:
        return Served(fields.text("served"))
    except ValueError as error:
        raise SenderFault("送达情况未知，已忽略。") from error


def _labelled(facts: CaseFacts, found: Sequence[Taking], own: Sequence[DeviceEvent]) -> CaseFacts:
    """With the labels of the task itself: those told, and those that the facts show."""
    entries = readable(own, EventType.OFFICERS_LABELLED, lambda fields: labels(fields.array("labels")))
    told = [label for entry in entries for label in entry]
    passed = {event.data.get("limit") for event in own if event.type is EventType.LIMIT_PASSED}
    unset = any(event.time_state is TimeState.UNSET for event in own)
    shown = (
        (Label.STEPS_MISSING, bool(facts.missing)),
        *((label, limit in passed) for limit, label in LATE.items()),
        (Label.CLOCK_UNSET, unset),
        (Label.TOLD_DIFFERENTLY, len({it.asks for it in found}) > 1),
        (Label.TASK_BY_FILE, any(it.by_file for it in found)),
        (Label.MAJOR_OPEN, bool(facts.major_open) and not facts.major),
    )
    return replace(facts, labels=tuple(dict.fromkeys([*told, *(label for label, there in shown if there)])))
