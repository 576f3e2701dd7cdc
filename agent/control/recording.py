"""The recording state machine: one table, and what each step means for the recorder and for the centre.

    idle --press--> starting --first fragment--> recording --press--> stopping --sealed--> idle

Events it drafts (`data` in brackets), all with ids that name the fact:
`R000001/started` (recording, previous, policies, labels), `R000001/head/12` (recording, segment, sequence, head, size),
`R000001/gap/{boot}-{ms}` (recording, reason), `R000001/sealed` and `R000001/recovered` (recording, segments, fragments,
head, duration_ms, size, reason, discarded_bytes), `R000001/failed` (recording, detail), `photo/<sha256>` (photo, size,
recording or "").
A failure labels a recording and never stops one that runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from agent.control.acts import Act
from agent.control.effects import (
    DETAIL_LENGTH,
    Effect,
    EventDraft,
    MarkRecording,
    RaiseAlarm,
    RecordingEnded,
    ReserveRecording,
    StartRecording,
    StopRecording,
    StoreEvent,
    TakePhoto,
    moment_name,
)
from agent.control.messages import (
    FragmentStored,
    GapOpened,
    OfficerActed,
    PhotoTaken,
    RecordingFailed,
    RecordingFound,
    RecordingSealed,
)
from agent.duty.policies import Policies
from agent.wire.device_events import EventType
from agent.wire.identifiers import DeviceId, Digest, RecordingId, recording_id, recording_number
from agent.wire.instant import Instant

HEAD_INTERVAL_MS = 15_000  # DESIGN section 4: heads go to the centre every <= 15 s
STOPPED, SHUTDOWN = "stopped", "shutdown"  # agent.evidence.journal.Reason


class State(Enum):
    """Where the device is with its recording."""

    IDLE = auto()
    STARTING = auto()
    RECORDING = auto()
    STOPPING = auto()


class Trigger(Enum):
    """What moves the machine."""

    PRESSED = auto()
    SHUT_DOWN = auto()
    FRAGMENT = auto()
    ENDED = auto()


class Step(Enum):
    """What is to be done on a transition."""

    NOTHING = auto()
    START = auto()
    STOP = auto()
    WISH_AGAIN = auto()
    SETTLE = auto()


TRANSITIONS: Mapping[tuple[State, Trigger], tuple[State, Step]] = {
    (State.IDLE, Trigger.PRESSED): (State.STARTING, Step.START),
    (State.STARTING, Trigger.PRESSED): (State.STOPPING, Step.STOP),
    (State.RECORDING, Trigger.PRESSED): (State.STOPPING, Step.STOP),
    # Who presses while the last recording is being sealed wants a new one: it begins when the seal is on the disk.
    (State.STOPPING, Trigger.PRESSED): (State.STOPPING, Step.WISH_AGAIN),
    (State.STARTING, Trigger.FRAGMENT): (State.RECORDING, Step.NOTHING),
    (State.STARTING, Trigger.SHUT_DOWN): (State.STOPPING, Step.STOP),
    (State.RECORDING, Trigger.SHUT_DOWN): (State.STOPPING, Step.STOP),
    (State.STARTING, Trigger.ENDED): (State.IDLE, Step.SETTLE),
    (State.RECORDING, Trigger.ENDED): (State.IDLE, Step.SETTLE),
    (State.STOPPING, Trigger.ENDED): (State.IDLE, Step.SETTLE),
}
"""Pairs that are not here change nothing and ask for nothing."""


@dataclass(frozen=True)
class RecordingMemory:
    """What a device must remember of its recordings: the last number used, and the last head with its number."""

    last_number: int
    head_number: int
    head: Digest


class RecordingMachine:
    """Follows the device's one recording at a time; the policies `in_force` when it begins are frozen into it.
    `refusal` is one Chinese line while none may begin, else empty."""

    def __init__(
        self,
        device: DeviceId,
        unit: str,
        memory: RecordingMemory,
        context: Mapping[str, str | int | bool],
        in_force: Callable[[datetime], Policies],
    ) -> None:
        self._in_force = in_force
        self._device, self._unit, self._context = device, unit, dict(context)
        self._number, self._head_number, self._head = memory.last_number, memory.head_number, memory.head
        self._next_head_ms = 0
        self._again = self._closing = False
        self.refusal = ""
        self.state = State.IDLE

    @property
    def current(self) -> RecordingId | None:
        """The recording that is not over yet."""
        return None if self.state is State.IDLE else recording_id(self._device, self._number)

    def pressed(self, at: Instant) -> list[Effect]:
        """The record button: start, stop, or start again after the seal. Ignored once the device shuts down."""
        if self.refusal:
            return [RaiseAlarm(self.refusal)]
        return [] if self._closing else self._move(Trigger.PRESSED, at)

    def acted(self, event: OfficerActed) -> list[Effect]:
        """Another act of the officer: a photo at any time, everything else only inside a recording that is not being
        closed, for there is nothing to mute or to explain without one."""
        if self._closing:
            return []
        if event.act is Act.PHOTO:
            return [TakePhoto(self._device, self._unit, event.at)]
        if self.state not in (State.STARTING, State.RECORDING):
            return []
        return [MarkRecording(recording_id(self._device, self._number), event.act, event.cause, event.at)]

    def shut_down(self, at: Instant, reason: str = SHUTDOWN, refusal: str = "") -> list[Effect]:
        """The device is about to stop: close what runs, begin nothing any more; with a `refusal`, until that is taken
        back."""
        self._closing, self._again, self.refusal = self._closing or not refusal, False, refusal
        return self._move(Trigger.SHUT_DOWN, at, reason)

    def fragment_stored(self, event: FragmentStored) -> list[Effect]:
        """A signed fragment is on the disk: the first head at once, then one before `HEAD_INTERVAL_MS` is over."""
        self.found(event)
        if event.recording != self.current:
            return []
        self._move(Trigger.FRAGMENT, event.captured)
        now_ms = event.captured.monotonic_ns // 1_000_000
        if now_ms < self._next_head_ms:
            return []
        # The next fragment is only known when it is complete, one duration later.
        self._next_head_ms = now_ms + HEAD_INTERVAL_MS - 2 * event.duration_ms
        data = {"segment": event.segment, "sequence": event.sequence, "head": event.head, "size": event.size}
        kind = EventType.RECORDING_HEAD_ADVANCED
        return [_store(event.recording, f"head/{event.sequence}", kind, event.captured, data)]

    def found(self, event: RecordingFound | FragmentStored | RecordingSealed) -> list[Effect]:
        """A recording stands up to a head, now or since an earlier run: the next one is linked to it."""
        if recording_number(event.recording) >= self._head_number:
            self._head_number, self._head = recording_number(event.recording), event.head
        return []

    def sealed(self, event: RecordingSealed) -> list[Effect]:
        """A recording is closed, now or by a later start of the device."""
        self.found(event)
        kind = EventType.RECORDING_RECOVERED if event.recovered else EventType.RECORDING_SEALED
        data = {
            "segments": event.segments,
            "fragments": event.fragments,
            "head": event.head,
            "duration_ms": event.duration_ms,
            "size": event.size,
            "reason": event.reason,
            "discarded_bytes": event.discarded_bytes,
        }
        ended = RecordingEnded(recording_number(event.recording), event.head)
        fact = "recovered" if event.recovered else "sealed"
        return [_store(event.recording, fact, kind, event.at, data, ended), *self._ended(event.recording, event.at)]

    def failed(self, event: RecordingFailed) -> list[Effect]:
        """A recording could not begin or go on; what is on the disk is recovered and reported at a later start."""
        recording = event.recording or self.current
        alarm = RaiseAlarm(event.detail)
        if recording is None:
            return [alarm]
        over = RecordingEnded(recording_number(recording), None)
        data = {"detail": event.detail[:DETAIL_LENGTH]}
        stored = _store(recording, "failed", EventType.RECORDING_REFUSED, event.at, data, over)
        return [alarm, stored, *self._ended(recording, event.at)]

    def _ended(self, recording: RecordingId, at: Instant) -> list[Effect]:
        return self._move(Trigger.ENDED, at) if recording == self.current else []

    def _move(self, trigger: Trigger, at: Instant, reason: str = STOPPED) -> list[Effect]:
        self.state, step = TRANSITIONS.get((self.state, trigger), (self.state, Step.NOTHING))
        match step:
            case Step.START:
                return self._start(at)
            case Step.STOP:
                return [StopRecording(recording_id(self._device, self._number), reason)]
            case Step.WISH_AGAIN:
                self._again = not self._again
            case Step.SETTLE if self._again:
                self._again = False
                return self._move(Trigger.PRESSED, at)
        return []

    def _start(self, at: Instant) -> list[Effect]:
        self._number += 1
        self._next_head_ms = 0
        recording, policies = recording_id(self._device, self._number), self._in_force(at.wall)
        told = {"previous": self._head, "policies": policies.versions, "labels": list(policies.labels)}
        return [
            ReserveRecording(self._number),
            StartRecording(recording, self._unit, self._head, {**self._context, **policies.context}),
            _store(recording, "started", EventType.RECORDING_STARTED, at, told),
        ]


def gap_opened(event: GapOpened) -> list[Effect]:
    """Capture broke off; the recording goes on and says so."""
    fact = f"gap/{moment_name(event.at)}"
    return [_store(event.recording, fact, EventType.RECORDING_GAP_OPENED, event.at, {"reason": event.reason})]


def photo_taken(event: PhotoTaken) -> list[Effect]:
    """A photo is on the disk: its hash goes to the centre."""
    data = {"photo": event.digest, "size": event.size, "recording": event.recording or ""}
    return [StoreEvent(EventDraft(f"photo/{event.digest}", EventType.PHOTO_TAKEN, event.at, data))]


def _store(
    recording: RecordingId,
    fact: str,
    kind: EventType,
    at: Instant,
    data: Mapping[str, Any],
    note: RecordingEnded | None = None,
) -> StoreEvent:
    name = f"R{recording.rpartition('-R')[2]}/{fact}"
    return StoreEvent(EventDraft(name, kind, at, {"recording": recording, **data}), note)
