"""What to send next, and when a row may leave.

Events go out in order, many to a message, at most `WINDOW` messages without PUBACK and `AHEAD` without a receipt. A
PUBACK only moves the window, in which the retained state and hints count as well. A connection that ends, a refusal or
a receipt that does not come sends everything again from the last receipt on; the centre recognises what it has. After a
refusal one message alone finds out whether it still holds, over a new connection too. A centre that is behind gets
fewer and fuller messages (`agent.control.unreceipted`); what is urgent never waits for it.
"""

from collections.abc import Callable

from agent.control.backoff import NANOSECONDS, refused_after_ns, retry_after_ns
from agent.control.effects import Acknowledge, Effect, RaiseAlarm, SendEvents, SendHint
from agent.control.link_effects import LARGEST_PACKET
from agent.control.messages import EventsSent, EventStored, LinkUp, PublishAnswered, ReceiptCompared
from agent.control.unreceipted import Unreceipted
from agent.control.window import Window
from agent.wire.device_events import GENESIS, MAX_BATCH_BYTES

RESEND_PAUSE_NS = 2 * NANOSECONDS  # ours: many batches behind one gap ask for the same again
ENVELOPE_OVERHEAD_BYTES = 640  # DSSE frame, one signature (360), topic and properties around a payload
LEAST_PACKET = 1536  # ours: an event that declares another one lost is 1.3 KiB with its envelope
HINT_BEHIND = 200  # ours: with fewer waiting the event itself is as quick
NO_SUBSCRIBER_DOUBLINGS = 4  # ours: a receiver that comes back is found within 16 s
NO_SUBSCRIBER, FAILURE = 0x10, 0x80  # MQTT 5 section 2.4; codes from 0x80 on are failures


class Outbox:
    """The order of sending over one chain whose last event is `stored` and whose receipts reach `acked`."""

    def __init__(self, stored: int, acked: int, random: Callable[[], float]) -> None:
        self.stored, self.acked = stored, acked
        self._random = random
        self._sent = acked
        self._furthest = stored  # an earlier run of the process may have sent all of it
        self.window = Window()
        self._max_bytes, self._max_packet = MAX_BATCH_BYTES, LARGEST_PACKET
        self._unreceipted = Unreceipted()
        self._urgent = 0
        self._held_until_ns: int | None = None
        self._refusals = 0
        self._resend_from_ns = 0

    def connected(self, event: LinkUp) -> None:
        """A new connection: everything after the last receipt goes again, once what was refused is due."""
        self.window.open(event)
        room = (event.maximum_packet - ENVELOPE_OVERHEAD_BYTES) * 3 // 4  # base64
        self._max_bytes, self._max_packet = max(1, min(MAX_BATCH_BYTES, room)), event.maximum_packet
        self._rewind()
        self._unreceipted.connected()

    def disconnected(self) -> None:
        """Nothing can be sent until the next `connected`."""
        self.window.close()
        self._unreceipted.forget()

    def stored_up_to(self, event: EventStored) -> list[Effect]:
        """The chain has grown; asks for nothing by itself."""
        self.stored = max(self.stored, event.devseq)
        self._urgent = max(self._urgent, *event.urgent, 0)
        self.window.hint(number for number in event.urgent if number > self.acked + HINT_BEHIND)
        return []

    def next(self, now_ns: int) -> list[Effect]:
        """The one message that is due, if any; ask again after its `EventsSent`."""
        held = self._held_until_ns is not None and now_ns < self._held_until_ns
        connection = self.window.connection
        if connection is None or self.window.blocked or held or self._max_packet < LEAST_PACKET:
            return []
        hint = self.window.next_hint()
        if hint is None and not self._may_go(now_ns):
            return []
        self.window.asked, self._held_until_ns = True, None
        if hint is not None:
            return [SendHint(connection, hint)]
        return [SendEvents(connection, self._sent, self._max_bytes, self._max_packet)]

    def sent(self, event: EventsSent, now_ns: int) -> list[Effect]:
        """A message is with the link, or (`mid` None) the link could not take it: then wait for its end."""
        if event.connection != self.window.connection:
            return []
        self.window.asked = False
        if event.mid is None:
            self._held_until_ns = now_ns + retry_after_ns(1, self._random)
            return []
        self._sent = event.last
        self._furthest = max(self._furthest, event.last, event.ahead)
        self.window.sent(event.mid)
        self._unreceipted.sent(event.last, now_ns)
        return []

    def answered(self, event: PublishAnswered, now_ns: int) -> list[Effect]:
        """A PUBACK makes room in the window; a refusal keeps every row, waits and tries again."""
        if not self.window.answered(event):
            return []
        if event.code != NO_SUBSCRIBER and event.code < FAILURE:
            self._refusals, self.window.probing = 0, False
            return []
        if self._held_until_ns is not None and now_ns < self._held_until_ns:
            return []
        self._refusals, self.window.probing = self._refusals + 1, True
        wait_ns, why = _refusal(event.code, self._refusals, self._random)
        self._held_until_ns = now_ns + wait_ns
        self._rewind()
        return [RaiseAlarm(f"{why}，数据都在本机，稍后再发。")]

    def compared(self, event: ReceiptCompared, now_ns: int) -> list[Effect]:
        """Apply a verified receipt, or refuse it: it may name nothing but what was sent, with our own hash."""
        receipt = event.receipt
        if receipt.upto > self._furthest:
            return [RaiseAlarm(f"回执称已收到第 {receipt.upto} 号事件，但本机只发到第 {self._furthest} 号，已拒绝。")]
        if receipt.upto < self.acked:
            return [_no_longer_here(receipt.upto, self.acked)] if receipt.resend else []
        own = GENESIS if receipt.upto == 0 else event.own
        if own is None or own != receipt.head:
            return [RaiseAlarm(f"回执中第 {receipt.upto} 号事件的摘要与本机不符，已拒绝。请中心核对该设备的事件链。")]
        effects = self._advance(receipt.upto, now_ns)
        if receipt.resend and now_ns >= self._resend_from_ns:
            self._resend_from_ns = now_ns + RESEND_PAUSE_NS
            self._rewind()
        return effects

    def deadline(self) -> int | None:
        """The monotonic nanosecond at which `wake` has something to do."""
        if self.window.connection is None:
            return None
        times = [self._held_until_ns, self._unreceipted.due_ns]
        if self._held_until_ns is None and not self.window.blocked:
            times.append(self._unreceipted.pause_ends(self.stored - self._sent))
        return min((time for time in times if time is not None), default=None)

    def wake(self, now_ns: int) -> list[Effect]:
        """End a hold that is over; send again from the last receipt when the next one is overdue."""
        if self._held_until_ns is not None and now_ns >= self._held_until_ns:
            self._held_until_ns = None
        if not self._unreceipted.overdue(now_ns):
            return []
        self._rewind()
        return [RaiseAlarm(f"第 {self.acked + 1} 号事件起未收到中心回执，数据都在本机，将重发。")]

    def _may_go(self, now_ns: int) -> bool:
        waiting = self.stored - self._sent
        return waiting > 0 and not self._unreceipted.holds(waiting, now_ns, urgent=self._sent < self._urgent)

    def _advance(self, upto: int, now_ns: int) -> list[Effect]:
        if upto == self.acked:
            self._unreceipted.heard(now_ns)
            return []
        self.acked, self._sent = upto, max(self._sent, upto)
        self._refusals, self.window.probing = 0, False
        self._unreceipted.receipted(upto, now_ns)
        return [Acknowledge(upto)]

    def _rewind(self) -> None:
        self._sent = self.acked
        self._unreceipted.forget()


def _no_longer_here(upto: int, acked: int) -> RaiseAlarm:
    return RaiseAlarm(f"中心要求从第 {upto + 1} 号事件重发，但第 {acked} 号以前已有回执，本机已不再保存。")


def _refusal(code: int, count: int, random: Callable[[], float]) -> tuple[int, str]:
    if code == NO_SUBSCRIBER:
        return retry_after_ns(min(count, NO_SUBSCRIBER_DOUBLINGS), random), "中心没有接收程序在线"
    return refused_after_ns(count, random), f"消息服务器拒绝接收事件（原因码 0x{code:02x}）"
