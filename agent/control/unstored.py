"""Events that the store would not take (quota, disk): kept in memory, tried again; the recording goes on.

Only so many are kept. Later ones are counted, and the number is an event itself as soon as there is room: what they
told stands in the signed recordings and is read again at the next start. One is tried at a time: a store that still
refuses costs the loop one refusal and not a thousand, and one that takes it is given the next at once.

What is to be remembered beside an event may be overtaken while it waits: then the event is stored without it. And what
deletes is never kept here: whoever asked for it decides anew, by what holds then.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from agent.control.back_pressure import Weight, weight
from agent.control.backoff import NANOSECONDS
from agent.control.command_messages import KeepCommand
from agent.control.effects import (
    DisclosureSeen,
    DutyKept,
    Effect,
    EventDraft,
    HeadSeen,
    HealthSeen,
    Note,
    RaiseAlarm,
    StoreEvent,
    StoreNote,
    moment_name,
)
from agent.control.messages import EventNotStored
from agent.control.offload_messages import KeptGone, KeptSeen
from agent.wire.device_events import EventType
from agent.wire.instant import Instant

LIMIT = 1000  # ours: some 300 KiB of memory
RETRY_NS = 30 * NANOSECONDS  # ours


class Unstored:
    """Drafts waiting for room in the store, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[StoreEvent] = deque()
        self._tried: StoreEvent | None = None
        self._dropped = 0
        self._retry_ns: int | None = None
        self._newest: dict[object, Note] = {}

    def pass_on(self, effects: list[Effect]) -> list[Effect]:
        """`effects` as they are; which notes are the newest of their kind is remembered."""
        for note in _notes(effects):
            self._newest[_about(note)] = note
        return effects

    def deadline(self) -> int | None:
        """The monotonic nanosecond of the next try."""
        return self._retry_ns

    def keep(self, event: EventNotStored, now_ns: int) -> list[Effect]:
        """Remember what was not stored, or count it when no more can be remembered; the first of each raises an
        alarm."""
        self._retry_ns = now_ns + RETRY_NS
        draft, tried_again = event.effect.draft, event.effect is self._tried
        self._tried = None
        if draft.type is EventType.RECORDING_DELETED:
            return []
        if tried_again:
            self._waiting.appendleft(event.effect)
            return []
        if draft.type is EventType.EVENTS_DROPPED:
            self._dropped += draft.data["count"]
            return []
        if weight(draft.type) is Weight.ROUTINE:
            self._dropped += 1
            return []
        if len(self._waiting) < LIMIT:
            self._waiting.append(event.effect)
            text = f"事件 {draft.event_id} 暂未入库（{event.detail}），录制不受影响，稍后重试。"
            return [RaiseAlarm(text)] if len(self._waiting) == 1 else []
        self._dropped += 1
        text = f"暂未入库的事件已有 {LIMIT} 条，此后的只计数不保存。请尽快检查存储空间与存储卡。"
        return [RaiseAlarm(text)] if self._dropped == 1 else []

    def again(self, now: Instant) -> list[Effect]:
        """The oldest that waits, to be tried now: ask again when an event was stored. Behind the last comes how many
        were only counted."""
        self._retry_ns = None
        if self._waiting:
            self._tried = self._without_overtaken(self._waiting.popleft())
            return [self._tried]
        self._tried = None
        if not self._dropped:
            return []
        draft = EventDraft(
            f"events-dropped/{moment_name(now)}", EventType.EVENTS_DROPPED, now, {"count": self._dropped}
        )
        self._dropped = 0
        return [StoreEvent(draft)]

    def wake(self, now: Instant) -> list[Effect]:
        """Try again when it is time."""
        return self.again(now) if self._retry_ns is not None and now.monotonic_ns >= self._retry_ns else []

    def _without_overtaken(self, effect: StoreEvent) -> StoreEvent:
        note = effect.note
        if note is None or _about(note) is None or self._newest.get(_about(note)) is note:
            return effect
        return replace(effect, note=None)


def _notes(effects: Iterable[Effect]) -> Iterable[Note]:
    for effect in effects:
        match effect:
            case StoreEvent(_, note) if note is not None:
                yield note
            case StoreNote(note):
                yield note
            case KeepCommand(_, _, notes):
                yield from notes


def _about(note: Note) -> object:
    """What a note replaces: a later one about the same holds. None of one that takes nothing back."""
    match note:
        case KeptSeen(kept):
            return KeptSeen, kept.recording
        case KeptGone(recording):
            return KeptSeen, recording
        case DisclosureSeen(kind, name):
            return DisclosureSeen, kind, name
        case HeadSeen(partner):
            return HeadSeen, partner
        case DutyKept() | HealthSeen():
            return type(note)
    return None
