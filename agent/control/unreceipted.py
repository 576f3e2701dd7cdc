"""What was sent and has no receipt yet: how far ahead of the centre the device goes, and when it speaks again.

Receipts are due within a second. While they come, every event goes at once. When they do not, the centre is behind or
away, and a message of one event costs it as much as one of fifty: what is not a full batch then waits for a receipt,
but not longer than a head may. So a centre with too little time for each event alone gets them together, and catches
up. Nothing at all sends everything again, ever more slowly; a new connection and any word of the centre end the long
waits.
"""

from collections import deque

from agent.control.backoff import NANOSECONDS
from agent.wire.device_events import MAX_BATCH_EVENTS

AHEAD = 400  # ours: messages the broker may hold for a receiver that is away; its own limit is 1000
RECEIPT_WAIT_NS = 30 * NANOSECONDS  # ours; receipts are due within 1 s
RECEIPT_WAIT_CAP_NS = 600 * NANOSECONDS  # ours: what sending `AHEAD` messages again costs, six times an hour
LATE_NS = 3 * NANOSECONDS  # ours: longer than two receipts are apart, on a slow network as well
PAUSE_NS = 15 * NANOSECONDS  # DESIGN section 4: heads go to the centre every 15 s, also while it does not answer


class Unreceipted:
    """Messages of one connection by the last event of each, oldest first, and when each was sent."""

    def __init__(self) -> None:
        self._sent: deque[tuple[int, int]] = deque()
        self._wait_ns = RECEIPT_WAIT_NS
        self.due_ns: int | None = None

    def sent(self, last: int, now_ns: int) -> None:
        """One more message, up to event `last`."""
        self._sent.append((last, now_ns))
        if self.due_ns is None:
            self.due_ns = now_ns + self._wait_ns

    def receipted(self, upto: int, now_ns: int) -> None:
        """The centre has the events up to `upto`."""
        while self._sent and self._sent[0][0] <= upto:
            self._sent.popleft()
        self._wait_ns = RECEIPT_WAIT_NS
        self.due_ns = now_ns + RECEIPT_WAIT_NS if self._sent else None

    def heard(self, now_ns: int) -> None:
        """The centre spoke and has nothing new of ours: it is there, and what it lost it will not wait for long."""
        self._wait_ns = RECEIPT_WAIT_NS
        if self.due_ns is not None:
            self.due_ns = min(self.due_ns, now_ns + RECEIPT_WAIT_NS)

    def connected(self) -> None:
        """A new connection; what an earlier one waited for says nothing about it."""
        self.forget()
        self._wait_ns = RECEIPT_WAIT_NS

    def forget(self) -> None:
        """Everything goes again, or nothing can go: nothing is waited for."""
        self._sent.clear()
        self.due_ns = None

    def overdue(self, now_ns: int) -> bool:
        """Whether the receipt is overdue; then the next one may take twice as long."""
        if self.due_ns is None or now_ns < self.due_ns:
            return False
        self._wait_ns = min(2 * self._wait_ns, RECEIPT_WAIT_CAP_NS)
        return True

    def holds(self, waiting: int, now_ns: int, *, urgent: bool) -> bool:
        """Whether `waiting` events that were not sent are to stay here for now; `urgent`: one of them spares nobody."""
        if not self._sent or len(self._sent) >= AHEAD:
            return bool(self._sent)
        ends = None if urgent or now_ns - self._sent[0][1] < LATE_NS else self.pause_ends(waiting)
        return ends is not None and now_ns < ends

    def pause_ends(self, waiting: int) -> int | None:
        """When they go without a receipt, where they wait for one; None where they do not, or nothing else helps."""
        if not self._sent or len(self._sent) >= AHEAD or not 0 < waiting < MAX_BATCH_EVENTS:
            return None
        return self._sent[-1][1] + PAUSE_NS
