"""The outbox: windows, refusals, silence, receipts that lie; and the connection's patience."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.control.backoff import NANOSECONDS, REFUSALS, refused_after_ns, retry_after_ns
from agent.control.connection import OPENING_LIMIT_NS, STABLE_NS, Connection
from agent.control.effects import Acknowledge, CloseConnection, OpenConnection, RaiseAlarm, SendEvents, SendHint
from agent.control.messages import (
    EventsSent,
    EventStored,
    LinkDown,
    LinkOpening,
    LinkUp,
    PublishAnswered,
    PublishedAside,
    ReceiptCompared,
)
from agent.control.outbox import HINT_BEHIND, LEAST_PACKET, RESEND_PAUSE_NS, Outbox
from agent.control.unreceipted import AHEAD, RECEIPT_WAIT_NS
from agent.control.window import WINDOW
from agent.wire.device_events import GENESIS, MAX_BATCH_BYTES
from agent.wire.identifiers import Digest, device_id
from agent.wire.receipts import Receipt
from tests.support.clocks import SteppedClock

NOW = 10**12
BIRTH_MID = 60_000
HEAD = Digest("a" * 64)


def outbox(stored: int, acked: int = 0, receive_maximum: int = 65_535, maximum_packet: int = 268_435_455) -> Outbox:
    made = Outbox(stored, acked, lambda: 0.5)
    link(made, 1, receive_maximum, maximum_packet)
    return made


def link(box: Outbox, number: int, receive_maximum: int = 100, maximum_packet: int = 10**6) -> None:
    """A new connection whose birth has had its PUBACK."""
    box.connected(LinkUp(number, receive_maximum, maximum_packet))
    box.window.published(PublishedAside(number, BIRTH_MID))
    box.answered(PublishAnswered(number, BIRTH_MID, 0), NOW)


def send_all(box: Outbox, batch: int = 1, now_ns: int = NOW) -> list[EventsSent]:
    """Play the link: take whatever the outbox offers, `batch` events to a message."""
    sent: list[EventsSent] = []
    while offered := box.next(now_ns):
        effect = offered[0]
        assert isinstance(effect, SendEvents)
        event = EventsSent(1, effect.after + 1, effect.after + 1, min(effect.after + batch, box.stored))
        box.sent(event, now_ns)
        sent.append(event)
    return sent


def receipt(upto: int, head: Digest = HEAD, own: Digest | None = HEAD, resend: bool = False) -> ReceiptCompared:
    received = SteppedClock().read().wall
    return ReceiptCompared(Receipt(device_id("REC-0001"), upto, head, "receiver-1", received, resend), own)


def test_never_more_than_the_window_and_never_more_than_the_server_allows() -> None:
    assert len(send_all(outbox(1000))) == WINDOW
    assert len(send_all(outbox(1000, receive_maximum=5))) == 5


def test_a_puback_moves_the_window_and_nothing_else() -> None:
    box = outbox(1000)
    send_all(box)
    assert box.answered(PublishAnswered(1, 1, 0), NOW) == []
    assert [event.first for event in send_all(box)] == [WINDOW + 1]
    assert box.acked == 0


def test_without_receipts_the_broker_is_not_filled() -> None:
    box = outbox(10_000)
    total = 0
    for _ in range(20):
        sent = send_all(box)
        total += len(sent)
        for event in sent:
            box.answered(PublishAnswered(1, event.mid or 0, 0), NOW)
    assert total == AHEAD


def test_a_new_connection_starts_after_the_last_receipt() -> None:
    box = outbox(10)
    send_all(box)
    box.compared(receipt(4), NOW)
    box.disconnected()
    assert box.next(NOW) == []
    link(box, 2)
    assert box.next(NOW) == [SendEvents(2, 4, MAX_BATCH_BYTES, 10**6)]


def test_a_small_packet_limit_makes_small_batches() -> None:
    effect = outbox(10, maximum_packet=20_000).next(NOW)[0]
    assert isinstance(effect, SendEvents)
    assert effect.max_bytes * 4 // 3 < 20_000


@pytest.mark.parametrize("code", [0x10, 0x80, 0x87, 0x97])
def test_a_refusal_keeps_everything_waits_and_sends_again(code: int) -> None:
    box = outbox(3)
    sent = send_all(box)
    alarms = box.answered(PublishAnswered(1, sent[0].mid or 0, code), NOW)
    assert [type(alarm) for alarm in alarms] == [RaiseAlarm]
    assert box.answered(PublishAnswered(1, sent[1].mid or 0, code), NOW) == []
    assert box.answered(PublishAnswered(1, sent[2].mid or 0, code), NOW) == []
    assert box.next(NOW) == []
    due = box.deadline()
    assert due is not None
    assert due >= NOW + (NANOSECONDS if code == 0x10 else 30 * NANOSECONDS)
    box.wake(due)
    assert box.next(due) == [SendEvents(1, 0, MAX_BATCH_BYTES)]


def test_an_answer_of_an_older_connection_is_nothing() -> None:
    box = outbox(3)
    send_all(box)
    link(box, 2)
    assert box.answered(PublishAnswered(1, 1, 0x87), NOW) == []
    assert box.next(NOW) == [SendEvents(2, 0, MAX_BATCH_BYTES, 10**6)]


def test_a_refusal_is_remembered_by_the_next_connection_which_asks_with_one_message() -> None:
    box = outbox(100)
    sent = send_all(box)
    box.answered(PublishAnswered(1, sent[0].mid or 0, 0x87), NOW)
    box.disconnected()
    link(box, 2)
    assert box.next(NOW) == []
    due = box.deadline()
    assert due is not None
    assert due >= NOW + 30 * NANOSECONDS
    box.wake(due)
    assert box.next(due) == [SendEvents(2, 0, MAX_BATCH_BYTES, 10**6)]
    box.sent(EventsSent(2, 7, 1, 1), due)
    assert box.next(due) == [], "one alone"
    box.answered(PublishAnswered(2, 7, 0), due)
    assert box.next(due) == [SendEvents(2, 1, MAX_BATCH_BYTES, 10**6)]


@pytest.mark.parametrize("allowed", [1, 5])
def test_birth_hints_and_events_share_what_the_server_receives_also_after_a_dropped_connection(allowed: int) -> None:
    box = Outbox(1000, 0, lambda: 0.5)
    for number in (1, 2):
        box.connected(LinkUp(number, allowed, 10**6))
        under_way = 1  # the birth
        box.stored_up_to(EventStored(1000, urgent=(900, 950)))
        for mid in range(100, 120):
            match box.next(NOW):
                case [SendEvents(_, after)]:
                    box.sent(EventsSent(number, mid, after + 1, after + 1), NOW)
                    under_way += 1
                case [SendHint()]:
                    box.window.published(PublishedAside(number, mid, hint=True))
                    under_way += 1
        assert under_way == allowed
        box.disconnected()


def test_an_urgent_event_overtakes_a_backlog_and_only_a_backlog() -> None:
    box = outbox(1000)
    box.stored_up_to(EventStored(1001, urgent=(1001,)))
    assert box.next(NOW) == [SendHint(1, 1001)]
    assert box.next(NOW) == [], "one at a time"
    box.window.published(PublishedAside(1, 9, hint=True))
    assert isinstance(box.next(NOW)[0], SendEvents)
    quiet = outbox(HINT_BEHIND)
    quiet.stored_up_to(EventStored(HINT_BEHIND, urgent=(HINT_BEHIND,)))
    assert isinstance(quiet.next(NOW)[0], SendEvents)


def test_a_refused_hint_or_state_holds_up_no_event() -> None:
    box = outbox(1000)
    box.stored_up_to(EventStored(1000, urgent=(1000,)))
    box.next(NOW)
    box.window.published(PublishedAside(1, 9, hint=True))
    assert box.answered(PublishAnswered(1, 9, 0x87), NOW) == []
    assert box.next(NOW) != []


def test_a_broker_that_takes_nothing_of_use_is_sent_nothing() -> None:
    assert outbox(10, maximum_packet=LEAST_PACKET - 1).next(NOW) == []
    assert outbox(10, maximum_packet=LEAST_PACKET).next(NOW) != []


def test_receipts_that_do_not_come_send_it_again_ever_more_slowly() -> None:
    box, now, waits = outbox(3), NOW, []
    for _ in range(7):
        send_all(box, now_ns=now)
        due = box.deadline()
        assert due is not None
        waits.append((due - now) // NANOSECONDS)
        now = due
        assert [type(effect) for effect in box.wake(now)] == [RaiseAlarm]
    assert waits == [30, 60, 120, 240, 480, 600, 600]
    box.compared(receipt(3), now)
    assert box.deadline() is None


def test_a_receipt_advances_only_to_what_was_sent_with_our_own_hash() -> None:
    box = outbox(5)
    box.next(NOW)
    box.sent(EventsSent(1, 1, 1, 3), NOW)
    fresh = Outbox(0, 0, lambda: 0.5)
    assert [type(effect) for effect in fresh.compared(receipt(1), NOW)] == [RaiseAlarm]
    assert [type(effect) for effect in box.compared(receipt(9), NOW)] == [RaiseAlarm]
    assert [type(effect) for effect in box.compared(receipt(2, own=Digest("b" * 64)), NOW)] == [RaiseAlarm]
    assert [type(effect) for effect in box.compared(receipt(2, own=None), NOW)] == [RaiseAlarm]
    assert box.acked == 0
    assert box.compared(receipt(2), NOW) == [Acknowledge(2)]
    assert box.compared(receipt(2), NOW) == []
    assert box.compared(receipt(1), NOW) == []


def test_a_receipt_for_nothing_must_name_the_genesis_head() -> None:
    box = outbox(3)
    assert box.compared(receipt(0, GENESIS, GENESIS), NOW) == []
    assert [type(effect) for effect in box.compared(receipt(0), NOW)] == [RaiseAlarm]


def test_a_wish_to_resend_rewinds_once_and_not_for_every_batch_behind_the_gap() -> None:
    box = outbox(10)
    send_all(box)
    box.compared(receipt(3, resend=True), NOW)
    assert send_all(box)[0].first == 4
    box.compared(receipt(3, resend=True), NOW)
    assert send_all(box) == []
    box.compared(receipt(3, resend=True), NOW + RESEND_PAUSE_NS)
    assert send_all(box)[0].first == 4


def test_a_centre_that_lost_its_store_is_an_alarm_not_a_crash() -> None:
    box = outbox(10, acked=8)
    assert [type(effect) for effect in box.compared(receipt(2, resend=True), NOW)] == [RaiseAlarm]
    assert box.acked == 8


@given(st.lists(st.tuples(st.sampled_from(["grow", "link", "ack", "receipt", "drop", "time"]), st.integers(1, 60))))
def test_whatever_happens_every_event_is_offered_in_order_and_acked_never_falls(story: list[tuple[str, int]]) -> None:
    box, now, mid, connection = Outbox(0, 0, lambda: 0.5), NOW, 0, 0
    expected = 1
    for word, number in story:
        before = box.acked
        if word == "grow":
            box.stored_up_to(EventStored(box.stored + number))
        elif word == "link":
            connection, expected = connection + 1, box.acked + 1
            link(box, connection, 20)
        elif word == "drop":
            box.disconnected()
        elif word == "ack" and mid:
            box.answered(PublishAnswered(connection, mid, 0), now)
        elif word == "receipt" and expected > 1:
            box.compared(receipt(min(number, expected - 1)), now)
        elif word == "time":
            now += RECEIPT_WAIT_NS
            if any(isinstance(effect, RaiseAlarm) for effect in box.wake(now)):
                expected = box.acked + 1
        for effect in box.next(now):
            assert isinstance(effect, SendEvents)
            expected = max(expected, box.acked + 1)
            assert effect.after == expected - 1
            mid, expected = mid + 1, min(effect.after + 50, box.stored) + 1
            box.sent(EventsSent(connection, mid, effect.after + 1, expected - 1), now)
        assert box.acked >= before


def test_waits_grow_with_full_jitter_and_refusals_wait_longest() -> None:
    assert [retry_after_ns(attempt, lambda: 0.0) // NANOSECONDS for attempt in (1, 5, 50)] == [1, 1, 1]
    assert [retry_after_ns(attempt, lambda: 0.999) // NANOSECONDS for attempt in (1, 3, 50)] == [1, 7, 59]
    assert [refused_after_ns(count, lambda: 0.0) // NANOSECONDS for count in (1, 50)] == [30, 30]
    assert [refused_after_ns(count, lambda: 0.999) // NANOSECONDS for count in (1, 2, 50)] == [59, 119, 299]


class TestConnection:
    def connection(self) -> Connection:
        made = Connection(lambda: 0.0)
        assert made.open(NOW) == [OpenConnection()]
        made.opening(LinkOpening(1), NOW)
        return made

    def test_a_connack_that_never_comes_is_given_up(self) -> None:
        made = self.connection()
        assert made.wake(NOW + OPENING_LIMIT_NS - 1) == []
        assert made.wake(NOW + OPENING_LIMIT_NS) == [CloseConnection()]
        assert made.wake(NOW + OPENING_LIMIT_NS + NANOSECONDS) == [OpenConnection()]

    def test_news_of_an_older_connection_changes_nothing(self) -> None:
        made = self.connection()
        assert made.went_down(LinkDown(9, "old"), NOW) == []
        assert not made.came_up(LinkUp(9, 1, 1), NOW)

    @pytest.mark.parametrize("code", sorted(REFUSALS))
    def test_a_broker_that_refuses_is_left_alone_for_half_a_minute(self, code: int) -> None:
        made = self.connection()
        made.went_down(LinkDown(1, "refused", code), NOW)
        assert made.deadline() == NOW + 30 * NANOSECONDS

    def test_connections_that_break_at_once_are_tried_ever_more_slowly(self) -> None:
        made, now, opened = Connection(lambda: 0.999), NOW, []
        for number in range(1, 12):
            made.open(now)
            opened.append(now)
            made.opening(LinkOpening(number), now)
            made.came_up(LinkUp(number, 1, 1), now)
            made.went_down(LinkDown(number, "thrown out"), now + NANOSECONDS // 100)
            now = made.deadline() or 0
        assert sum(time < NOW + 60 * NANOSECONDS for time in opened) <= 6
        made.came_up(LinkUp(99, 1, 1), now)
        made.opening(LinkOpening(99), now)
        made.came_up(LinkUp(99, 1, 1), now)
        made.went_down(LinkDown(99, "after a good hour"), now + STABLE_NS)
        assert (made.deadline() or 0) - now - STABLE_NS < 2 * NANOSECONDS
