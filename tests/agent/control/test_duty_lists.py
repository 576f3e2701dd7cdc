"""What the signed lists ask on scene: a stage, a matter on no list, when to begin, reasons; odd lists and odd tasks."""

import json
from datetime import timedelta
from typing import Any

import pytest

from agent import duty_cli
from agent.control.acts import Act
from agent.control.messages import FragmentStored, GapOpened, OfficerActed
from agent.duty.asks import What
from agent.duty.policies import PolicyShelf
from agent.duty.shift import MAX_MARKS, MAX_WAITING, Shift, parse_shift
from agent.duty.steps import Mark, StepSheet
from agent.errors import SenderFault
from agent.evidence.reasons import Reason
from agent.wire import canonical
from agent.wire.device_events import GENESIS, EventType
from agent.wire.disclosures import Disclosure, DisclosureKind
from agent.wire.identifiers import RecordingId
from tests.agent.control.test_duty_desk import command
from tests.support.duty import EXPIRED, FIRST, SECOND, STEPS, personnel, task
from tests.support.duty_bench import DutyBench
from tests.support.policies import NOW, UNIT, policy

ROW = {
    "序号": "1", "执法类别": "行政检查", "执法事项": "示例场所检查", "记录环节": "现场检查", "记录方式": "全程录音录像",
    "记录开始时间": "抵达现场", "记录内容": list(STEPS), "记录结束时间": "离开现场", "存储期限": "3年", "备注": "无",
    "记录载体": "执法记录仪", "全过程记录": "是",
}  # fmt: skip
SERVING = {
    **ROW, "序号": "2", "记录环节": "送达", "记录内容": ["说明文书名称", "受送达人签收"],
    "记录开始时间": "到达送达地点", "全过程记录": "否",
}  # fmt: skip
LISTS = (
    personnel(),
    policy(DisclosureKind.RECORDING_LIST, entries=(ROW, SERVING)),
    policy(DisclosureKind.RECORDING_RULES),
    policy(DisclosureKind.REASON_CODES),
)


def labels(bench: DutyBench) -> list[str]:
    return [it["label"] for it in bench.state["labels"]]


def seen(bench: DutyBench) -> str:
    """What `task show` prints."""
    return "\n".join(duty_cli.lines(bench.state))


def stopped(**changes: Any) -> DutyBench:
    """A recording of a task has stopped with steps missing."""
    bench = DutyBench(LISTS)
    bench.take_out(FIRST, SECOND)
    bench.pick(**changes)
    recording = bench.record()
    bench.ask(What.STEP)
    bench.seal(recording)
    return bench


def test_a_task_of_one_stage_is_not_asked_for_the_steps_of_the_others() -> None:
    bench = DutyBench(LISTS)
    bench.pick(stages=["送达"])
    (told,) = bench.of(EventType.TASK_TAKEN)
    assert (told["stages"], told["required"]) == (["送达"], SERVING["记录内容"])
    assert bench.state["asked"]["starts"] == "到达送达地点"
    bench.ask(What.END)
    bench.pick(task="T-2026-0002")
    assert bench.state["steps_required"] == [*STEPS, *SERVING["记录内容"]]


@pytest.mark.parametrize("stage", ["随便", "听证室布置"])
def test_a_stage_that_no_list_has_for_the_matter_asks_for_no_less(stage: str) -> None:
    elsewhere = {**ROW, "序号": "3", "执法事项": "别的事项", "记录环节": "听证室布置"}
    rows = policy(DisclosureKind.RECORDING_LIST, entries=(ROW, SERVING, elsewhere))
    bench = DutyBench((personnel(), rows, policy(DisclosureKind.RECORDING_RULES)))
    text = bench.pick(stages=[stage])["text"]
    assert f"没有环节“{stage}”" in text
    assert bench.state["steps_required"] == [*STEPS, *SERVING["记录内容"]]


def test_a_task_of_one_stage_is_kept_as_long_as_the_whole_matter() -> None:
    rows = policy(DisclosureKind.RECORDING_LIST, entries=({**ROW, "存储期限": "永久"}, SERVING))
    bench = DutyBench((personnel(), rows))
    bench.pick(stages=["送达"])
    assert bench.state["task"]["retention"] == "永久"


def test_a_matter_on_no_list_is_labelled_and_not_asked_for_every_step_there_is() -> None:
    """It was asked for 22 steps of all stages, 文字记录 among them, and nothing said that no list has it."""
    bench = DutyBench(LISTS)
    bench.take_out(FIRST, SECOND)
    text = bench.pick(matter="清单外的检查")["text"]
    assert "清单中没有该事项" in text
    assert (bench.state["steps_required"], labels(bench)) == ([], ["matter-unlisted"])
    bench.record()
    assert bench.of(EventType.OFFICERS_LABELLED)[-1]["labels"] == ["matter-unlisted"]
    assert bench.ask(What.STEP, step="查看证照")["done"]


def test_when_to_begin_and_end_and_how_to_record_is_said_on_scene() -> None:
    bench = DutyBench(LISTS)
    bench.pick(stages=["现场检查"])
    shown = seen(bench)
    for words in (
        "开始记录：抵达现场",
        "停止记录：离开现场",
        "全程录音录像；全过程不间断",
        "记录载体：执法记录仪",
        "环节：现场检查",
    ):
        assert words in shown


def test_the_departments_own_reasons_are_offered_and_their_code_is_told() -> None:
    bench = stopped()
    assert "party-absent 当事人不在场" in seen(bench)
    answer = bench.ask(What.REASON, reason="party-absent", note="已电话通知")
    assert "书面说明" not in answer["text"]
    told = bench.of(EventType.STEPS_MISSING)[-1]
    assert (told["code"], told["reason"]) == ("party-absent", "当事人不在场：已电话通知")
    assert "（已说明：当事人不在场：已电话通知）" in seen(bench)


def test_a_task_that_was_not_recorded_at_all_is_explained_by_the_reasons_for_that() -> None:
    """Bites when the list's 不予记录 codes can be given nowhere, as it was."""
    bench = DutyBench(LISTS)
    bench.pick()
    bench.ask(What.END)
    assert "urgent 情况紧急，来不及开启设备" in seen(bench)
    assert "须书面说明" in bench.ask(What.REASON, reason="urgent")["text"]
    told = bench.of(EventType.STEPS_MISSING)[-1]
    assert (told["code"], told["reason"], told["recording"]) == ("urgent", "情况紧急，来不及开启设备", "")


def test_what_was_recorded_is_not_explained_as_not_recorded() -> None:
    bench = stopped()
    assert "urgent" not in seen(bench)
    assert "本任务已有录像" in bench.ask(What.REASON, reason="urgent")["text"]
    assert bench.of(EventType.STEPS_MISSING)[-1]["reason"] == ""


def test_a_reason_that_asks_for_writing_says_so_and_one_in_own_words_is_kept() -> None:
    assert "须书面说明" in stopped().ask(What.REASON, reason="当事人不在场")["text"]
    bench = stopped()
    assert bench.ask(What.REASON, reason="突降大雨，撤离")["done"]
    told = bench.of(EventType.STEPS_MISSING)[-1]
    assert (told["code"], told["reason"]) == ("", "突降大雨，撤离")


def test_no_reason_is_taken_while_every_step_can_still_be_recorded() -> None:
    bench = DutyBench(LISTS)
    bench.pick()
    assert "还没有录制" in bench.ask(What.REASON, reason="party-absent")["text"]
    assert bench.of(EventType.STEPS_MISSING) == []
    bench.ask(What.END)
    assert bench.ask(What.REASON, reason="party-absent")["done"]


def test_a_task_that_names_others_is_labelled() -> None:
    bench = DutyBench(LISTS)
    bench.take_out(FIRST, SECOND)
    bench.pick(officers=["999999", "999998"])
    assert labels(bench) == ["other-officers"]


def test_nobody_on_duty_is_no_single_officer() -> None:
    bench = DutyBench(LISTS)
    bench.pick()
    assert "单人执法" not in seen(bench)
    assert "无人领用" in seen(bench)
    bench.record()  # the recording itself is labelled: fewer than two is fewer than two
    assert "single-officer" in bench.of(EventType.OFFICERS_LABELLED)[-1]["labels"]


def test_the_names_of_who_has_the_device_are_shown() -> None:
    bench = DutyBench(LISTS)
    bench.take_out(FIRST, EXPIRED)
    assert f"领用：示例甲123、{FIRST}" in seen(bench)
    assert f"领用：示例甲125、{EXPIRED}、执法证件已过有效期" in seen(bench)


def part(number: int, count: int = 2) -> Disclosure:
    row = {**ROW, "序号": str(number)}
    title = f"音像记录事项清单（{number}/{count}）"
    return policy(DisclosureKind.RECORDING_LIST, disclosure_id=f"main-{number}", title=title, entries=(row,))


def test_a_list_of_which_one_part_has_not_come_rules_with_a_label() -> None:
    rules = policy(DisclosureKind.RECORDING_RULES)
    one = PolicyShelf(UNIT, [rules, part(2)]).in_force(NOW)
    assert (one.labels, one.incomplete) == (("list-incomplete",), ("音像记录事项清单",))
    assert PolicyShelf(UNIT, [rules, part(1), part(2)]).in_force(NOW).labels == ()


def test_one_task_more_than_can_wait_is_refused_and_told_and_drops_none() -> None:
    bench = DutyBench(LISTS)
    for number in range(MAX_WAITING + 2):
        bench.handle(command(bench, body=task(task=f"T-{number}")))
    assert [it["id"] for it in bench.state["waiting"]] == [f"T-{number}" for number in range(1, MAX_WAITING + 1)]
    assert [it["code"] for it in bench.of(EventType.TASK_REFUSED)] == ["too-many-waiting"]


def test_the_first_mark_of_a_step_survives_hundreds_of_others_and_a_restart() -> None:
    sheet = StepSheet(STEPS)
    for step in (STEPS[0], *[STEPS[1]] * (MAX_MARKS + 10)):
        sheet = sheet.marked(Mark(step, RecordingId("REC-0001-R000001"), 1, "2026-11-22T02:00:00.000Z"))
    kept = parse_shift(Shift(sheet=sheet).encode()).sheet
    assert (kept.missing, len(kept.marks)) == (STEPS[2:], MAX_MARKS + 2)
    again = kept.marked(Mark(STEPS[1], RecordingId("REC-0001-R000001"), 1, "2026-11-22T02:00:00.000Z"))
    assert again.marks[-1].repeated == MAX_MARKS + 10


def test_no_step_is_marked_in_a_film_that_a_full_disk_has_broken_off() -> None:
    """It was marked in a fragment that never came, and counted as seen."""
    bench = DutyBench(LISTS)
    bench.pick()
    recording = bench.record()
    before, broken = bench.now(), bench.now()
    bench.handle(GapOpened(recording, Reason.STORAGE_FULL, broken))
    bench.handle(FragmentStored(recording, 1, 3, GENESIS, before, 500, 1000))  # what was filmed before the break
    assert "现在没有画面，未标记" in bench.ask(What.STEP)["text"]
    bench.handle(OfficerActed(Act.STEP, "", bench.now()))
    assert (bench.of(EventType.STEP_MARKED), bench.state["recording"]) == ([], recording)
    bench.later += timedelta(seconds=1)
    bench.handle(FragmentStored(recording, 2, 4, GENESIS, bench.now(), 500, 1000))
    assert bench.ask(What.STEP)["done"]
    assert bench.of(EventType.STEP_MARKED)[0]["sequence"] == 5


@pytest.mark.parametrize("words", ["检查\x1b[31m", "检查\u202e", "检\n查"])
def test_words_that_steer_a_terminal_come_into_no_task(words: str) -> None:
    bench = DutyBench(LISTS)
    for changes in ({"matter": words}, {"required": [words]}):
        assert "不可显示的字符" in bench.ask(What.PICK, document=json.dumps(task(**changes)))["text"]
    rows = ({**ROW, "记录内容": [words]},)
    bench = DutyBench((personnel(), policy(DisclosureKind.RECORDING_LIST, entries=rows)))
    bench.pick()
    assert all(letter.isprintable() for line in duty_cli.lines(bench.state) for letter in line)
    assert all(step.isprintable() for step in bench.of(EventType.TASK_TAKEN)[0]["required"])


@pytest.mark.parametrize(
    "changed", [{"papers": {"notes": [], "used": True}}, {"papers": 1}, {"sheet": 1}, {"out": "x"}]
)
def test_a_kept_shift_of_another_shape_is_begun_anew_in_words(changed: dict[str, object]) -> None:
    kept = canonical.decode_object(Shift().encode())
    with pytest.raises(SenderFault, match="值勤状态无法读取"):
        parse_shift(canonical.encode(kept | changed))
