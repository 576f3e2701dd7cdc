"""A flipped bit in an event that waits: it is declared, and everything else still reaches the centre."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.store import EventStore
from agent.control import effects as asked
from agent.control import messages as happened
from agent.wire.canonical import decode
from agent.wire.device_events import (
    MAX_BATCH_EVENTS,
    EventType,
    declared_damage,
    decode_batch,
    encode_batch,
    event_hash,
    parse_event,
)
from agent.wire.identifiers import district
from agent.wire.receipts import Receipt
from provisioning.center.intake import EMPTY_CHAIN, Decision, Link, Shelf, decide
from tests.support.device import DistrictKeys, RunningDevice

KEYS = DistrictKeys()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[RunningDevice]:
    made = RunningDevice(KEYS, tmp_path)
    made.start()
    yield made
    made.close()


def flip(device: RunningDevice, number: int, column: str = "body") -> None:
    """One bit, as a worn card does it."""
    ((value,),) = device.database.run(f"SELECT {column} FROM outbox WHERE devseq = ?", (number,))  # noqa: S608
    data = bytearray(value if isinstance(value, bytes) else value.encode())
    data[len(data) // 2] ^= 1
    worn = bytes(data) if isinstance(value, bytes) else data.decode()
    with device.database.transaction():
        device.database.run(f"UPDATE outbox SET {column} = ? WHERE devseq = ?", (worn, number))  # noqa: S608


def send(device: RunningDevice, after: int = 0, max_bytes: int = 60_000) -> tuple[list[Link], happened.EventsSent]:
    """What a batch after number `after` holds, in the order of the numbers."""
    sent = device.perform(asked.SendEvents(1, after, max_bytes))[-1]
    assert isinstance(sent, happened.EventsSent)
    store = EventStore(device.database, district("xinghe"), KEYS.device)
    bodies = [body for _, body in store.waiting(after, MAX_BATCH_EVENTS, max_bytes)]
    links = [Link(event, body, event_hash(body)) for event, body in decode_batch(encode_batch(bodies))]
    return sorted(links, key=lambda link: link.event.devseq), sent


def centre(*batches: list[Link]) -> Decision:
    """What a centre decides that gets `batches`, as one group."""
    return decide([link for batch in batches for link in batch], Shelf(EMPTY_CHAIN, {}, {}))


def numbers(links: list[Link]) -> list[int]:
    return [link.event.devseq for link in links]


def test_a_flipped_bit_in_a_waiting_event_does_not_stop_the_receipts_of_the_others(device: RunningDevice) -> None:
    device.record()
    last = device.database.integer("devseq")
    flip(device, 3)
    links, sent = send(device)
    decision = centre(links)
    assert numbers(links) == [1, 2, *range(4, last + 2)]
    assert (decision.head.upto, decision.head.digest) == (last + 1, device.database.text("head"))
    assert [(loss.first, loss.last, loss.declared_by) for loss in decision.losses] == [(3, 3, last + 1)]
    assert decision.alarms == []
    assert (sent.last, sent.ahead) == (last + 1, 0)
    assert "第 3 号待发事件已损坏" in device.last_error()
    assert device.database.run("SELECT devseq FROM quarantined") == [(3,)]


def test_the_declaration_goes_ahead_with_the_batch_behind_the_gap(device: RunningDevice) -> None:
    for _ in range(30):
        device.record()
    last = device.database.integer("devseq")
    flip(device, 3)
    links, sent = send(device, after=2, max_bytes=4_000)
    assert numbers(links)[-1] == last + 1
    assert (sent.first, sent.ahead) == (4, last + 1)
    assert sent.last < last
    first, _ = send(device)
    assert centre([*first[:2], *links]).head.upto == sent.last  # the head never waits for the end of the backlog


def test_what_is_damaged_is_found_at_the_start_and_declared_once(device: RunningDevice) -> None:
    device.record()
    flip(device, 2)
    for _ in range(2):
        device.dispatch(happened.DeviceStarted(device.clock.read()))
    bodies = [row[0] for row in device.database.run("SELECT body FROM outbox ORDER BY devseq")]
    events = [parse_event(decode(body)) for body in bodies]
    runs = [run for run in map(declared_damage, events) if run is not None]
    assert [(run.first, run.last) for run in runs] == [(2, 2)]
    assert runs[0].digest == events[1].prev  # event 3 names what event 2 was


def test_a_row_that_is_gone_and_one_at_the_end_are_declared_too(device: RunningDevice) -> None:
    device.record()
    device.record()
    last = device.database.integer("devseq")
    with device.database.transaction():
        device.database.run("DELETE FROM outbox WHERE devseq IN (2, 3)")
    flip(device, last)
    links, _ = send(device)
    decision = centre(links)
    assert [(loss.first, loss.last) for loss in decision.losses] == [(2, 3), (last, last)]
    assert decision.head.upto == last + 2


def test_a_flipped_bit_in_the_stored_hash_costs_no_event(device: RunningDevice) -> None:
    device.record()
    last = device.database.integer("devseq")
    flip(device, 3, "hash")
    links, _ = send(device)
    assert numbers(links) == list(range(1, last + 1))
    assert centre(links).head.digest == device.database.text("head")


@pytest.mark.parametrize(
    "change", ["body = NULL", "body = 'x'", "body = 7, hash = NULL", "body = NULL, event_id = NULL"]
)
def test_a_row_of_another_type_than_was_stored_is_declared_lost(device: RunningDevice, change: str) -> None:
    device.record()
    last = device.database.integer("devseq")
    with device.database.transaction():
        device.database.run(f"UPDATE outbox SET {change} WHERE devseq = 3")  # noqa: S608
    links, _ = send(device)
    decision = centre(links)
    assert [(loss.first, loss.last) for loss in decision.losses] == [(3, 3)]
    assert (decision.head.upto, decision.alarms) == (last + 1, [])


@pytest.mark.parametrize("change", ["hash = NULL", "hash = CAST(x'ff41' AS TEXT)", "body = CAST(body AS TEXT)"])
def test_a_row_whose_bytes_are_still_there_is_not_given_up(device: RunningDevice, change: str) -> None:
    device.record()
    last = device.database.integer("devseq")
    with device.database.transaction():
        device.database.run(f"UPDATE outbox SET {change} WHERE devseq = 3")  # noqa: S608
    links, _ = send(device)
    assert numbers(links) == list(range(1, last + 1))


def test_a_receipt_that_ends_on_the_lost_event_is_understood(device: RunningDevice) -> None:
    """The centre had the event before it was damaged here; only its receipt was lost."""
    device.record()
    whole = event_hash(device.database.run("SELECT body FROM outbox WHERE devseq = 3")[0][0])
    flip(device, 3)
    send(device)
    receipt = Receipt(KEYS.device, 3, whole, "receiver-1", device.clock.read().wall)
    (compared,) = device.perform(asked.CompareReceipt(receipt))
    assert isinstance(compared, happened.ReceiptCompared)
    assert compared.own == whole
    device.perform(asked.Acknowledge(3))
    assert device.database.integer("acked") == 3


def test_a_declaration_that_does_not_join_up_moves_no_head(device: RunningDevice) -> None:
    device.record()
    flip(device, 3)
    links, _ = send(device)
    decision = centre([link for link in links if link.event.devseq != 2])
    assert decision.head.upto == 1
    assert decision.losses == []
    assert any(link.event.type is EventType.EVENTS_LOST for link in decision.park)
