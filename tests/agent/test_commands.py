"""A command on a real store, with the power cut at every step of it: done once or not at all, and the chain says which;
never twice. Holds outlive a restart, a lost database forgets no number."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from agent.adapters.command_memory import read_commands, read_holds
from agent.adapters.database import open_database
from agent.config import read_config
from agent.control import messages as happened
from agent.control.command_messages import CommandsKept, OpenCommand
from agent.control.effects import Effect
from agent.diagnostics import LEFT_OUT, MAX_BYTES, Diagnostics, LogTail
from agent.wire import canonical
from agent.wire.commands import COMMAND_TYPE, Command, CommandKind
from agent.wire.device_events import EventType
from agent.wire.envelope import seal
from agent.wire.identifiers import recording_id
from tests.support.device import DistrictKeys, RunningDevice

KEYS = DistrictKeys()
RECORDING = recording_id(KEYS.device, 1)
HOLD = {"recording": RECORDING, "hold": "诉讼-1", "reason": "行政诉讼调取"}
KINDS = {
    CommandKind.ROTATE_CERTIFICATE: {},
    CommandKind.MARK_HOLD: HOLD,
    CommandKind.SHOW_MESSAGE: {"text": "请归还设备"},
}


class PowerCut(BaseException):
    """Nothing in the agent catches it."""


def command(device: RunningDevice, kind: CommandKind, counter: int = 1) -> happened.MessageArrived:
    now = device.clock.read().wall
    end = now + timedelta(hours=1)
    place = KEYS.authority.district
    made = Command(place, KEYS.device, f"c-{counter}", counter, kind, now, now, end, KINDS[kind])
    topic = f"gov/{place}/v1/rec/{KEYS.device}/cmd/c-{counter}"
    return happened.MessageArrived(1, topic, seal(COMMAND_TYPE, made.encode(), [KEYS.commander.signer]))


@contextmanager
def running(folder: Path) -> Iterator[RunningDevice]:
    device = RunningDevice(KEYS, folder)
    device.link.connect = lambda *_: None  # type: ignore[method-assign]
    try:
        yield device
    finally:
        device.close()


def told(device: RunningDevice, kind: EventType) -> list[dict[str, Any]]:
    rows = device.database.run("SELECT body FROM outbox WHERE type = ? ORDER BY devseq", (kind.value,))
    return [canonical.decode(body)["data"] for (body,) in rows]


def cut_at(device: RunningDevice, step: int, after: bool) -> None:
    """Let the power go before, or after, the effect number `step`."""
    perform, count = device.loop._perform, [0]

    def performed(effect: Effect) -> Any:
        count[0] += 1
        if count[0] == step and not after:
            raise PowerCut
        done = [*perform(effect)]
        if count[0] == step:
            raise PowerCut
        return done

    device.loop._perform = performed


def settle(device: RunningDevice) -> None:
    device.worker.close(5)
    device.settle()


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_power_cut_at_any_step_leads_to_one_execution_or_none_and_the_chain_says_which(
    kind: CommandKind, tmp_path: Path
) -> None:
    for step, after in ((step, after) for step in range(1, 7) for after in (False, True)):
        folder = tmp_path / f"{step}-{after}"
        folder.mkdir()
        with running(folder) as device:
            device.start()
            sent = command(device, kind)
            cut_at(device, step, after)
            try:
                device.dispatch(sent)
                settle(device)
            except PowerCut:
                device.worker.close(5)
        with running(folder) as device:
            device.start()
            device.dispatch(sent)
            settle(device)
            answers = told(device, EventType.COMMAND_ANSWERED)
            assert [it["counter"] for it in answers] == [1], "one answer, whatever happened"
            assert read_commands(device.database) == CommandsKept(1, ())
            done = {
                CommandKind.ROTATE_CERTIFICATE: len([*(folder / "state" / "renewal").glob("*.csr")]) == 1,
                CommandKind.MARK_HOLD: read_holds(device.database) == {RECORDING: {"诉讼-1": HOLD["reason"]}},
                CommandKind.SHOW_MESSAGE: device.memory.recall().shift.message == "请归还设备",
            }[kind]
            assert answers[0]["done"] is done, (step, after)
            assert answers[0]["code"] in ("", "interrupted")


def test_a_new_certificate_is_asked_for_with_a_key_that_stays(tmp_path: Path) -> None:
    with running(tmp_path) as device:
        device.start()
        device.dispatch(command(device, CommandKind.ROTATE_CERTIFICATE))
        settle(device)
        (answer,) = told(device, EventType.COMMAND_ANSWERED)
    request = x509.load_pem_x509_csr(answer["result"]["request"].encode())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == f"CN={KEYS.device}"
    key = tmp_path / "state" / "renewal" / "000001.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in canonical.encode(answer).decode()


def test_a_hold_and_the_last_number_outlive_a_restart_and_the_loss_of_the_database(tmp_path: Path) -> None:
    with running(tmp_path) as device:
        device.start()
        device.dispatch(command(device, CommandKind.MARK_HOLD, 5))
        sent = command(device, CommandKind.SHOW_MESSAGE, 4)
    with running(tmp_path) as device:
        assert device.memory.recall().holds == {RECORDING: {"诉讼-1": HOLD["reason"]}}
        device.start()
        device.dispatch(sent)
        assert [it["code"] for it in told(device, EventType.COMMAND_REFUSED)] == ["replayed"]
    (tmp_path / "state" / "agent.db").write_bytes(b"no database" * 1000)
    with running(tmp_path) as device:
        device.start()
        device.dispatch(sent)
        assert [it["code"] for it in told(device, EventType.COMMAND_REFUSED)] == ["replayed"]


def test_a_damaged_record_of_a_hold_still_holds(tmp_path: Path) -> None:
    database, _ = open_database(tmp_path / "agent.db")
    with database.transaction():
        database.set(f"held/{RECORDING}", "\x00 not what was written")
        database.set("command-open/7", "c-7 no-such-verb")
    assert read_holds(database) == {RECORDING: {"unreadable": ""}}
    assert read_commands(database) == CommandsKept(0, ())
    database.close()


def test_diagnostics_name_no_secret_and_no_person_and_fit_one_event(tmp_path: Path) -> None:
    config = read_config(KEYS.write_folder(tmp_path, 8883))
    config.state_dir.mkdir(exist_ok=True)
    log = LogTail()
    logger = logging.getLogger("agent.test-diagnostics")
    logger.addHandler(log)
    logger.setLevel("INFO")
    for number in range(300):
        logger.info("line %d %s", number, "x" * 200)
    logger.info("called 13800138000")
    told = Diagnostics(config, log).collect(OpenCommand(1, "c-1", CommandKind.PULL_DIAGNOSTICS)).result
    logger.removeHandler(log)
    assert set(told) == {"config", "figures", "versions", "log"}
    assert told["log"][-1] == LEFT_OUT
    assert 5 < len(told["log"]) < 100
    encoded = canonical.encode(told).decode()
    assert len(encoded.encode()) <= MAX_BYTES
    assert "PRIVATE KEY" not in encoded
    assert "13800138000" not in encoded
