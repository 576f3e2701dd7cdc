"""A centre that is behind, silent, or back: what the device sends then, and when."""

import heapq
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import count

from agent.control.backoff import NANOSECONDS
from agent.control.connection import ANSWER_LIMIT_NS
from agent.control.effects import CloseConnection, RaiseAlarm, SendEvents, SendHint
from agent.control.messages import (
    EventsSent,
    EventStored,
    LinkOpening,
    LinkUp,
    PublishAnswered,
    PublishedAside,
    ReceiptCompared,
)
from agent.control.outbox import Outbox
from agent.control.unreceipted import AHEAD, LATE_NS, PAUSE_NS, RECEIPT_WAIT_CAP_NS, RECEIPT_WAIT_NS
from agent.control.uplink import Uplink
from agent.wire.device_events import GENESIS, MAX_BATCH_EVENTS
from agent.wire.identifiers import Digest, device_id
from agent.wire.instant import Instant
from agent.wire.receipts import Receipt
from tests.support.clocks import SteppedClock

NOW, HEAD = 10**12, Digest("a" * 64)
S = NANOSECONDS


def up(stored: int = 0, connection: int = 1) -> Outbox:
    """An outbox whose connection has said its birth."""
    box = Outbox(stored, 0, lambda: 0.5)
    come_up(box, connection)
    return box


def come_up(box: Outbox, connection: int) -> None:
    box.connected(LinkUp(connection, 100, 10**6))
    box.window.published(PublishedAside(connection, 60_000))
    box.answered(PublishAnswered(connection, 60_000, 0), NOW)


def send(box: Outbox, now_ns: int, mids: "count[int]") -> list[EventsSent]:
    """Every message that goes now, 50 events to one, with the broker's PUBACK."""
    sent = []
    while offered := box.next(now_ns):
        (effect,) = offered
        assert isinstance(effect, SendEvents)
        last = min(effect.after + MAX_BATCH_EVENTS, box.stored)
        sent.append(EventsSent(effect.connection, next(mids), effect.after + 1, last))
        box.sent(sent[-1], now_ns)
        box.answered(PublishAnswered(effect.connection, sent[-1].mid or 0, 0), now_ns)
    return sent


def receipt(upto: int) -> ReceiptCompared:
    head = HEAD if upto else GENESIS
    return ReceiptCompared(Receipt(device_id("REC-0001"), upto, head, "receiver-1", SteppedClock().read().wall), head)


def test_while_receipts_come_every_event_goes_at_once() -> None:
    box, mids = up(), count(1)
    for number in range(1, 200):
        now = NOW + number * S
        box.stored_up_to(EventStored(number))
        assert [(it.first, it.last) for it in send(box, now, mids)] == [(number, number)]
        box.compared(receipt(number), now + S // 2)


def test_without_receipts_single_events_wait_for_one_another_but_no_longer_than_a_head_may() -> None:
    box, mids = up(1), count(1)
    send(box, NOW, mids)
    box.stored_up_to(EventStored(2))
    assert send(box, NOW + LATE_NS - 1, mids), "not late yet"
    box.stored_up_to(EventStored(3))
    assert send(box, NOW + LATE_NS, mids) == []
    due = box.deadline()
    assert due == NOW + LATE_NS - 1 + PAUSE_NS
    box.stored_up_to(EventStored(9))
    assert [(it.first, it.last) for it in send(box, due, mids)] == [(3, 9)]


def test_without_receipts_a_receipt_lets_what_waits_go_together() -> None:
    box, mids = up(1), count(1)
    send(box, NOW, mids)
    box.stored_up_to(EventStored(8))
    assert send(box, NOW + 5 * S, mids) == []
    box.compared(receipt(1), NOW + 6 * S)
    assert [(it.first, it.last) for it in send(box, NOW + 6 * S, mids)] == [(2, 8)]


def test_full_messages_and_urgent_events_wait_for_no_receipt() -> None:
    box, mids = up(1), count(1)
    send(box, NOW, mids)
    box.stored_up_to(EventStored(1 + MAX_BATCH_EVENTS))
    assert [(it.first, it.last) for it in send(box, NOW + LATE_NS, mids)] == [(2, 51)]
    box.stored_up_to(EventStored(52))
    assert send(box, NOW + LATE_NS, mids) == []
    box.stored_up_to(EventStored(53, urgent=(53,)))
    assert [(it.first, it.last) for it in send(box, NOW + LATE_NS, mids)] == [(52, 53)]


def test_an_urgent_event_does_not_fill_the_broker_of_a_receiver_that_is_away() -> None:
    box, mids = up((AHEAD + 5) * MAX_BATCH_EVENTS), count(1)
    assert len(send(box, NOW, mids)) == AHEAD
    box.stored_up_to(EventStored(box.stored + 1, urgent=(box.stored + 1,)))
    assert box.next(NOW) == [SendHint(1, box.stored)]
    box.window.published(PublishedAside(1, None, hint=True))
    assert box.next(NOW) == []


def long_silence(box: Outbox, mids: "count[int]") -> int:
    """Play receipts that do not come until the wait for one is at its longest; returns the time then."""
    now = NOW
    while True:
        send(box, now, mids)
        due = max(it for it in (box.deadline(),) if it is not None)
        if due - now >= RECEIPT_WAIT_CAP_NS:
            return now
        now = due
        box.wake(now)


def test_a_new_connection_ends_the_long_wait_for_a_receipt() -> None:
    box, mids = up(3), count(1)
    now = long_silence(box, mids)
    box.disconnected()
    come_up(box, 2)
    send(box, now, mids)
    assert box.deadline() == now + RECEIPT_WAIT_NS


def test_a_centre_that_comes_back_without_what_it_was_sent_gets_it_within_half_a_minute() -> None:
    box, mids = up(3), count(1)
    now = long_silence(box, mids)
    assert box.compared(receipt(0), now + S) == []
    due = box.deadline()
    assert due == now + S + RECEIPT_WAIT_NS
    assert [type(effect) for effect in box.wake(due)] == [RaiseAlarm]
    assert [(it.first, it.last) for it in send(box, due, mids)] == [(1, 3)]


def test_a_broker_that_hears_and_never_answers_is_left_for_a_new_connection() -> None:
    clock = SteppedClock()
    box = Outbox(3, 0, lambda: 0.5)
    uplink = Uplink((), (), box, lambda: 0.5)
    begun = clock.read()
    uplink.open(begun)
    uplink.handle(LinkOpening(1), begun)
    uplink.handle(LinkUp(1, 100, 10**6), begun)
    uplink.handle(PublishedAside(1, 7), begun)
    uplink.handle(PublishAnswered(1, 7, 0), begun)
    (effect,) = uplink.next(begun)
    assert isinstance(effect, SendEvents)
    uplink.handle(EventsSent(1, 8, 1, 3), begun)
    assert CloseConnection() not in uplink.wake(later(begun, ANSWER_LIMIT_NS - 1))
    assert CloseConnection() in uplink.wake(later(begun, ANSWER_LIMIT_NS))
    assert not uplink.up


def later(moment: Instant, by_ns: int) -> Instant:
    return replace(moment, monotonic_ns=moment.monotonic_ns + by_ns)


@dataclass
class SlowDistrict:
    """Devices with an event each `every_ns`, a broker that queues, and a centre that takes `per_message_ns` for a
    message whatever is in it. Virtual time."""

    devices: int
    every_ns: int
    per_message_ns: int
    boxes: list[Outbox] = field(default_factory=list)
    queue: deque[tuple[int, int, int]] = field(default_factory=deque)
    mids: "count[int]" = field(default_factory=lambda: count(1))

    def run(self, dark_ns: int, after_ns: int) -> list[int]:
        """How many events wait at the end of the dark, and then each minute."""
        self.boxes = [Outbox(0, 0, lambda: 0.5) for _ in range(self.devices)]
        there, owed, waiting = [0] * self.devices, set[int](), []
        turn, end = count(), NOW + dark_ns + after_ns
        due = [(NOW + self.every_ns * at // self.devices, next(turn), "event", at) for at in range(self.devices)]
        first = NOW + dark_ns
        due += [(first + at * S // 4, next(turn), "up", at) for at in range(self.devices)]
        due += [(first, next(turn), "serve", 0), (first, next(turn), "receipts", 0), (first, next(turn), "look", 0)]
        heapq.heapify(due)
        while due[0][0] < end:
            now, _, what, at = heapq.heappop(due)
            again = {"event": self.every_ns, "serve": self.per_message_ns, "receipts": S, "look": 60 * S}.get(what)
            if what == "event":
                self.boxes[at].stored_up_to(EventStored(self.boxes[at].stored + 1))
            elif what == "up":
                come_up(self.boxes[at], 1)
            elif what == "serve" and self.queue:
                device, start, last = self.queue.popleft()
                there[device] = max(last, there[device]) if start <= there[device] + 1 else there[device]
                owed.add(device)
            elif what == "receipts":
                for device in sorted(owed):
                    self.boxes[device].compared(receipt(there[device]), now)
                    self.post(device, now)
                owed.clear()
            elif what == "look":
                waiting.append(sum(box.stored - box.acked for box in self.boxes))
            if what in ("event", "up"):
                self.boxes[at].wake(now)
                self.post(at, now)
            if again is not None:
                heapq.heappush(due, (now + again, next(turn), what, at))
        return waiting

    def post(self, device: int, now: int) -> None:
        self.queue.extend((device, it.first, it.last) for it in send(self.boxes[device], now, self.mids))


def test_a_district_whose_centre_has_no_time_for_each_event_alone_catches_up_after_an_outage() -> None:
    """10 events a second from 50 devices, a centre that takes 3.5 messages a second, ten minutes in the dark."""
    waiting = SlowDistrict(50, 5 * S, 2 * S // 7).run(600 * S, 600 * S)
    assert waiting[0] > 5_900
    assert waiting[3] < 1_000, waiting
    assert max(waiting[4:]) < 500, waiting
