"""Hostile commands by the thousand: forged, bent, cut, replayed, too large, for others. No effect, no crash,
few events. 2 000 here; 100 000 in the slow tier (`make test-faults`)."""

import json
import random
from collections.abc import Callable

import pytest

from agent.control import messages as happened
from agent.control.command_messages import KeepCommand
from agent.control.command_refusals import TOLD_ONE_BY_ONE
from agent.control.effects import StoreEvent
from agent.wire.commands import MAX_COMMAND_BYTES, CommandKind
from agent.wire.device_events import EventType
from agent.wire.identifiers import device_id
from tests.agent.control.test_command_desk import payload, topic
from tests.support.duty_bench import KEYS, DutyBench

Bend = Callable[[bytes, random.Random], bytes]


def flipped(data: bytes, pick: random.Random) -> bytes:
    place = pick.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << pick.randrange(8)]) + data[place + 1 :]


def spliced(data: bytes, pick: random.Random) -> bytes:
    start, end = sorted(pick.randrange(len(data)) for _ in range(2))
    return data[:start] + data[end:] + data[start:end]


def other_field(data: bytes, pick: random.Random) -> bytes:
    document = json.loads(data)
    name = pick.choice([*document, "extra"])
    document[name] = pick.choice([None, [], {}, "", 0, -1, 2**70, "x" * 100, ["a"] * 9, [[[]]]])
    return json.dumps(document).encode()


BENDS: tuple[Bend, ...] = (
    flipped,
    flipped,
    spliced,
    other_field,
    lambda data, _: data,  # replayed
    lambda data, pick: data[: pick.randrange(len(data))],
    lambda _, pick: pick.randbytes(pick.randrange(300)),
    lambda _, pick: b"[" * pick.randrange(1, 5000),
    lambda data, _: data + b" " * MAX_COMMAND_BYTES,
)


def attack(count: int, seed: int) -> DutyBench:
    """A device that has taken one command of each kind, and then `count` hostile ones."""
    bench, pick = DutyBench(), random.Random(seed)
    genuine = [payload(bench, kind=kind, counter=number) for number, kind in enumerate(CommandKind, 1)]
    for sealed in genuine:
        bench.handle(happened.MessageArrived(1, topic(), sealed))
    strangers = [
        payload(bench, KEYS.receiver.signer, counter=100),
        payload(bench, KEYS.evidence.signer, counter=100),
        payload(bench, device=device_id("REC-0002"), counter=100),
    ]
    bench.seen.clear()
    bench.told.clear()
    for _ in range(count):
        bent = pick.choice(BENDS)(pick.choice([*genuine, *strangers]), pick)
        where = topic(pick.choice(("c-1", "c-2", "", "../x", "c" * 200)))
        bench.handle(happened.MessageArrived(1, where, bent, pick.random() < 0.1))
    return bench


def check(bench: DutyBench) -> None:
    assert not any(isinstance(it, KeepCommand) for it in bench.seen), "a hostile command was carried out"
    assert bench.of(EventType.COMMAND_ANSWERED) == []
    assert len([it for it in bench.seen if isinstance(it, StoreEvent)]) == TOLD_ONE_BY_ONE


def test_two_thousand_hostile_commands_have_no_effect() -> None:
    check(attack(2_000, 20261122))


@pytest.mark.faults
def test_a_hundred_thousand_hostile_commands_have_no_effect() -> None:
    check(attack(100_000, 5))
