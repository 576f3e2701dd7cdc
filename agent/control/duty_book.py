"""What the duty desk remembers and shows: officers, task, steps, limits and answers, over one `Shift`.

Events and the new shift are stored in one transaction, notes go into the journal of the running recording, and
`duty.json` shows the whole after every change.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from agent.control import duty_events, duty_officers, duty_tasks
from agent.control.backoff import NANOSECONDS
from agent.control.duty_situation import Guidance, Outcome, Situation
from agent.control.effects import (
    DutyKept,
    Effect,
    EventDraft,
    NoteDuty,
    RaiseAlarm,
    ShowDuty,
    StartRecording,
    StopRecording,
    StoreEvent,
    StoreNote,
)
from agent.control.messages import FragmentStored, GapOpened
from agent.control.recording import RecordingMachine, State
from agent.duty.asks import Answer
from agent.duty.limits import begin, due_monotonic_ns, has_passed
from agent.duty.shift import Shift
from agent.duty.steps import StepSheet
from agent.duty.time_limits import LimitKind
from agent.errors import SenderFault
from agent.evidence.reasons import Reason
from agent.wire.device_events import GENESIS, EventType, event_hash
from agent.wire.identifiers import DeviceId, District, RecordingId
from agent.wire.instant import Instant

ANSWERS_KEPT = 16  # ours: an asker waits five seconds
LOOK_AGAIN_NS = 600 * NANOSECONDS  # ours: a clock that was set meanwhile changes what is left of a limit
UNKEPT = frozenset({Reason.STORAGE_FULL, Reason.STORAGE_FAILED})  # while one holds, nothing is filmed
OFFICER, TASK = "officer", "task"  # keys of a recording's context; the first stands in its pictures


@dataclass(frozen=True)
class Whose:
    """The device whose book it is."""

    place: District
    device: DeviceId
    unit: str


class DutyBook:
    """`guidance` tells the lists in force at a moment."""

    def __init__(
        self, whose: Whose, recordings: RecordingMachine, shift: Shift, guidance: Callable[[Instant], Guidance]
    ) -> None:
        self.whose, self.shift = whose, shift
        self._recordings, self._guidance = recordings, guidance
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._sequence, self._head = 1, GENESIS
        self._began: Instant | None = None
        self._due_ns: int | None = None
        self._unkept_ns: int | None = None
        self._unseen = True

    def deadline(self) -> int | None:
        """The monotonic nanosecond at which a limit passes, or is to be looked at again; None while none runs."""
        return self._due_ns

    @property
    def step_due(self) -> bool:
        """Whether a recording runs for a task of which a step is still to be marked."""
        return self._recording is not None and self.shift.task is not None and bool(self.shift.sheet.missing)

    @property
    def _recording(self) -> RecordingId | None:
        running = self._recordings.state in (State.STARTING, State.RECORDING)
        return self._recordings.current if running else None

    def fragment(self, event: FragmentStored) -> None:
        """A fragment is on the disk: the next one is being filled."""
        if event.recording == self._recordings.current:
            self._sequence, self._head = event.sequence + 1, event.head
            # What was filmed before the break is stored after it was told.
            if self._unkept_ns is not None and event.captured.monotonic_ns > self._unkept_ns:
                self._unkept_ns = None

    def broken_off(self, event: GapOpened) -> None:
        """The disk takes nothing more for now: the recording goes on by itself when it does."""
        if event.recording == self._recordings.current and event.reason in UNKEPT:
            self._unkept_ns = event.at.monotonic_ns

    def wake(self, now: Instant) -> list[Effect]:
        """Time has passed: tell each limit that ran out, once."""
        if self._due_ns is None or now.monotonic_ns < self._due_ns:
            return []
        passed = [it for it in self.shift.limits if not it.told and has_passed(it, now)]
        limits = tuple(replace(it, told=True) if it in passed else it for it in self.shift.limits)
        told = tuple(duty_events.limit(EventType.LIMIT_PASSED, it, now) for it in passed)
        alarms = [RaiseAlarm(f"{it.words}：已超过时限，请立即办理并说明原因。") for it in passed]
        return [*self.keep(replace(self.shift, limits=limits), told, now), *alarms]

    def opening(self, effect: StartRecording, now: Instant) -> Iterator[Effect]:
        """A recording begins: who records and for what is frozen into it."""
        self._sequence, self._head, self._unkept_ns, self._began = 1, GENESIS, None, now
        if self.shift.task is None:
            self.shift = replace(self.shift, sheet=StepSheet())
        at = replace(self.at(now), recording=effect.recording)
        context = {OFFICER: "、".join(self.shift.certificates), TASK: at.task}
        yield replace(effect, context={**effect.context, **{name: text for name, text in context.items() if text}})
        for kind, note in (*duty_officers.journal_of_crew(at), *duty_tasks.journal_of_task(self.shift)):
            yield NoteDuty(kind, note, now)
        told = duty_events.labelled(at.crew, at.labels, at.task, effect.recording, now)
        yield from self.keep(replace(self.shift, asking=""), (told,), now)

    def closing(self, effect: StopRecording, now: Instant) -> Iterator[Effect]:
        """A recording is to be closed: what is missing is asked about, and the device is to be handed in."""
        at = replace(self.at(now), recording=effect.recording)
        shift, told, notes, alarms = duty_tasks.at_stop(at, self._began)
        if shift.out:
            limit = begin(LimitKind.HAND_IN, at.task, now, at.guidance.time_limits)
            shift, begun = duty_tasks.hand_in_from(shift, limit, now)
            told = (*told, *begun)
        for kind, note in notes:  # while there is a recording to sign it into
            yield NoteDuty(kind, note, now)
        yield effect
        yield from self.keep(shift, told, now)
        yield from alarms

    def answer(self, ask: str, outcome: Outcome) -> None:
        """Keep the answer until it was read; without a text it comes later."""
        self._unseen = True
        if outcome.text:
            self._answers[ask] = Answer(outcome.done, outcome.text, outcome.more)
        while len(self._answers) > ANSWERS_KEPT:
            self._answers.popitem(last=False)

    def carry_out(self, outcome: Outcome, now: Instant) -> list[Effect]:
        """The effects of `outcome`, whose shift holds from here on."""
        notes = [NoteDuty(kind, note, now) for kind, note in outcome.notes] if self._recording is not None else []
        return [*notes, *self.keep(outcome.shift, outcome.drafts, now), *outcome.effects]

    def keep(self, shift: Shift, drafts: tuple[EventDraft, ...], now: Instant) -> list[Effect]:
        """Store `drafts`, with the last of them the shift they lead to, and show it."""
        changed, self.shift = shift != self.shift, shift
        note = DutyKept(shift.encode().decode()) if changed else None
        at = self.at(now)
        self._due_ns = self._next_due(now)
        stored: list[Effect] = [StoreEvent(draft) for draft in drafts[:-1]]
        stored += [StoreEvent(draft, note) for draft in drafts[-1:]]
        if note is not None and not drafts:
            stored.append(StoreNote(note))
        if not (stored or self._unseen):
            return []
        self._unseen = False
        content = duty_events.shown_state(at, self._answers)
        return [*stored, ShowDuty(content)]

    def _next_due(self, now: Instant) -> int | None:
        running = [limit for limit in self.shift.limits if not limit.told]
        due = [due_monotonic_ns(limit, now) for limit in running]
        known = [at_ns for at_ns in due if at_ns is not None]
        return min([*known, now.monotonic_ns + LOOK_AGAIN_NS]) if running else None

    def at(self, now: Instant) -> Situation:
        """What a decision starts from."""
        return Situation(
            self.whose.place,
            self.whose.device,
            self.whose.unit,
            self.shift,
            self._guidance(now),
            self._recording,
            self._sequence,
            now,
            self._head,
            self._unkept_ns is None,
        )


def task_refused(payload: bytes, fault: SenderFault, now: Instant) -> EventDraft:
    """A task was not taken, and why as a code."""
    digest = event_hash(payload)
    data = {"code": fault.code, "digest": digest}
    return EventDraft(f"duty/task-refused/{digest[:32]}/{fault.code}", EventType.TASK_REFUSED, now, data)
