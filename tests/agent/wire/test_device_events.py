import itertools
from dataclasses import replace
from typing import Any

import pytest

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.device_events import (
    GENESIS,
    MAX_BATCH_EVENTS,
    DeviceEvent,
    EventType,
    decode_batch,
    encode_batch,
    event_hash,
)
from agent.wire.identifiers import DeviceId, District
from agent.wire.instant import TimeState
from tests.support.signers import NOW

FIRST = DeviceEvent(
    District("xinghe"), DeviceId("REC-0001"), 1, GENESIS, "boot/0001", EventType.DEVICE_STARTED,
    "42f4ba1d-2642-4e99-a88c-e15a4299a2fa", 763158, NOW, TimeState.UNSET, {"version": "0.1.0"},
)  # fmt: skip


def chain(length: int) -> list[DeviceEvent]:
    events = [FIRST]
    for number in range(2, length + 1):
        prev = event_hash(events[-1].encode())
        events.append(replace(FIRST, devseq=number, prev=prev, event_id=f"test/{number}"))
    return events


def test_a_batch_gives_back_the_bytes_that_were_hashed() -> None:
    events = chain(3)
    decoded = decode_batch(encode_batch([event.encode() for event in events]))
    assert [event for event, _ in decoded] == events
    for (_, body), (later, _) in itertools.pairwise(decoded):
        assert later.prev == event_hash(body)


def test_a_batch_beyond_its_limits_is_not_made_and_not_taken() -> None:
    bodies = [event.encode() for event in chain(MAX_BATCH_EVENTS + 1)]
    with pytest.raises(ValueError, match="50"):
        encode_batch(bodies)
    with pytest.raises(SenderFault, match="50"):
        decode_batch(b"[" + b",".join(bodies) + b"]")
    with pytest.raises(SenderFault, match="KiB"):
        decode_batch(b" " * 70_000)
    with pytest.raises(SenderFault, match="1 至"):
        decode_batch(b"[]")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("devseq", 0),
        ("devseq", "1"),
        ("prev", "00"),
        ("source", "urn:liuhen:xinghe:REC-1"),
        ("source", "REC-0001"),
        ("type", "liuhen.unknown.v1"),
        ("timestate", "sure"),
        ("time", "2026-11-22"),
        ("data", []),
    ],
)
def test_a_malformed_event_is_refused(name: str, value: Any) -> None:
    document = canonical.decode(FIRST.encode())
    document[name] = value
    with pytest.raises(SenderFault):
        decode_batch(canonical.encode([document]))
