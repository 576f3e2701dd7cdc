"""The recorder's duty desk: bad tasks, forged commands, wrong PINs, missing steps, limits, an unset clock."""

import itertools
from datetime import timedelta

import pytest

from agent.control import messages as happened
from agent.control.acts import Act
from agent.control.effects import Effect, MarkRecording, RaiseAlarm, StartRecording
from agent.duty.asks import What
from agent.duty.enrolment import FREE_TRIES
from agent.evidence.journal import IDENTITY, LABEL, OFFICER, STEP, STEP_DUE, TASK
from agent.wire import canonical
from agent.wire.commands import COMMAND_TYPE, Command, CommandKind
from agent.wire.device_events import EventType
from agent.wire.disclosures import DisclosureKind
from agent.wire.envelope import seal
from agent.wire.identifiers import device_id
from agent.wire.instant import TimeState
from tests.support.duty import EXPIRED, FIRST, SECOND, STEPS, personnel, recording_list, task
from tests.support.duty_bench import COMMANDER, KEYS, PIN, DutyBench
from tests.support.policies import policy

CARD = "04AABBCC"
COUNTER = itertools.count(1)
COMMANDS = "gov/xinghe/v1/rec/REC-0001/cmd/task-1"


def command(bench: DutyBench, signer: object = COMMANDER.signer, **changes: object) -> happened.MessageArrived:
    now = bench.now().wall
    fields = {
        "district": KEYS.authority.district, "device": KEYS.device, "command_id": "task-1",
        "kind": CommandKind.ASSIGN_TASK, "issued_at": now, "expires_at": now + timedelta(hours=1), "body": task(),
        "counter": next(COUNTER), "not_before": now - timedelta(hours=2),
    }  # fmt: skip
    payload = seal(COMMAND_TYPE, Command(**{**fields, **changes}).encode(), [signer])  # type: ignore[arg-type, list-item]
    return happened.MessageArrived(1, COMMANDS, payload)


def test_an_assigned_task_is_taken_and_told_once() -> None:
    bench = DutyBench()
    for _ in range(2):
        bench.handle(command(bench))
    assert [(it["task"], it["source"], it["required"]) for it in bench.of(EventType.TASK_TAKEN)] == [
        ("T-2026-0001", "command", list(STEPS))
    ]
    assert [it["code"] for it in bench.of(EventType.TASK_REFUSED)] == ["already-taken"]
    assert bench.state["task"]["retention"] == "3年"


def test_a_task_whose_body_names_another_device_is_refused_not_rewritten() -> None:
    bench = DutyBench()
    bench.handle(command(bench, body=task(device="REC-0009")))
    assert bench.of(EventType.TASK_TAKEN) == []
    assert [it["code"] for it in bench.of(EventType.TASK_REFUSED)] == ["other-device"]


def test_a_second_task_waits_until_the_first_has_ended() -> None:
    bench = DutyBench()
    bench.pick(task="T-2026-0009")
    bench.handle(command(bench))
    assert [it["id"] for it in bench.state["waiting"]] == ["T-2026-0001"]
    assert "先用 liuhen-agent task end" in bench.ask(What.PICK, document="T-2026-0001")["text"]
    bench.ask(What.END)
    assert bench.ask(What.PICK, document="T-2026-0001")["done"]
    assert (bench.state["task"]["id"], bench.state["waiting"]) == ("T-2026-0001", [])


def test_a_command_that_no_commander_signed_is_refused_and_told() -> None:
    bench = DutyBench()
    recording = bench.record()
    effects = bench.handle(command(bench, KEYS.receiver.signer))
    assert any(isinstance(it, RaiseAlarm) for it in effects)
    assert len(bench.of(EventType.COMMAND_REFUSED)) == 1
    assert (bench.of(EventType.TASK_TAKEN), bench.state["recording"]) == ([], recording)


def test_a_command_past_its_end_is_refused_unless_the_clock_is_unset() -> None:
    for state, taken in ((TimeState.NTP, 0), (TimeState.UNSET, 1)):
        bench = DutyBench()
        bench.state_of_clock = state
        past = bench.now().wall - timedelta(hours=1)
        bench.handle(command(bench, issued_at=past, expires_at=past))
        assert len(bench.of(EventType.TASK_TAKEN)) == taken


def test_a_task_for_another_device_is_refused_and_the_recording_goes_on() -> None:
    bench = DutyBench()
    recording = bench.record()
    assert "REC-0009" in bench.pick(device="REC-0009")["text"]
    bench.handle(command(bench, device=device_id("REC-0009")))
    assert [it["code"] for it in bench.of(EventType.TASK_REFUSED)] == ["other-device"]
    assert [it["code"] for it in bench.of(EventType.COMMAND_REFUSED)] == ["other-device"]
    assert (bench.state["task"], bench.state["recording"]) == (None, recording)


def test_a_task_of_another_unit_is_refused() -> None:
    """The unit decides who reviews the matter: a task must not choose its reviewer."""
    bench = DutyBench()
    assert "星河区另一局" in bench.pick(unit="星河区另一局")["text"]
    assert (bench.state["task"], bench.of(EventType.TASK_TAKEN)) == (None, [])


def test_a_file_that_anybody_wrote_asks_for_no_less_than_the_signed_list() -> None:
    """The list says 3年 and its steps; the file says one step of its own and a month."""
    bench = DutyBench()
    bench.pick(required=["随便"], retention="1个月")
    (told,) = bench.of(EventType.TASK_TAKEN)
    assert (told["required"], told["retention"], told["source"]) == ([*STEPS, "随便"], "3年", "file")


def test_a_task_that_asks_for_more_than_the_list_has_its_way() -> None:
    bench = DutyBench()
    bench.pick(retention="永久")
    assert bench.state["task"]["retention"] == "永久"


def test_a_term_that_is_none_is_refused() -> None:
    assert "retention" in DutyBench().pick(retention="胡写")["text"]


def test_what_is_not_known_on_scene_is_said_and_told_and_never_taken_for_a_no() -> None:
    bench = DutyBench((personnel(), recording_list(), policy(DisclosureKind.MAJOR_CATALOGUE)))
    text = bench.pick(category="行政处罚")["text"]
    (told,) = bench.of(EventType.TASK_TAKEN)
    assert (told["major"], told["major_open"] != []) == ([], True)
    assert "尚未查明" in text
    assert told["major_open"][0] in text


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "不是有效的 JSON"),
        ("nothing", "没有等待领取的任务"),
        ('{"task": "T-1"}', "缺少"),
        ('{"task": "T-1", "device": "REC-0001", "unit": "某单位 13800138000"}', "手机号"),
    ],
)
def test_a_task_that_says_too_little_or_too_much_is_refused(document: str, words: str) -> None:
    answer = DutyBench().ask(What.PICK, document=document)
    assert not answer["done"]
    assert words in answer["text"]


def test_a_party_with_a_name_is_refused() -> None:
    assert "不写姓名" in DutyBench().pick(party="示例甲")["text"]


def test_wrong_pins_wait_longer_and_longer_and_a_restart_forgets_none() -> None:
    bench = DutyBench()
    bench.take_out(SECOND)
    bench.ask(What.ENROL, certificate=FIRST, pin=bench.kept[-1].entry(SECOND).pin)  # type: ignore[union-attr]
    for _ in range(FREE_TRIES):
        assert "PIN 不正确" in bench.ask(What.TAKE_OUT, certificate=FIRST, pin="000000")["text"]
    assert "秒后再试" in bench.ask(What.TAKE_OUT, certificate=FIRST, pin=PIN)["text"]
    again = DutyBench(shift=bench.kept[-1])
    assert "秒后再试" in again.ask(What.TAKE_OUT, certificate=FIRST, pin=PIN)["text"]
    again.later = timedelta(minutes=1)
    assert again.ask(What.TAKE_OUT, certificate=FIRST, pin=PIN)["done"]
    assert [it["reason"] for it in bench.of(EventType.OFFICER_REFUSED)] == ["wrong-pin"] * FREE_TRIES + ["locked"]


def test_a_card_takes_out_and_hands_in_but_not_while_recording() -> None:
    bench = DutyBench()
    bench.ask(What.ENROL, certificate=FIRST, card=CARD)
    shown = happened.CardShown(CARD, bench.now())
    bench.handle(shown)
    assert [it["by"] for it in bench.of(EventType.OFFICER_TOOK_OUT)] == ["card"]
    recording = bench.record()
    bench.handle(happened.CardShown(CARD, bench.now()))
    assert [it["certificate"] for it in bench.state["officers"]] == [FIRST]
    bench.seal(recording)
    bench.handle(happened.CardShown(CARD, bench.now()))
    assert (bench.state["officers"], len(bench.of(EventType.OFFICER_HANDED_IN))) == ([], 1)


def test_an_unknown_card_is_told_and_stops_nothing() -> None:
    bench = DutyBench()
    recording = bench.record()
    bench.handle(happened.CardShown("FFFF", bench.now()))
    assert [it["reason"] for it in bench.of(EventType.OFFICER_REFUSED)] == ["unknown-card"]
    assert bench.state["recording"] == recording


def test_a_recording_without_officers_task_and_lists_is_made_and_labelled() -> None:
    bench = DutyBench(lists=())
    bench.record()
    (told,) = bench.of(EventType.OFFICERS_LABELLED)
    assert told["labels"] == ["no-task", "single-officer", "policy-missing"]
    assert [note.split()[0] for kind, note in bench.notes if kind == LABEL] == told["labels"]


def test_who_records_for_what_is_frozen_at_the_start() -> None:
    bench = DutyBench()
    bench.take_out(FIRST, SECOND)
    bench.pick()
    bench.press()
    kinds = [kind for kind, _ in bench.notes]
    assert kinds == [OFFICER, OFFICER, TASK, *[STEP_DUE] * 5]
    frozen = next(note for kind, note in bench.notes if kind == OFFICER)
    assert all(
        word in frozen for word in (FIRST, "第 3 版", "2099-12-31", "审验合格", "行政检查", "星河区", "示例甲123")
    )


def test_the_numbers_of_the_officers_stand_in_the_recordings_context() -> None:
    bench = DutyBench()
    bench.take_out(FIRST, SECOND)
    start = next(it for it in bench.handle(happened.ButtonPressed(bench.now())) if isinstance(it, StartRecording))
    assert start.context["officer"] == f"{FIRST}、{SECOND}"


def test_steps_are_marked_in_order_by_number_by_words_and_twice() -> None:
    bench = DutyBench()
    bench.pick()
    recording = bench.record()
    for step in ("", "3", "听取", STEPS[0]):
        assert bench.ask(What.STEP, step=step)["done"]
    told = [(it["step"], it["repeated"]) for it in bench.of(EventType.STEP_MARKED)]
    assert told == [(STEPS[0], 0), (STEPS[2], 0), (STEPS[3], 0), (STEPS[0], 1)]
    assert {(it["recording"], it["sequence"]) for it in bench.of(EventType.STEP_MARKED)} == {(recording, 3)}
    assert bench.state["steps_missing"] == [STEPS[1], STEPS[4]]
    assert [note for kind, note in bench.notes if kind == STEP] == [it[0] for it in told]


def test_one_long_press_marks_the_next_step_and_a_key_mark_only_when_none_is_due() -> None:
    bench = DutyBench()
    bench.pick()

    def press_long() -> list[Effect]:
        return bench.handle(happened.OfficerActed(Act.STEP, "", bench.now()))

    press_long()  # no recording: nothing it could mark
    assert bench.notes == []
    recording = bench.record()
    for step in STEPS:
        press_long()
        assert bench.notes[-1] == (STEP, step)
    assert [(it["step"], it["recording"], it["repeated"]) for it in bench.of(EventType.STEP_MARKED)] == [
        (step, recording, 0) for step in STEPS
    ]
    assert bench.of(EventType.KEY_MARKED) == []
    assert [it.act for it in press_long() if isinstance(it, MarkRecording)] == [Act.MARK]
    assert bench.of(EventType.KEY_MARKED) == [{"recording": recording}]


def test_a_long_press_without_a_task_and_the_key_of_its_own_are_key_marks() -> None:
    bench = DutyBench()
    recording = bench.record()
    bench.handle(happened.OfficerActed(Act.STEP, "", bench.now()))
    bench.pick()
    bench.clock.step(1)
    bench.handle(happened.OfficerActed(Act.MARK, "", bench.now()))
    assert bench.of(EventType.KEY_MARKED) == [{"recording": recording}] * 2
    assert bench.of(EventType.STEP_MARKED) == []


def test_a_step_that_is_not_on_the_list_is_refused_with_what_could_be_meant() -> None:
    bench = DutyBench()
    bench.pick()
    bench.record()
    answer = bench.ask(What.STEP, step="喝茶")
    assert (answer["done"], "1 表明身份" in answer["text"]) == (False, True)


def test_stopping_with_steps_missing_asks_why_and_never_refuses() -> None:
    bench = DutyBench()
    bench.pick()
    recording = bench.record()
    bench.ask(What.STEP)
    bench.seal(recording)
    assert bench.state["asking_reason"] == recording
    assert bench.of(EventType.STEPS_MISSING)[0]["missing"] == list(STEPS[1:])
    assert bench.state["recordings"][recording]["steps_missing"] == list(STEPS[1:])
    assert not bench.ask(What.REASON, reason="致电 13800138000")["done"]
    assert bench.ask(What.REASON, reason="当事人离开")["done"]
    assert (bench.state["asking_reason"], bench.of(EventType.STEPS_MISSING)[-1]["reason"]) == ("", "当事人离开")


def test_a_second_recording_of_the_task_asks_only_for_the_steps_that_are_left() -> None:
    bench = DutyBench()
    bench.pick()
    recording = bench.record()
    for _ in range(3):
        bench.ask(What.STEP)
    bench.seal(recording)
    bench.notes.clear()
    bench.press()
    assert [note for kind, note in bench.notes if kind == STEP_DUE] == list(STEPS[3:])


def test_showing_the_code_marks_the_step_that_asks_for_it() -> None:
    bench = DutyBench()
    bench.take_out(FIRST, SECOND)
    bench.pick()
    bench.record()
    answer = bench.ask(What.SHOW_IDENTITY, certificate=SECOND)
    assert answer["code"].startswith("LH1.")
    assert [it["step"] for it in bench.of(EventType.STEP_MARKED)] == [STEPS[0]]
    assert (IDENTITY, SECOND) in bench.notes
    assert "先用卡或 PIN" in bench.ask(What.SHOW_IDENTITY, certificate=EXPIRED)["text"]


@pytest.mark.parametrize(
    ("step", "term", "hours"), [("当场强制措施告知", "24小时", 24), ("先行登记保存证据", "7个工作日", None)]
)
def test_a_limit_begins_with_its_step_and_is_told_when_it_passes(step: str, term: str, hours: int | None) -> None:
    bench = DutyBench(lists=(personnel(), recording_list(steps=(step,))))
    bench.pick()
    bench.record()
    bench.ask(What.STEP)
    (started,) = bench.of(EventType.LIMIT_STARTED)
    assert (started["term"], started["hours"]) == (term, hours)
    left = canonical.parse_timestamp(started["due"]) - bench.now().wall
    bench.later = left - timedelta(minutes=5)
    bench.handle(happened.TimePassed())
    assert bench.of(EventType.LIMIT_PASSED) == []
    bench.later = left + timedelta(minutes=11)
    for _ in range(2):
        bench.handle(happened.TimePassed())
    assert len(bench.of(EventType.LIMIT_PASSED)) == 1
    assert bench.state["limits"][0]["minutes_left"] < 0


@pytest.mark.parametrize(("hours", "late"), [(2, 0), (25, 1)])
def test_a_report_that_was_made_stops_its_limit_and_hides_no_lateness(hours: int, late: int) -> None:
    bench = DutyBench(lists=(personnel(), recording_list(steps=("当场强制措施告知",))))
    bench.pick()
    bench.record()
    bench.ask(What.STEP)
    bench.later = timedelta(hours=hours)
    bench.handle(happened.TimePassed())
    said = bench.ask(What.MEET, limit="emergency", note="已向负责人报告")
    assert (said["done"], "已超过时限" in said["text"], bench.state["limits"]) == (True, bool(late), [])
    (met,) = bench.of(EventType.LIMIT_MET)
    assert (met["limit"], met["note"]) == ("emergency-report", "已向负责人报告")
    bench.later = timedelta(hours=60)
    bench.handle(happened.TimePassed())
    assert len(bench.of(EventType.LIMIT_PASSED)) == late


@pytest.mark.parametrize(
    ("limit", "note", "words"),
    [("hand-in", "已交回", "task hand-in"), ("emergency", " ", "办理情况"), ("emergency", "已报告", "没有正在计时")],
)
def test_a_limit_that_does_not_run_cannot_be_met(limit: str, note: str, words: str) -> None:
    bench = DutyBench()
    bench.pick()
    said = bench.ask(What.MEET, limit=limit, note=note)
    assert (said["done"], words in said["text"], bench.of(EventType.LIMIT_MET)) == (False, True, [])


def test_handing_in_after_a_day_is_labelled_late() -> None:
    bench = DutyBench()
    bench.take_out(FIRST)
    bench.seal(bench.record())
    bench.later = timedelta(hours=25)
    assert "未按时交回" in bench.ask(What.HAND_IN, certificate=FIRST)["text"]
    assert bench.of(EventType.OFFICER_HANDED_IN)[0]["labels"] == ["handed-in-late"]


def test_without_a_clock_a_limit_counts_by_the_time_since_boot_and_says_so_after_a_restart() -> None:
    bench = DutyBench(lists=(personnel(), recording_list(steps=("当场强制措施告知",))))
    bench.state_of_clock = TimeState.UNSET
    bench.pick()
    bench.record()
    bench.ask(What.STEP)
    assert bench.of(EventType.LIMIT_STARTED)[0]["due"] is None
    bench.later = timedelta(hours=25)
    bench.handle(happened.TimePassed())
    assert len(bench.of(EventType.LIMIT_PASSED)) == 1
    began = bench.kept[-1].limits[0].began
    assert bench.kept[-1].limits[0].left(began.__class__(began.wall, 1, "another-boot", TimeState.NTP, 5)) is None


def test_what_was_taken_and_marked_survives_a_restart() -> None:
    bench = DutyBench()
    bench.take_out(FIRST)
    bench.pick()
    bench.record()
    bench.ask(What.STEP)
    again = DutyBench(shift=bench.kept[-1])
    again.handle(happened.DeviceStarted(again.now()))
    for name in ("task", "steps_missing", "steps_marked", "officers"):
        assert again.state[name] == bench.state[name], name


def test_requests_nobody_can_read_are_told_and_the_next_one_is_answered() -> None:
    bench = DutyBench()
    files = (b"{", b'{"id":"xyz","what":"step"}', b'{"id":1}')
    effects = [effect for file in files for effect in bench.handle(happened.AsksRead(file))]
    assert len([it for it in effects if isinstance(it, RaiseAlarm)]) == 3
    assert "不认识的请求" in bench.ask("dance")["text"]
