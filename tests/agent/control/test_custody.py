"""Commands that come together, holds that come too late, what a power cut must not take from a recording."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.adapters.asked_folder import AskedFolder
from agent.control import messages as happened
from agent.control.command_messages import KeepCommand
from agent.control.deletion import Kept, parse_kept
from agent.control.effects import Effect, EventDraft, ReadAsks, StoreEvent, StoreNote
from agent.control.offload_messages import DeleteRecording, KeptSeen, RecordingChanged, RecordingOffloaded
from agent.control.unstored import RETRY_NS, Unstored
from agent.duty.asks import ASKED, Ask, What
from agent.wire.commands import CommandKind
from agent.wire.device_events import GENESIS, EventType
from agent.wire.identifiers import Digest
from tests.agent.control.test_command_desk import FIRST, HOLD, answers, codes, payload, send
from tests.support.clocks import SteppedClock
from tests.support.duty import task
from tests.support.duty_bench import DutyBench


def ask_folder(folder: Path, *documents: bytes) -> AskedFolder:
    """Requests with commands in files, all there before one is read."""
    asked = AskedFolder(folder)
    asked.prepare()
    for number, document in enumerate(documents, start=1):
        ask = Ask(f"{number:032x}", What.PICK, {"document": document.decode()})
        (folder / ASKED / f"{number}.json").write_bytes(ask.encode())
    return asked


def settle(bench: DutyBench, asked: AskedFolder) -> None:
    """As loop and worker do it: whoever settles a request asks for the next."""
    wanted = True
    while wanted and (event := asked.take()) is not None:
        wanted = any(isinstance(effect, ReadAsks) for effect in bench.handle(event))


def test_two_holds_in_files_that_came_together_are_both_put_on(tmp_path: Path) -> None:
    bench = DutyBench()
    one = payload(bench, kind=CommandKind.MARK_HOLD)
    two = payload(bench, kind=CommandKind.MARK_HOLD, counter=2, command_id="c-2", body=HOLD | {"hold": "复议-2"})
    settle(bench, ask_folder(tmp_path, one, two))
    assert [it[:2] for it in answers(bench)] == [(1, True), (2, True)]
    assert set(bench.holds[FIRST]) == {"诉讼-1", "复议-2"}


def test_a_message_and_a_task_in_files_that_came_together_are_both_kept(tmp_path: Path) -> None:
    bench = DutyBench()
    one = payload(bench, kind=CommandKind.SHOW_MESSAGE)
    two = payload(bench, kind=CommandKind.ASSIGN_TASK, counter=2, command_id="c-2", body=task())
    settle(bench, ask_folder(tmp_path, one, two))
    shift = bench.kept[-1]
    assert shift.message
    assert shift.task is not None


def test_a_request_that_is_no_plain_file_hides_none_behind_it(tmp_path: Path) -> None:
    asked = ask_folder(tmp_path, b"one")
    (tmp_path / ASKED / "0.json").mkdir()
    (tmp_path / ASKED / "00.json").symlink_to("/etc/hostname")
    assert isinstance(asked.take(), happened.AsksRead)
    assert asked.take() is None


class SlowStore(DutyBench):
    """Its store has not answered yet."""

    def _see(self, effect: Effect) -> None:
        if not isinstance(effect, KeepCommand):
            super()._see(effect)


def test_a_command_is_not_judged_while_another_is_being_stored() -> None:
    bench = SlowStore()
    send(bench, kind=CommandKind.MARK_HOLD)
    send(bench, "gov/xinghe/v1/rec/REC-0001/cmd/c-2", kind=CommandKind.MARK_HOLD, counter=2, command_id="c-2")
    assert codes(bench) == ["busy"]


def old(bench: DutyBench) -> Kept:
    long_ago = bench.now().wall - timedelta(days=400)
    return Kept(FIRST, long_ago, ("6个月",), False, "m", "m", long_ago, "6个月", signed_at=long_ago)


def removals(bench: DutyBench) -> list[DeleteRecording]:
    return [it for it in bench.seen if isinstance(it, DeleteRecording)]


def test_a_hold_on_a_recording_that_is_being_deleted_is_not_answered_as_done() -> None:
    bench = DutyBench(kept={FIRST: replace(old(DutyBench()), going=True)})
    send(bench, kind=CommandKind.MARK_HOLD)
    assert answers(bench) == [(1, False, "deleting")]
    assert bench.holds == {}


def test_a_hold_on_a_recording_that_nobody_remembers_says_so() -> None:
    bench = DutyBench()
    send(bench, kind=CommandKind.MARK_HOLD, body=HOLD | {"recording": "REC-0001-R999999"})
    assert "请核对编号" in bench.of(EventType.COMMAND_ANSWERED)[0]["text"]


@pytest.mark.parametrize(
    ("change", "holds", "goes"),
    [({}, {}, True), ({}, {FIRST: {"unreadable": ""}}, False), ({"manifest": "another"}, {}, False)],
)
def test_what_a_power_cut_left_of_a_deletion_is_finished_unless_it_is_held_or_another(
    change: dict[str, str], holds: dict[object, dict[str, str]], goes: bool
) -> None:
    bench = DutyBench(kept={FIRST: replace(old(DutyBench()), going=True, **change)}, holds=holds)  # type: ignore[arg-type]
    bench.handle(happened.DeviceStarted(bench.now()))
    assert removals(bench) == ([DeleteRecording(FIRST, "m")] if goes else [])


def test_what_went_out_anew_takes_a_decision_to_delete_back() -> None:
    bench = DutyBench(kept={FIRST: replace(old(DutyBench()), going=True)})
    bench.handle(RecordingOffloaded(FIRST, Digest("b" * 64), 1, 1, bench.now()))
    (note,) = [note for note in bench.notes_kept if isinstance(note, KeptSeen)]
    assert (note.kept.going, note.kept.manifest) == (False, "b" * 64)


def test_files_that_changed_before_they_went_take_the_decision_back_and_are_told() -> None:
    bench = DutyBench(kept={FIRST: replace(old(DutyBench()), going=True)})
    effects = bench.handle(RecordingChanged(FIRST))
    assert any("未删除" in getattr(effect, "text", "") for effect in effects)
    assert not bench.notes_kept[-1].kept.going  # type: ignore[attr-defined]
    bench.handle(happened.DeviceStarted(bench.now()))
    assert removals(bench) == []


def kept_notes(bench: DutyBench) -> list[Kept]:
    return [note.kept for note in bench.notes_kept if isinstance(note, KeptSeen)]


def test_a_power_cut_while_recording_does_not_take_the_class_of_the_task() -> None:
    bench = DutyBench()
    bench.pick(retention="30年")
    effects = bench.handle(happened.ButtonPressed(bench.now()))
    names = [type(effect).__name__ for effect in effects]
    assert names.index("StoreNote") < names.index("StartRecording")
    assert [(kept.recording, kept.terms) for kept in kept_notes(bench)] == [(FIRST, ("30年",))]
    after = DutyBench(shift=bench.kept[-1], kept={FIRST: kept_notes(bench)[-1]})
    after.handle(happened.RecordingSealed(FIRST, 1, 2, GENESIS, 1000, 9, "power", True, 0, after.now()))
    assert kept_notes(after)[-1].terms == ("30年",)


def test_a_second_task_while_recording_is_stored_at_once_and_once() -> None:
    bench = DutyBench()
    bench.record()
    bench.pick(retention="永久")
    bench.handle(happened.TimePassed())
    assert [kept.terms for kept in kept_notes(bench)] == [("",), ("", "永久")]


def noted(name: str, filed: str) -> StoreEvent:
    draft = EventDraft(name, EventType.RECORDING_RECEIPTED, SteppedClock().read(), {})
    return StoreEvent(draft, KeptSeen(Kept(FIRST, filed=filed)))


def test_an_event_that_waited_does_not_bring_back_what_was_remembered_then() -> None:
    """A receipt that the store refused, then a newer filing: the older one is stored later, without its note."""
    now, unstored = SteppedClock().read(), Unstored()
    first, second = noted("a", "6个月"), noted("b", "永久")
    unstored.pass_on([first])
    unstored.keep(happened.EventNotStored(first, "full"), now.monotonic_ns)
    unstored.pass_on([second])
    (again,) = unstored.wake(replace(now, monotonic_ns=now.monotonic_ns + RETRY_NS))
    assert again == replace(first, note=None)
    unstored.keep(happened.EventNotStored(second, "full"), now.monotonic_ns)
    (newest,) = unstored.again(now)
    assert newest is second


def test_a_deletion_never_waits_for_room_in_the_store() -> None:
    now, unstored = SteppedClock().read(), Unstored()
    draft = EventDraft("R000001/deleted/m", EventType.RECORDING_DELETED, now, {"recording": FIRST})
    assert unstored.keep(happened.EventNotStored(StoreEvent(draft), "full"), now.monotonic_ns) == []
    assert unstored.again(now) == []


def test_a_note_that_stands_alone_overtakes_one_that_waits() -> None:
    now, unstored = SteppedClock().read(), Unstored()
    first = noted("a", "6个月")
    unstored.keep(happened.EventNotStored(first, "full"), now.monotonic_ns)
    unstored.pass_on([StoreNote(KeptSeen(Kept(FIRST, filed="永久")))])
    assert unstored.again(now) == [replace(first, note=None)]


def test_a_receipt_remembers_its_age_and_an_entry_of_before_has_none() -> None:
    at = datetime.fromisoformat("2026-11-22T10:06:14.123+00:00")
    kept = Kept(FIRST, signed_at=at)
    assert parse_kept(kept.encode()) == kept
    earlier = kept.encode().replace(',"signed_at":"2026-11-22T10:06:14.123Z"', "")
    assert parse_kept(earlier) == Kept(FIRST)
