"""What a kiosk's screen leaves for the centre: in the chain before the file goes, and once however often it is read."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import durable
from agent.control.hall_messages import OutgoingRead, OutgoingSettled
from agent.wire.hall_facts import FactKind, HallFact
from tests.support.device import DistrictKeys, RunningDevice

KEYS = DistrictKeys("KSK-0001")
FACT = HallFact("complaint-0123456789ab", FactKind.COMPLAINT, {"filed": "2026-11-22T02:00:00.000Z", "sealed": "AAAA"})


@pytest.fixture
def device(tmp_path: Path) -> Iterator[RunningDevice]:
    made = RunningDevice(KEYS, tmp_path)
    made.start()
    yield made
    made.close()


def left(device: RunningDevice) -> Path:
    path = device.state / "outgoing" / f"{FACT.fact}.json"
    path.parent.mkdir(exist_ok=True)
    return durable.write_bytes(path, FACT.encode())  # whole at once, as a kiosk does: the device is looking


def told(device: RunningDevice) -> int:
    return device.waiting_ids().count(f"hall/{FACT.fact}")


def test_a_complaint_is_in_the_chain_when_its_file_goes_and_only_once(device: RunningDevice) -> None:
    for _ in range(2):  # as after a power cut between the two
        path = left(device)
        device.dispatch(OutgoingSettled())
        device.pump(lambda path=path: not path.exists(), "the file goes")
        assert told(device) == 1


def test_a_store_that_fails_leaves_the_file_for_another_time(device: RunningDevice) -> None:
    path, connection = left(device), device.database._tables.conn
    connection.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_INSERT else sqlite3.SQLITE_OK
    )
    read = OutgoingRead(((path.name, path.read_bytes()),))
    device.dispatch(read)
    device.settle()
    connection.set_authorizer(None)
    assert path.exists()
    assert told(device) == 0
    device.dispatch(OutgoingSettled())
    device.pump(lambda: not path.exists(), "the file goes")
    assert told(device) == 1
