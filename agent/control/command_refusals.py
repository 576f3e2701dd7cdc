"""Refused commands as events: the first of an hour one by one, all others counted and summed up.

Whoever can write to a device's command topic may send anything, as fast as the broker lets him. What he sends must not
fill the store in which the evidence waits.
"""

from collections import Counter

from agent.control.backoff import NANOSECONDS
from agent.control.effects import Effect, EventDraft, RaiseAlarm, StoreEvent, moment_name
from agent.errors import SenderFault
from agent.wire.device_events import EventType, event_hash
from agent.wire.instant import Instant

TOLD_ONE_BY_ONE = 20  # ours, an hour; each event has some 500 bytes
HOUR_NS = 3600 * NANOSECONDS


class CommandRefusals:
    """Counts for one device; an hour begins with its first refusal."""

    def __init__(self) -> None:
        self._told = 0
        self._counted: Counter[str] = Counter()
        self._over_ns: int | None = None

    def deadline(self) -> int | None:
        """The monotonic nanosecond at which what was counted is told."""
        return self._over_ns

    def refused(self, payload: bytes, fault: SenderFault, last: int, now: Instant) -> list[Effect]:
        """One more was refused; `last` is the highest number that this device has used up."""
        if self._over_ns is None:
            self._over_ns = now.monotonic_ns + HOUR_NS
        if self._told >= TOLD_ONE_BY_ONE:
            self._counted[fault.code] += 1
            return []
        self._told += 1
        digest = event_hash(payload)
        data = {"code": fault.code, "digest": digest, "last": last}
        name = f"command-refused/{digest[:32]}/{fault.code}"
        return [RaiseAlarm(str(fault)), StoreEvent(EventDraft(name, EventType.COMMAND_REFUSED, now, data))]

    def wake(self, now: Instant) -> list[Effect]:
        """Tell the sum when the hour is over."""
        if self._over_ns is None or now.monotonic_ns < self._over_ns:
            return []
        return self.sum_up(now)

    def sum_up(self, now: Instant) -> list[Effect]:
        """Tell what was only counted, and begin to count anew."""
        counted, self._counted = self._counted, Counter()
        self._told, self._over_ns = 0, None
        if not counted:
            return []
        data = {"codes": dict(counted), "count": counted.total()}
        alarm = RaiseAlarm(f"一小时内另有 {counted.total()} 条命令被拒绝，只计数未逐条上报。请检查消息服务器。")
        return [
            alarm,
            StoreEvent(EventDraft(f"commands-refused/{moment_name(now)}", EventType.COMMANDS_REFUSED, now, data)),
        ]
