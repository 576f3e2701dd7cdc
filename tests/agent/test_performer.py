"""The performer on a disk that no longer reads: every effect is answered, and what is being recorded goes on."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.control import effects as asked
from agent.control import messages as happened
from agent.control.acts import Act
from agent.control.messages import Event
from agent.wire.device_events import GENESIS, EventType
from agent.wire.receipts import Receipt
from tests.support.device import DistrictKeys, RunningDevice

KEYS = DistrictKeys()


class FailingDisk:
    """Lets SQLite refuse to read, as it does when the card no longer answers."""

    def __init__(self, device: RunningDevice) -> None:
        self._connection = device.database._tables.conn

    def fail(self) -> None:
        self._connection.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_READ else sqlite3.SQLITE_OK
        )

    def recover(self) -> None:
        self._connection.set_authorizer(None)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[RunningDevice]:
    made = RunningDevice(KEYS, tmp_path)
    made.start()
    yield made
    made.close()


def test_a_failed_read_stops_no_recording(device: RunningDevice) -> None:
    disk = FailingDisk(device)
    device.recorder.press()
    device.settle()
    device.recorder.fragment()
    disk.fail()
    device.dispatch(happened.LinkOpening(7))
    device.dispatch(happened.LinkUp(7, 100, 10**6))  # the birth and the waiting events are read from the store
    device.recorder.gap("camera-lost")
    device.settle()
    receipt = Receipt(KEYS.device, 1, GENESIS, "receiver-1", device.clock.read().wall)
    for event in device.perform(asked.CompareReceipt(receipt)):
        device.dispatch(event)
    disk.recover()
    device.recorder.press()
    device.settle()
    told = {it.rpartition("-")[0] or it for it in device.waiting_ids() if it.startswith("R000001")}
    assert {"R000001/head/1", "R000001/sealed"} < told
    assert any(it.startswith("R000001/gap/") for it in told), "what was refused goes in with the next that is taken"


def test_a_mark_made_while_the_database_was_locked_is_stored_before_the_device_stops(device: RunningDevice) -> None:
    device.recorder.press()
    device.settle()
    device.recorder.fragment()
    with closing(sqlite3.connect(device.state / "agent.db", isolation_level=None)) as another:
        another.execute("BEGIN EXCLUSIVE")
        device.dispatch(happened.OfficerActed(Act.MARK, "", device.clock.read()))
        device.recorder.press()
        device.settle()
        another.execute("ROLLBACK")
    device.dispatch(happened.StopRequested())
    told = [it.partition("/")[0] for it in device.waiting_ids()]
    assert "key-mark" in told
    assert told[-1] == "stopped"
    assert "R000001/sealed" in device.waiting_ids()


def test_somebody_elses_lock_holds_the_loop_for_a_moment_only(device: RunningDevice) -> None:
    assert device.database.run("PRAGMA busy_timeout") == [(250,)]


def answers(device: RunningDevice, effect: asked.Effect) -> list[type[Event]]:
    return [type(event) for event in device.perform(effect)]


def test_every_effect_that_the_disk_refuses_is_answered_as_its_asker_expects(device: RunningDevice) -> None:
    now = device.clock.read()
    receipt = Receipt(KEYS.device, 1, GENESIS, "receiver-1", now.wall)
    draft = asked.EventDraft("a", EventType.DEVICE_STARTED, now, {})
    FailingDisk(device).fail()
    assert answers(device, asked.StoreEvent(draft)) == [happened.EventNotStored]
    assert device.perform(asked.SendEvents(3, 5, 1000)) == [happened.EventsSent(3, None, 5, 5)]
    assert answers(device, asked.OpenConnection()) == [happened.LinkOpening, happened.LinkDown]
    assert answers(device, asked.CompareReceipt(receipt)) == [happened.WorkFailed]
    assert answers(device, asked.PublishStatus(online=True)) == [happened.LinkDown, happened.WorkFailed]
    assert answers(device, asked.PublishStatus(online=False)) == [happened.WorkFailed]
    aside = happened.PublishedAside(3, None, hint=True)
    assert device.perform(asked.SendHint(3, 5))[0] == aside, "or nothing would be sent after it"
    assert answers(device, asked.Acknowledge(1)) == [happened.ReceiptNotKept, happened.WorkFailed]
    assert answers(device, asked.RaiseAlarm("满")) == []


def test_a_worker_that_is_too_far_behind_is_an_alarm_not_the_end(device: RunningDevice) -> None:
    device.worker.close(20)
    answered = [answers(device, asked.ReadTrustList()) for _ in range(300)]
    assert answered[0] == []
    assert answered[-1] == [happened.WorkFailed]
