"""Events that the store would not take (quota, disk): kept in memory, tried again; the recording goes on."""

from collections import deque

from agent.control.backoff import NANOSECONDS
from agent.control.effects import Effect, RaiseAlarm, StoreEvent
from agent.control.messages import EventNotStored

LIMIT = 1000  # ours: beyond it drafts are dropped; what they told stands in the signed recordings and is read again
RETRY_NS = 30 * NANOSECONDS  # ours


class Unstored:
    """Drafts waiting for room in the store, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[StoreEvent] = deque(maxlen=LIMIT)
        self._retry_ns: int | None = None

    def deadline(self) -> int | None:
        """The monotonic nanosecond of the next try."""
        return self._retry_ns

    def keep(self, event: EventNotStored, now_ns: int) -> list[Effect]:
        """Remember what was not stored; the first of a row raises an alarm."""
        first = not self._waiting
        self._waiting.append(event.effect)
        self._retry_ns = now_ns + RETRY_NS
        name = event.effect.draft.event_id
        return [RaiseAlarm(f"事件 {name} 暂未入库（{event.detail}），录制不受影响，稍后重试。")] if first else []

    def again(self) -> list[Effect]:
        """Everything that waits, to be tried now."""
        waiting: list[Effect] = [*self._waiting]
        self._waiting.clear()
        self._retry_ns = None
        return waiting

    def wake(self, now_ns: int) -> list[Effect]:
        """Try again when it is time."""
        return self.again() if self._retry_ns is not None and now_ns >= self._retry_ns else []
