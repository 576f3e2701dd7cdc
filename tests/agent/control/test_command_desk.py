"""The door for commands: forged, replayed, retained, expired, for another device, too many; a crash in the middle."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.control import messages as happened
from agent.control.command_messages import (
    CommandNotStored,
    CommandSettled,
    CommandsKept,
    CommandStored,
    CommandUsed,
    Diagnose,
    HoldsKept,
    KeepCommand,
    OffloadNow,
    OpenCommand,
    RequestCertificate,
)
from agent.control.command_refusals import HOUR_NS, TOLD_ONE_BY_ONE
from agent.control.command_verbs import VERBS
from agent.control.deletion import Kept
from agent.control.effects import Indicate, RaiseAlarm, ReadTrustList
from agent.control.offload_messages import CompareRecording
from agent.control.signs import Notice
from agent.wire.commands import COMMAND_TYPE, MAX_COMMAND_BYTES, MAX_LIFE, Command, CommandKind
from agent.wire.device_events import GENESIS, EventType
from agent.wire.envelope import seal
from agent.wire.identifiers import device_id, district, recording_id
from agent.wire.instant import TimeState
from agent.wire.receipts import Receipt
from agent.wire.trust import Role
from tests.support.duty import task
from tests.support.duty_bench import COMMANDER, KEYS, DutyBench

KINDS = list(CommandKind)
FIRST = recording_id(KEYS.device, 1)
HOLD = {"recording": FIRST, "hold": "诉讼-1", "reason": "行政诉讼调取"}
BODIES: dict[CommandKind, dict[str, Any]] = {kind: {} for kind in KINDS} | {
    CommandKind.ASSIGN_TASK: task(),
    CommandKind.MARK_HOLD: HOLD,
    CommandKind.LIFT_HOLD: HOLD,
    CommandKind.SHOW_MESSAGE: {"text": "请于今日归还设备"},
}


def topic(command_id: str = "c-1") -> str:
    return f"gov/xinghe/v1/rec/REC-0001/cmd/{command_id}"


def payload(bench: DutyBench, signer: Any = COMMANDER.signer, **changes: Any) -> bytes:
    now = bench.now().wall
    fields: dict[str, Any] = {
        "district": KEYS.authority.district, "device": KEYS.device, "command_id": "c-1", "counter": 1,
        "kind": CommandKind.SHOW_MESSAGE, "issued_at": now, "not_before": now, "expires_at": now + timedelta(hours=1),
    }  # fmt: skip
    fields |= changes
    fields.setdefault("body", BODIES[fields["kind"]])
    return seal(COMMAND_TYPE, Command(**fields).encode(), [signer])


def send(bench: DutyBench, at: str = topic(), retained: bool = False, **changes: Any) -> list[Any]:
    return bench.handle(happened.MessageArrived(1, at, payload(bench, **changes), retained))


def answers(bench: DutyBench) -> list[tuple[Any, ...]]:
    return [(it["counter"], it["done"], it["code"]) for it in bench.of(EventType.COMMAND_ANSWERED)]


def codes(bench: DutyBench) -> list[str]:
    return [it["code"] for it in bench.of(EventType.COMMAND_REFUSED)]


def test_every_kind_of_command_has_its_verb_and_an_answer() -> None:
    assert set(VERBS) == set(CommandKind)
    for kind in KINDS:
        bench = DutyBench(holds={FIRST: {"诉讼-1": "x"}})
        send(bench, kind=kind)
        assert answers(bench) == [(1, True, "")], kind


def test_a_number_answer_and_change_are_one_transaction_and_nothing_else_comes_before_it() -> None:
    bench = DutyBench()
    bench.refuse_commands = True
    bench.handle(happened.TimePassed())  # the lamp
    first = send(bench, kind=CommandKind.MARK_HOLD)
    (kept,) = [it for it in first if isinstance(it, KeepCommand)]
    assert [draft.type for draft in kept.drafts] == [EventType.RECORDING_HELD, EventType.COMMAND_ANSWERED]
    assert [type(note) for note in kept.notes] == [CommandUsed, HoldsKept]
    assert [type(it) for it in first] == [KeepCommand]


@pytest.mark.parametrize("kind", [CommandKind.OFFLOAD_NOW, CommandKind.ROTATE_CERTIFICATE, CommandKind.SHOW_MESSAGE])
def test_a_command_that_the_full_disk_refuses_is_not_carried_out_and_may_come_again(kind: CommandKind) -> None:
    bench = DutyBench()
    bench.refuse_commands = True
    send(bench, kind=kind)
    assert not any(isinstance(it, OffloadNow | RequestCertificate) for it in bench.seen)
    assert (bench.state["message"]["text"], answers(bench)) == ("", [])
    assert any("未能入库" in it.text for it in bench.seen if isinstance(it, RaiseAlarm))
    bench.refuse_commands = False
    send(bench, kind=kind)
    assert answers(bench) == [(1, True, "")]


def test_the_same_command_ten_times_is_carried_out_once() -> None:
    bench = DutyBench()
    same = payload(bench, kind=CommandKind.OFFLOAD_NOW)
    for _ in range(10):
        bench.handle(happened.MessageArrived(1, topic(), same))
    assert len([it for it in bench.seen if isinstance(it, OffloadNow)]) == 1
    assert answers(bench) == [(1, True, "")]
    assert set(codes(bench)) == {"replayed"}


def test_threat_replay_of_a_command_is_refused_also_after_a_restart() -> None:
    bench = DutyBench()
    old = payload(bench, counter=4, kind=CommandKind.OFFLOAD_NOW)
    send(bench, counter=5)
    bench.handle(happened.MessageArrived(1, topic(), old))
    again = DutyBench(commands=CommandsKept(5))
    again.handle(happened.MessageArrived(1, topic(), old))
    assert (codes(bench), codes(again)) == (["replayed"], ["replayed"])
    assert bench.of(EventType.COMMAND_REFUSED)[0]["last"] == 5
    assert not any(isinstance(it, OffloadNow) for it in (*bench.seen, *again.seen))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signer": KEYS.receiver.signer}, "signature"),
        ({"signer": KEYS.authority.evidence("示例-000666", Role.COMMANDER).signer}, "unknown-key"),
        ({"device": device_id("REC-0009")}, "other-device"),
        ({"district": district("other")}, "district"),
        ({"at": topic("c-2")}, "topic"),
        ({"retained": True}, "retained"),
        ({"body": {"text": "x" * MAX_COMMAND_BYTES}}, "oversize"),
        ({"expires_at": -timedelta(seconds=1), "issued_at": -timedelta(hours=1)}, "expired"),
        ({"not_before": timedelta(minutes=5)}, "not-yet"),
        ({"expires_at": MAX_LIFE + timedelta(seconds=1)}, "life"),
        ({"counter": 2**40}, "content"),
    ],
)
def test_threat_broker_compromise_a_hostile_command_is_refused_and_told(change: dict[str, Any], code: str) -> None:
    bench = DutyBench()
    now = bench.now().wall
    moved = {name: now + value if isinstance(value, timedelta) else value for name, value in change.items()}
    send(bench, **moved)
    assert (codes(bench), answers(bench)) == ([code], [])
    assert not any(isinstance(it, KeepCommand) for it in bench.seen)


def test_a_verb_that_nobody_knows_is_refused() -> None:
    bench = DutyBench()
    value = json.loads(Command(
        KEYS.authority.district, KEYS.device, "c-1", 1, CommandKind.SYNC_TIME, bench.now().wall, bench.now().wall,
        bench.now().wall, {},
    ).encode()) | {"kind": "format-card"}  # fmt: skip
    sealed = seal(COMMAND_TYPE, json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), [COMMANDER.signer])
    bench.handle(happened.MessageArrived(1, topic(), sealed))
    assert codes(bench) == ["kind"]


def test_a_flood_of_garbage_tells_a_few_and_sums_up_the_rest() -> None:
    bench = DutyBench()
    for number in range(2000):
        bench.handle(happened.MessageArrived(1, topic(), b"\x00%d" % number))
    assert len(bench.told) == TOLD_ONE_BY_ONE
    deadline = bench.controller.deadline()
    assert deadline is not None
    bench.later = timedelta(microseconds=HOUR_NS // 1000 + 1)
    bench.handle(happened.TimePassed())
    assert bench.of(EventType.COMMANDS_REFUSED) == [{"codes": {"content": 1980}, "count": 1980}]
    assert len(bench.told) == TOLD_ONE_BY_ONE + 1


def test_with_an_unset_clock_the_number_decides_and_nothing_is_set_free() -> None:
    bench = DutyBench(holds={FIRST: {"诉讼-1": "x"}})
    bench.state_of_clock = TimeState.UNSET
    long_ago = bench.now().wall - timedelta(hours=12)
    dates = {"issued_at": long_ago, "not_before": long_ago, "expires_at": long_ago + timedelta(hours=1)}
    send(bench, **dates)
    send(bench, counter=2, kind=CommandKind.LIFT_HOLD, **dates)
    send(bench, **dates)
    assert answers(bench) == [(1, True, "")]
    assert codes(bench) == ["clock-unset", "replayed"]
    assert bench.holds == {}


def test_with_an_unset_clock_a_revoked_commander_commands_nothing() -> None:
    bench = DutyBench()
    bench.state_of_clock = TimeState.UNSET
    revoked = replace(COMMANDER.credential(Role.COMMANDER), revoked_at=bench.now().wall + timedelta(days=1))
    bench.handle(happened.TrustListRead(KEYS.authority.trust(revoked, version=3)))
    send(bench)
    assert (codes(bench), answers(bench)) == (["signature"], [])


def test_a_hold_forbids_until_its_own_name_is_lifted() -> None:
    bench = DutyBench()
    send(bench, kind=CommandKind.MARK_HOLD)
    send(bench, counter=2, kind=CommandKind.MARK_HOLD, body=HOLD | {"hold": "复议-2"})
    send(bench, counter=3, kind=CommandKind.LIFT_HOLD, body=HOLD | {"hold": "不存在"})
    send(bench, counter=4, kind=CommandKind.LIFT_HOLD)
    assert bench.holds == {FIRST: {"复议-2": "行政诉讼调取"}}
    assert answers(bench) == [(1, True, ""), (2, True, ""), (3, False, "no-hold"), (4, True, "")]
    assert [it["hold"] for it in bench.of(EventType.RECORDING_RELEASED)] == ["诉讼-1"]
    assert [it["left"] for it in bench.of(EventType.RECORDING_HELD)] == [1, 2]


def test_a_hold_for_another_devices_recording_is_refused() -> None:
    bench = DutyBench()
    send(bench, kind=CommandKind.MARK_HOLD, body=HOLD | {"recording": "REC-0009-R000001"})
    assert (answers(bench), bench.holds) == ([(1, False, "other-device")], {})


def may_go(bench: DutyBench) -> bool:
    """Whether the device, having heard from the centre, begins to delete the recording that is long past its term."""
    bench.seen.clear()
    receipt = Receipt(KEYS.device, 0, GENESIS, "receiver-1", bench.now().wall, False)
    bench.handle(happened.ReceiptCompared(receipt, GENESIS))
    bench.handle(happened.HealthRead(bench.now()))
    return any(isinstance(it, CompareRecording) for it in bench.seen)


def test_a_held_recording_is_not_deleted_whatever_its_term_until_the_hold_is_lifted() -> None:
    long_ago = DutyBench().now().wall - timedelta(days=400)
    old = {FIRST: Kept(FIRST, long_ago, ("6个月",), False, "m", "m", long_ago, "6个月")}
    assert may_go(DutyBench(kept=old))
    assert not may_go(DutyBench(kept=old, holds={FIRST: {"unreadable": ""}})), "a hold of an earlier run"
    bench = DutyBench(kept=old)
    send(bench, kind=CommandKind.MARK_HOLD)
    assert not may_go(bench)
    send(bench, counter=2, kind=CommandKind.LIFT_HOLD)
    bench.later = timedelta(days=1)
    assert may_go(bench)


def test_a_message_is_shown_heard_and_carries_no_persons_number() -> None:
    bench = DutyBench()
    effects = send(bench)
    assert bench.state["message"]["text"] == "请于今日归还设备"
    assert any(isinstance(it, Indicate) and it.cue.name == Notice.MESSAGE_CAME for it in (*effects, *bench.seen))
    send(bench, counter=2, body={"text": "联系 13800138000"})
    assert bench.state["message"]["text"] == "请于今日归还设备"
    assert answers(bench)[-1] == (2, False, "content")
    assert DutyBench(shift=bench.kept[-1]).handle(happened.DeviceStarted(bench.now())) is not None


def test_time_from_the_centre_is_told_and_sets_no_clock() -> None:
    bench = DutyBench()
    ahead = bench.now().wall + timedelta(seconds=90)
    send(bench, kind=CommandKind.SYNC_TIME, issued_at=ahead, not_before=bench.now().wall, expires_at=ahead)
    (told,) = bench.of(EventType.COMMAND_ANSWERED)
    assert told["result"]["behind_ms"] in (89_999, 90_000)
    assert "未调整时钟" in told["text"]


def test_update_policy_asks_for_everything_again() -> None:
    bench = DutyBench()
    send(bench, kind=CommandKind.UPDATE_POLICY)
    assert any(isinstance(it, ReadTrustList) for it in bench.seen)
    assert bench.of(EventType.COMMAND_ANSWERED)[0]["result"]["versions"]


@pytest.mark.parametrize(
    ("kind", "look", "expected"),
    [
        (CommandKind.ROTATE_CERTIFICATE, True, []),
        (CommandKind.PULL_DIAGNOSTICS, False, [(7, False, "interrupted")]),
    ],
)
def test_a_start_answers_for_what_a_power_cut_left_open(kind: CommandKind, look: bool, expected: list[Any]) -> None:
    opened = OpenCommand(7, "c-7", kind)
    bench = DutyBench(commands=CommandsKept(7, (opened,)))
    bench.carries_out = False
    bench.handle(happened.DeviceStarted(bench.now()))
    asked = [it for it in bench.seen if isinstance(it, RequestCertificate | Diagnose)]
    assert asked == ([RequestCertificate(opened, look_only=True)] if look else [])
    assert answers(bench) == expected
    bench.handle(happened.CommandCarriedOut(opened, "已生成", {"request": "x"}))
    assert len(answers(bench)) == 1, "told twice"
    assert [note for note in bench.notes_kept if isinstance(note, CommandSettled)] == [CommandSettled(7)]


def test_a_command_in_a_file_goes_through_the_same_door() -> None:
    bench = DutyBench()
    document = payload(bench, kind=CommandKind.ASSIGN_TASK).decode()
    ask: Callable[[], dict[str, Any]] = lambda: bench.ask("pick", document=document)  # noqa: E731
    assert ask()["done"]
    assert "已用过" in ask()["text"]
    assert len(bench.of(EventType.TASK_TAKEN)) == 1


def test_stray_answers_of_store_and_worker_change_nothing() -> None:
    bench, stray = DutyBench(), OpenCommand(3, "c-3", CommandKind.PULL_DIAGNOSTICS)
    for event in (CommandStored(stray), CommandNotStored(stray, "x"), happened.CommandCarriedOut(stray, "x")):
        bench.handle(event)
    assert bench.told == []
