"""A recording that the list wants from beginning to end is stopped early: seen in it, in the sheet, the packet, the
report."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.control.effects import NoteDuty, RaiseAlarm, StopRecording
from agent.duty.asks import What
from agent.duty.case_assembly import assemble_case
from agent.duty.case_facts import CaseFacts, EarlyStop, Label
from agent.duty.case_json import case_digest, case_json
from agent.duty.key_content import check_worded, draft_sheet
from agent.duty.record_counts import UsedCase
from agent.duty.record_use import Use, tables
from agent.duty.review_elements import Prefill, review_elements
from agent.duty.task import Manner
from agent.duty.whole_process import early_causes
from agent.errors import OperatorFault
from agent.wire.device_events import EventType
from agent.wire.disclosures import DisclosureKind
from agent.wire.identifiers import RecordingId
from agent.wire.instant import TimeState
from tests.agent.control.test_duty_lists import LISTS, ROW, SERVING, stopped
from tests.scenarios.test_bad_input_is_told import events
from tests.support.duty import FIRST, SECOND, STEPS, personnel
from tests.support.duty_bench import DutyBench
from tests.support.policies import policy

TASK = "T-2026-0001"
WHOLE = Manner(whole=True, whole_steps=STEPS)
TEN = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)  # in Beijing


def facts(bench: DutyBench) -> CaseFacts:
    return assemble_case(TASK, events(bench), {})


def oversight(found: CaseFacts) -> str:
    rows = next(table.rows for table in tables([UsedCase(found)], found.began) if table.use is Use.OVERSIGHT)
    return "\n".join(str(row["问题"]) for row in rows)


def stops(bench: DutyBench) -> list[dict[str, Any]]:
    return [data for data in bench.of(EventType.STEPS_MISSING) if data.get("early")]


def test_stopping_before_every_step_is_a_label_signed_into_the_recording_before_it_is_sealed() -> None:
    bench = stopped()
    notes = [it for it in bench.seen if isinstance(it, NoteDuty) and it.note.startswith(Label.STOPPED_EARLY)]
    assert len(notes) == 1
    assert "还有 4 个环节未录（告知事由依据、" in notes[0].note
    assert bench.seen.index(notes[0]) < next(n for n, it in enumerate(bench.seen) if isinstance(it, StopRecording))
    assert any("全过程记录提前停止" in it.text for it in bench.seen if isinstance(it, RaiseAlarm))


def test_it_stands_in_packet_and_report_with_the_reason_by_its_signed_code() -> None:
    bench = stopped()
    found = facts(bench)
    assert found.recordings[0].labels == (Label.STOPPED_EARLY,)
    assert "没有说明原因" in oversight(found)
    assert bench.ask(What.REASON, reason="place-changed")["done"]
    found = facts(bench)
    (stop,) = found.early
    assert (stop.recording, stop.code, stop.reason) == ("REC-0001-R000001", "place-changed", "检查场所变化")
    steps = "告知事由依据、告知权利义务、听取陈述申辩、制作并送达文书"
    words = f"全过程记录提前停止：还有 4 个环节未录（{steps}）；原因：检查场所变化"
    assert words in oversight(found)
    procedure = review_elements(found)[6]
    assert procedure.prefill is Prefill.AGAINST
    (line,) = [line for line in procedure.lines if words in line.text]
    assert line.spans[0].recording == stop.recording
    assert case_json(found)["early"][0]["code"] == "place-changed"


def test_it_stands_in_the_sheet_of_key_content() -> None:
    bench = stopped()
    bench.ask(What.REASON, reason="place-changed")
    draft = bench.ask(What.SHEET_DRAFT, author=FIRST)
    assert draft["done"], draft
    (text,) = [line["text"] for line in draft["lines"] if "全过程记录提前停止" in line["heading"]]
    assert text == "原因：检查场所变化。"
    film = replace(facts(bench).recordings[0], fragments=9)
    (line,) = draft_sheet(replace(facts(bench), recordings=(film,), steps=()), FIRST, TEN).lines
    assert (line.span.first, line.span.last, "原因：检查场所变化" in line.text) == (9, 9, True)
    (bare,) = draft_sheet(replace(facts(stopped()), recordings=(film,), steps=()), FIRST, TEN).lines
    with pytest.raises(OperatorFault, match="尚未填写"):  # nobody signs an early end without a word on it
        check_worded(draft_sheet(replace(facts(stopped()), recordings=(film,), steps=()), FIRST, TEN))
    assert bare.step.startswith("全过程记录提前停止")


def test_it_stands_on_the_officers_page_and_is_asked_about_until_a_reason_is_given() -> None:
    bench = stopped()
    assert bench.state["asking_reason"] == "REC-0001-R000001"
    assert bench.state["recordings"]["REC-0001-R000001"]["early"].endswith("没有说明原因")
    bench.ask(What.REASON, reason="party-refused")
    assert bench.state["recordings"]["REC-0001-R000001"]["early"].endswith("原因：当事人拒不配合")
    assert "无需说明" in bench.ask(What.REASON, reason="party-refused")["text"]
    again = DutyBench(LISTS, shift=bench.kept[-1])
    assert again.controller is not None
    assert bench.kept[-1].stopped[0].reason == "当事人拒不配合"


def test_a_reason_given_while_it_still_ran_is_the_reason_of_its_early_end() -> None:
    bench = DutyBench(LISTS)
    bench.take_out(FIRST, SECOND)
    bench.pick(stages=["现场检查"])
    recording = bench.record()
    bench.ask(What.REASON, reason="safety", note="已撤离")
    bench.seal(recording)
    (stop,) = facts(bench).early
    assert stop.reason == "现场危及人身安全，提前撤离：已撤离"
    assert bench.state["asking_reason"] == ""


def test_what_is_not_asked_for_whole_and_what_was_recorded_whole_is_no_early_end() -> None:
    bench = stopped(stages=["送达"])
    assert (stops(bench), facts(bench).early) == ([], ())
    bench = DutyBench(LISTS)
    bench.pick(stages=["现场检查"])
    recording = bench.record()
    for _ in STEPS:
        bench.ask(What.STEP)
    bench.seal(recording)
    assert (stops(bench), [note for note in bench.notes if "stopped-early" in note[1]]) == ([], [])


def test_the_steps_of_a_stage_that_is_not_recorded_whole_do_not_count() -> None:
    bench = DutyBench(LISTS)
    bench.pick()
    recording = bench.record()
    for _ in STEPS:
        bench.ask(What.STEP)
    bench.seal(recording)
    assert bench.of(EventType.STEPS_MISSING)[-1]["missing"] == SERVING["记录内容"]
    assert stops(bench) == []


def test_stopping_before_the_hour_that_the_list_names_as_the_end_is_told_without_any_step_missing() -> None:
    rows = policy(DisclosureKind.RECORDING_LIST, entries=({**ROW, "记录结束时间": "23:59"},))
    bench = DutyBench((personnel(), rows, policy(DisclosureKind.REASON_CODES)))
    bench.pick()
    recording = bench.record()
    for _ in STEPS:
        bench.ask(What.STEP)
    bench.seal(recording)
    (told,) = stops(bench)
    assert (told["missing"], told["early"]) == ([], ["未到清单的结束时间 23:59"])
    assert bench.ask(What.REASON, reason="weather")["text"] == "已记录全过程记录提前停止的原因。"
    assert facts(bench).early[0].code == "weather"


@pytest.mark.parametrize(
    ("ends", "began", "ended", "early"),
    [
        ("18:00", TEN, TEN + timedelta(hours=1), True),
        ("18:00", TEN, TEN + timedelta(hours=8), False),
        ("18:00", TEN + timedelta(hours=9), TEN + timedelta(hours=10), False),
        ("18:00", TEN + timedelta(hours=9), TEN + timedelta(hours=15), False),
        ("离开现场", TEN, TEN, False),
        ("18:00", None, TEN, False),
        ("25:00", TEN, TEN, False),
        ("17:00；18:00", TEN, TEN + timedelta(hours=7, minutes=30), True),
    ],
)
def test_only_a_time_of_day_that_a_clock_can_judge_is_judged(
    ends: str, began: datetime | None, ended: datetime, early: bool
) -> None:
    assert bool(early_causes(replace(WHOLE, ends=ends), (), began, ended)) is early


def test_without_a_clock_only_the_steps_tell() -> None:
    rows = policy(DisclosureKind.RECORDING_LIST, entries=({**ROW, "记录结束时间": "23:59"},))
    bench = DutyBench((personnel(), rows))
    bench.state_of_clock = TimeState.UNSET
    bench.pick()
    bench.seal(bench.record())
    assert stops(bench)[0]["early"] == [
        "还有 5 个环节未录（表明身份、出示证件、告知事由依据、告知权利义务、听取陈述申辩、制作并送达文书）"
    ]


def test_a_case_without_an_early_end_has_the_digest_it_had_before_there_were_any() -> None:
    found = facts(stopped(stages=["送达"]))
    assert "early" not in case_json(found)
    early = replace(found, early=(EarlyStop(RecordingId("REC-0001-R000001"), ("x",)),))
    assert case_digest(early) != case_digest(found)
