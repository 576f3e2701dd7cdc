"""What to send next, and when a row may leave.

Events go out in order, many to a message, at most `WINDOW` messages without PUBACK and `AHEAD` without a receipt. A
PUBACK only moves the window. A connection that ends, a refusal or a receipt that does not come sends everything again
from the last receipt on; the centre recognises what it has.
"""

from collections import deque
from collections.abc import Callable

from agent.control.backoff import NANOSECONDS, refused_after_ns, retry_after_ns
from agent.control.effects import Acknowledge, Effect, RaiseAlarm, SendEvents
from agent.control.messages import EventsSent, LinkUp, PublishAnswered, ReceiptCompared
from agent.wire.device_events import GENESIS, MAX_BATCH_BYTES

WINDOW = 50  # reference/mqtt.md section 3a: paho is fastest at 20..100 and slows with more
AHEAD = 200  # ours: messages the broker may hold for a receiver that is away; its own limit is 1000
RECEIPT_WAIT_NS = 30 * NANOSECONDS  # ours; receipts are due within 1 s
RECEIPT_WAIT_CAP_NS = 600 * NANOSECONDS  # ours: what sending `AHEAD` messages again costs, six times an hour
RESEND_PAUSE_NS = 2 * NANOSECONDS  # ours: many batches behind one gap ask for the same again
ENVELOPE_OVERHEAD_BYTES = 2048  # DSSE frame, signature and topic around a payload
NO_SUBSCRIBER, FAILURE = 0x10, 0x80  # MQTT 5 section 2.4; codes from 0x80 on are failures


class Outbox:
    """The order of sending over one chain whose last event is `stored` and whose receipts reach `acked`."""

    def __init__(self, stored: int, acked: int, random: Callable[[], float]) -> None:
        self.stored, self.acked = stored, acked
        self._random = random
        self._sent = acked
        self._furthest = stored  # an earlier run of the process may have sent all of it
        self._connection: int | None = None
        self._window, self._max_bytes = WINDOW, MAX_BATCH_BYTES
        self._in_flight: set[int] = set()
        self._without_receipt: deque[int] = deque()
        self._asked = False
        self._held_until_ns: int | None = None
        self._receipt_due_ns: int | None = None
        self._receipt_wait_ns = RECEIPT_WAIT_NS
        self._refusals = 0
        self._resend_from_ns = 0

    def connected(self, event: LinkUp) -> None:
        """A new connection: everything after the last receipt goes again."""
        self._connection = event.connection
        self._window = min(WINDOW, event.receive_maximum)
        room = (event.maximum_packet - ENVELOPE_OVERHEAD_BYTES) * 3 // 4  # base64
        self._max_bytes = max(1, min(MAX_BATCH_BYTES, room))
        self._in_flight.clear()
        self._asked, self._held_until_ns = False, None
        self._rewind()

    def disconnected(self) -> None:
        """Nothing can be sent until the next `connected`."""
        self._connection = self._held_until_ns = self._receipt_due_ns = None
        self._asked = False

    def stored_up_to(self, devseq: int) -> list[Effect]:
        """The chain has grown; asks for nothing by itself."""
        self.stored = max(self.stored, devseq)
        return []

    def next(self, now_ns: int) -> list[Effect]:
        """The one message that is due, if any; ask again after its `EventsSent`."""
        held = self._held_until_ns is not None and now_ns < self._held_until_ns
        full = len(self._in_flight) >= self._window or len(self._without_receipt) >= AHEAD
        if self._connection is None or self._asked or held or full or self._sent >= self.stored:
            return []
        self._asked, self._held_until_ns = True, None
        return [SendEvents(self._connection, self._sent, self._max_bytes)]

    def sent(self, event: EventsSent, now_ns: int) -> list[Effect]:
        """A message is with the link, or (`mid` None) the link could not take it: then wait for its end."""
        if event.connection != self._connection:
            return []
        self._asked = False
        if event.mid is None:
            self._held_until_ns = now_ns + retry_after_ns(1, self._random)
            return []
        self._sent = event.last
        self._furthest = max(self._furthest, event.last, event.ahead)
        self._in_flight.add(event.mid)
        self._without_receipt.append(event.last)
        if self._receipt_due_ns is None:
            self._receipt_due_ns = now_ns + self._receipt_wait_ns
        return []

    def answered(self, event: PublishAnswered, now_ns: int) -> list[Effect]:
        """A PUBACK makes room in the window; a refusal keeps every row, waits and tries again."""
        if event.connection != self._connection or event.mid not in self._in_flight:
            return []
        self._in_flight.discard(event.mid)
        if event.code != NO_SUBSCRIBER and event.code < FAILURE:
            return []
        if self._held_until_ns is not None and now_ns < self._held_until_ns:
            return []
        self._refusals += 1
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
        if self._connection is None:
            return None
        times = [time for time in (self._held_until_ns, self._receipt_due_ns) if time is not None]
        return min(times, default=None)

    def wake(self, now_ns: int) -> list[Effect]:
        """End a hold that is over; send again from the last receipt when the next one is overdue."""
        if self._held_until_ns is not None and now_ns >= self._held_until_ns:
            self._held_until_ns = None
        if self._receipt_due_ns is None or now_ns < self._receipt_due_ns:
            return []
        self._receipt_wait_ns = min(2 * self._receipt_wait_ns, RECEIPT_WAIT_CAP_NS)
        self._rewind()
        return [RaiseAlarm(f"第 {self.acked + 1} 号事件起未收到中心回执，数据都在本机，将重发。")]

    def _advance(self, upto: int, now_ns: int) -> list[Effect]:
        if upto == self.acked:
            return []
        self.acked, self._sent = upto, max(self._sent, upto)
        while self._without_receipt and self._without_receipt[0] <= upto:
            self._without_receipt.popleft()
        self._refusals, self._receipt_wait_ns = 0, RECEIPT_WAIT_NS
        self._receipt_due_ns = now_ns + RECEIPT_WAIT_NS if self._sent > upto else None
        return [Acknowledge(upto)]

    def _rewind(self) -> None:
        self._sent, self._receipt_due_ns = self.acked, None
        self._without_receipt.clear()


def _no_longer_here(upto: int, acked: int) -> RaiseAlarm:
    return RaiseAlarm(f"中心要求从第 {upto + 1} 号事件重发，但第 {acked} 号以前已有回执，本机已不再保存。")


def _refusal(code: int, count: int, random: Callable[[], float]) -> tuple[int, str]:
    if code == NO_SUBSCRIBER:
        return retry_after_ns(count, random), "中心没有接收程序在线"
    return refused_after_ns(random), f"消息服务器拒绝接收事件（原因码 0x{code:02x}）"
