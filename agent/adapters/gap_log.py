"""The interruptions of one recording, kept until a fragment on the disk carries them."""

from agent.evidence.journal import CLOCK_JUMPED, GAP_CLOSED, GAP_OPENED, JournalEvent, Reason
from agent.wire.instant import Instant

MAX_PENDING = 64  # ours; a journal entry holds 32 KiB. Further events are counted, see `unwritten`
JUMP_MS = 1000  # ours; the wall clock and the monotonic clock may drift apart so much between two fragments


class GapLog:
    """Collects journal events; at most one lasting gap is open at a time, the first reason stands."""

    def __init__(self) -> None:
        self._pending: list[JournalEvent] = []
        self._open: Reason | None = None
        self._last: Instant | None = None
        self.unwritten = 0

    @property
    def pending(self) -> tuple[JournalEvent, ...]:
        """What no stored fragment carries yet, oldest first."""
        return tuple(self._pending)

    def written(self) -> None:
        """The pending events are on the disk."""
        self._pending.clear()

    def open(self, reason: Reason, at: Instant, note: str = "") -> bool:
        """Capture broke off; returns whether that is news (False while a gap is open already)."""
        if self._open is not None:
            return False
        self._open = reason
        if self._pending and self._pending[-1].kind == GAP_CLOSED and self._pending[-1].reason is reason:
            self._pending.pop()  # the attempt to go on failed before it left a fragment: still the same gap
            return False
        self._add(JournalEvent(GAP_OPENED, at, reason, note))
        return True

    def close(self, at: Instant) -> None:
        """Capture goes on, if it was broken off."""
        if self._open is not None:
            self._add(JournalEvent(GAP_CLOSED, at, self._open))
            self._open = None

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
        if len(self._pending) < MAX_PENDING:
            self._pending.append(event)
        else:
            self.unwritten += 1
