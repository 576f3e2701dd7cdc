"""The interruptions of one recording, kept until a fragment on the disk carries them."""

from dataclasses import replace

from agent.evidence.journal import CLOCK_JUMPED, GAP_CLOSED, GAP_OPENED, HEALTH, JournalEvent, Reason, overflow_event
from agent.wire.instant import Instant

MAX_PENDING = 64  # ours; with notes of this length they fit a journal entry, 32 KiB. Further events become one
NOTE_CHARACTERS = 100  # ours, of three bytes each; sixteen such notes also fit a seal
MAX_READINGS = 4  # ours
JUMP_MS = 1000  # ours; the wall clock and the monotonic clock may drift apart so much between two fragments


class GapLog:
    """Collects journal events; at most one lasting gap is open at a time, the first reason stands. What is told at once
    is another thing than what is signed: every reason is told, each once until a fragment is stored again: `told` are
    those that would not be told now."""

    def __init__(self) -> None:
        self._pending: list[JournalEvent] = []
        self._open: Reason | None = None
        self._passed_at: Instant | None = None
        self.told: set[Reason] = set()
        self._impaired: set[Reason] = set()
        self._last: Instant | None = None
        self._beyond: JournalEvent | None = None
        self._beyond_count = 0

    @property
    def pending(self) -> tuple[JournalEvent, ...]:
        """What no stored fragment carries yet, oldest first; what there is no room for stands last, as one event."""
        beyond = [] if self._beyond is None else [overflow_event(self._beyond, self._beyond_count)]
        return (*self._pending, *beyond)

    def written(self) -> None:
        """The pending events are on the disk."""
        self._pending.clear()
        if self._open is None:
            self.told.clear()
        self._beyond, self._beyond_count = None, 0

    def note(self, event: JournalEvent) -> None:
        """Something that is no gap of the media: silence, an explanation, a mark, a reading of the device's state. Of
        readings that no fragment takes along for long, the first ones and the last are kept: a seal has little room,
        and all of them are events of the device as well."""
        waiting = [it for it in self._pending if it.kind == HEALTH]
        if event.kind == HEALTH and len(waiting) >= MAX_READINGS:
            self._pending.remove(waiting[-1])
        self._add(event)

    def impaired(self, reason: Reason, *, lost: bool, at: Instant) -> bool:
        """Whether something is missing while capture goes on: sound, or pictures that move. Apart from other gaps, one
        state for each `reason`; returns whether it was lost just now."""
        if lost is (reason in self._impaired):
            return False
        self._impaired ^= {reason}
        self._add(JournalEvent(GAP_OPENED if lost else GAP_CLOSED, at, reason))
        return lost

    def open(self, reason: Reason, at: Instant, note: str = "") -> bool:
        """Capture broke off; returns whether that is a gap of its own (False while one is open already). One that
        began since the reason of the open gap is over goes back to that moment: nothing was recorded in between."""
        if self._open is not None and self._passed_at is None:
            return False
        if self._passed_at is not None:
            at = self._passed_at
            self.close(at)
        self._open = reason
        last = self._pending[-1] if self._pending and self._beyond is None else None
        if last is not None and (last.kind, last.reason) == (GAP_CLOSED, reason):
            self._pending.pop()  # the attempt to go on failed before it left a fragment: still the same gap
            return False
        self._add(JournalEvent(GAP_OPENED, at, reason, note))
        return True

    def close(self, at: Instant) -> None:
        """Capture goes on, if it was broken off."""
        if self._open is not None:
            self._add(JournalEvent(GAP_CLOSED, at, self._open))
            self._open = self._passed_at = None

    def resumed(self, at: Instant) -> None:
        """A pause is over; its gap closes with the next picture, or here when there is another reason why none comes.
        Whatever goes wrong from here on is told anew."""
        self.told.clear()
        if self._open is Reason.PAUSED:
            self._passed_at = at

    def unheard(self, reason: Reason) -> bool:
        """Whether nobody was told of this yet since the last stored fragment; now somebody is."""
        news = reason not in self.told
        self.told.add(reason)
        return news

    def passed(self, reason: Reason, since: Instant, until: Instant, note: str) -> None:
        """A gap that is over already."""
        self._add(JournalEvent(GAP_OPENED, since, reason, note))
        self._add(JournalEvent(GAP_CLOSED, until, reason))

    def tick(self, now: Instant) -> None:
        """Note a step of the wall clock since the last call."""
        if self._last is not None and self._last.boot == now.boot:
            wall_ms = (now.wall - self._last.wall).total_seconds() * 1000
            step = round(wall_ms - (now.monotonic_ns - self._last.monotonic_ns) / 10**6)
            if abs(step) > JUMP_MS:
                self._add(JournalEvent(CLOCK_JUMPED, now, Reason.CLOCK_JUMPED, f"{step:+d} ms"))
        self._last = now

    def _add(self, event: JournalEvent) -> None:
        if len(self._pending) < MAX_PENDING - 1:
            self._pending.append(replace(event, note=event.note[:NOTE_CHARACTERS]))
            return
        reason = event.reason or self._open
        self._beyond = self._beyond or replace(event, reason=reason)
        self._beyond_count += 1
