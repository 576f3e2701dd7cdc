from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.duty.case_assembly import SeenRecording, assemble_case, recordings_of, tasks_of
from agent.duty.case_facts import Label, Served
from agent.duty.labels import LABEL_WORDS
from agent.duty.record_counts import UsedCase
from agent.duty.record_use import Use, tables
from agent.duty.review_elements import review_elements
from agent.errors import SenderFault
from agent.wire.device_events import GENESIS, DeviceEvent, EventType
from agent.wire.identifiers import DeviceId, District
from agent.wire.instant import TimeState
from tests.agent.duty.facts import (
    BEGAN,
    HALF_SECOND,
    OFFICERS,
    RECORDER,
    RECORDING,
    UNIT,
    digest_of,
    gap,
    recording,
)

TASK = "T-2026-0001"
NUMBER = "星综执检〔2026〕REC-0001-0001号"
TAKEN = {
    "task": TASK, "source": "command", "unit": UNIT, "category": "行政检查", "matter": "食品经营现场检查",
    "area": "星河区", "party": "P-0001", "officers": list(OFFICERS), "required": ["表明身份", "现场检查", "当事人确认"],
    "retention": "2年", "major": ["社会影响"], "digest": digest_of("task"),
}  # fmt: skip
OFFICER = {"certificate": OFFICERS[0], "unit": UNIT, "roster_version": 7, "labels": []}


def event(kind: EventType, second: int, state: TimeState = TimeState.NTP, **data: Any) -> DeviceEvent:
    at = BEGAN + timedelta(seconds=second)
    return DeviceEvent(
        District("xinghe"), RECORDER, second + 1, GENESIS, f"e{second}", kind, "boot-1", second * 1000, at, state, data
    )


def story() -> list[DeviceEvent]:
    mark = {"task": TASK, "recording": RECORDING, "repeated": 0}
    expired = {**OFFICER, "certificate": OFFICERS[1], "labels": ["certificate-expired", "unheard-of"]}
    return [
        event(EventType.TASK_TAKEN, 0, **TAKEN),
        event(EventType.RECORDING_STARTED, 1, recording=RECORDING, previous=GENESIS, policies={"recording-list": 3},
              labels=["policy-outdated", "unheard-of"]),
        event(EventType.OFFICERS_LABELLED, 2, task=TASK, recording=RECORDING, officers=[OFFICER, expired], labels=[]),
        event(EventType.STEP_MARKED, 10, **mark, sequence=20, step="表明身份"),
        event(EventType.STEP_MARKED, 30, **mark, sequence=60, step="现场检查"),
        event(EventType.STEP_MARKED, 40, **mark, sequence=80, step="表明身份"),
        event(EventType.DOCUMENT_ISSUED, 50, task=TASK, number=NUMBER, template="t.1", title="现场检查笔录",
              digest=digest_of(NUMBER), recording=RECORDING, first=90, last=95),
        event(EventType.DOCUMENT_SERVED, 55, task=TASK, number=NUMBER, served="当事人拒签"),
        event(EventType.PARTY_CONFIRMED, 56, task=TASK, served="当事人签收"),
        event(EventType.STEPS_MISSING, 60, task=TASK, recording=RECORDING, missing=["当事人确认"], reason="当事人离开"),
        event(EventType.TASK_ENDED, 70, task=TASK, missing=["当事人确认"], reasons={"当事人确认": "当事人离开现场"}),
        event(EventType.TASK_TAKEN, 80, **{**TAKEN, "task": "T-2026-0002"}),
    ]  # fmt: skip


def seen() -> dict[Any, SeenRecording]:
    moments = {number: BEGAN + HALF_SECOND * (number - 1) for number in range(1, 101)}
    return {RECORDING: SeenRecording(recording(fragments=100, policies={}), (gap(50),), moments)}


def test_a_case_is_put_together_from_events_and_a_verified_recording() -> None:
    facts = assemble_case(TASK, story(), seen())
    assert (facts.unit, facts.matter, facts.major, facts.missing) == (
        UNIT, "食品经营现场检查", ("社会影响",), ("当事人确认",),
    )  # fmt: skip
    assert [(step.step, step.span.first, step.span.last, step.repeated) for step in facts.steps] == [
        ("表明身份", 20, 59, 1),
        ("现场检查", 60, 79, 0),
    ]
    assert facts.steps[0].span.begins == BEGAN + HALF_SECOND * 19
    assert [(officer.certificate, officer.labels) for officer in facts.officers] == [
        (OFFICERS[0], ()),
        (OFFICERS[1], (Label.CERTIFICATE_EXPIRED,)),
    ]
    assert (facts.recordings[0].policies, len(facts.gaps)) == ({"recording-list": 3}, 1)
    assert facts.recordings[0].labels == (Label.POLICY_OUTDATED,)
    assert [(paper.number, paper.served, paper.span and paper.span.first) for paper in facts.documents] == [
        (NUMBER, Served.REFUSED, 90)
    ]
    assert (facts.confirmation, facts.reasons) == (Served.SIGNED, {"当事人确认": "当事人离开现场"})
    assert facts.labels == (Label.STEPS_MISSING,)


def test_a_recording_that_nobody_has_is_told_as_missing() -> None:
    facts = assemble_case(TASK, story(), {})
    assert [(each.recording, each.verdict) for each in facts.recordings] == [(RECORDING, "missing")]


def test_events_that_say_nothing_readable_tell_nothing() -> None:
    broken = [
        event(EventType.STEP_MARKED, 31, task=TASK, step=7),
        event(EventType.DOCUMENT_ISSUED, 32, task=TASK, number="2号"),
        event(EventType.OFFICERS_LABELLED, 33, task=TASK, officers="all"),
        event(EventType.PARTY_CONFIRMED, 57, task=TASK, served="maybe"),
        event(EventType.STEP_MARKED, 34, task=TASK, recording="../etc", sequence=1, step="现场检查"),
    ]
    assert assemble_case(TASK, [*story(), *broken], seen()) == assemble_case(TASK, story(), seen())


def test_a_clock_that_was_never_set_and_a_late_hand_in_are_labels() -> None:
    more = [
        event(EventType.LIMIT_PASSED, 75, TimeState.UNSET, task=TASK, limit="hand-in"),
        event(EventType.LIMIT_PASSED, 76, task=TASK, limit="other"),
    ]
    labels = assemble_case(TASK, [*story(), *more], seen()).labels
    assert set(labels) == {Label.STEPS_MISSING, Label.HANDED_IN_LATE, Label.CLOCK_UNSET}


@pytest.mark.parametrize(
    ("limit", "label"),
    [("emergency-report", Label.EMERGENCY_LATE), ("registered-preservation", Label.PRESERVATION_LATE)],
)
def test_a_measure_that_nobody_reported_in_time_is_overseen_and_speaks_in_the_review(limit: str, label: Label) -> None:
    facts = assemble_case(TASK, [*story(), event(EventType.LIMIT_PASSED, 76, task=TASK, limit=limit)], seen())
    assert label in facts.labels
    oversight = next(table for table in tables([UsedCase(facts)], facts.began) if table.use is Use.OVERSIGHT)
    assert LABEL_WORDS[label] in {row["问题"] for row in oversight.rows}
    assert any(LABEL_WORDS[label] in line.text for line in review_elements(facts)[-1].lines if line.against)


def test_a_task_that_nobody_took_is_refused_and_the_taken_ones_are_listed() -> None:
    with pytest.raises(SenderFault, match="T-2026-9999"):
        assemble_case("T-2026-9999", story(), {})
    assert tasks_of(story()) == (TASK, "T-2026-0002")
    assert recordings_of(TASK, story()) == (RECORDING,)


def told_by(device: str, kind: EventType, second: int, state: TimeState = TimeState.NTP, **data: Any) -> DeviceEvent:
    return replace(event(kind, second, state, **data), device=DeviceId(device))


def test_a_second_recorder_takes_nothing_away_from_what_the_first_was_told() -> None:
    """It has no catalogue, an older list and a clock of 1970: neither steps nor factors nor term become less."""
    lesser = {**TAKEN, "major": [], "required": ["复核"], "retention": "6个月", "unit": "星河区另一局"}
    early = replace(
        told_by("REC-0002", EventType.TASK_TAKEN, 3, TimeState.UNSET, **lesser), time=datetime.fromtimestamp(0, UTC)
    )
    facts = assemble_case(TASK, [early, *story()], seen())
    assert (facts.major, facts.retention, facts.unit, facts.began) == (("社会影响",), "2年", UNIT, BEGAN)
    assert facts.required == ("表明身份", "现场检查", "当事人确认", "复核")
    assert Label.TOLD_DIFFERENTLY in facts.labels


def test_a_factor_that_is_not_known_is_no_no() -> None:
    told = [event(EventType.TASK_TAKEN, 0, **{**TAKEN, "major": [], "major_open": ["涉案金额"]}), *story()[1:]]
    facts = assemble_case(TASK, told, seen())
    assert (facts.major, facts.major_open, Label.MAJOR_OPEN in facts.labels) == ((), ("涉案金额",), True)


def test_a_task_that_somebody_laid_there_as_a_file_is_labelled() -> None:
    told = [event(EventType.TASK_TAKEN, 0, **{**TAKEN, "source": "file"}), *story()[1:]]
    assert Label.TASK_BY_FILE in assemble_case(TASK, told, seen()).labels
    assert Label.TASK_BY_FILE not in assemble_case(TASK, story(), seen()).labels


def test_nobody_speaks_for_another_devices_recording() -> None:
    """A step marked, a paper refused, an officer on the scene, told by a device that was not there."""
    marked = {"task": TASK, "recording": RECORDING, "repeated": 0, "sequence": 90, "step": "当事人确认"}
    there = {"task": TASK, "officers": [{**OFFICER, "certificate": "示例-000011"}], "labels": []}
    false = [
        told_by("REC-0002", EventType.TASK_TAKEN, 5, **TAKEN),
        told_by("REC-0002", EventType.STEP_MARKED, 91, **marked),
        told_by("REC-0002", EventType.DOCUMENT_SERVED, 92, task=TASK, number=NUMBER, served="当事人签收"),
        told_by("REC-0002", EventType.OFFICERS_LABELLED, 93, **there, recording=RECORDING),
        told_by("REC-0003", EventType.TASK_ENDED, 94, task=TASK, missing=[], reasons={"当事人确认": "已补"}),
        told_by("REC-0003", EventType.OFFICERS_LABELLED, 95, **there, recording=""),
    ]
    assert assemble_case(TASK, [*story(), *false], seen()) == assemble_case(TASK, story(), seen())


def test_a_number_that_leads_out_of_the_packet_is_no_document() -> None:
    paper = {"task": TASK, "template": "t.1", "title": "现场检查笔录", "digest": digest_of("x")}
    odd = (
        "../../../../PWNED",
        "../../../cases/T-1/001",
        "a/b〔2026〕REC-0001-0001号",
        "星综执检〔2026〕REC-0002-0001号",
    )
    false = [event(EventType.DOCUMENT_ISSUED, 60 + at, **paper, number=number) for at, number in enumerate(odd)]
    assert [it.number for it in assemble_case(TASK, [*story(), *false], seen()).documents] == [NUMBER]


def test_who_held_a_device_for_the_task_had_to_do_with_it() -> None:
    held = event(EventType.OFFICER_TOOK_OUT, 1, task=TASK, certificate="示例-000011", by="card", labels=[])
    facts = assemble_case(TASK, [*story(), held], seen())
    assert facts.people == (*OFFICERS, "示例-000011")


def test_a_taking_that_cannot_be_read_leaves_the_others() -> None:
    broken = told_by("REC-0002", EventType.TASK_TAKEN, 1, task=TASK, required=None)
    assert assemble_case(TASK, [*story(), broken], seen()).required == tuple(TAKEN["required"])
    with pytest.raises(SenderFault, match="无法读取"):
        assemble_case(TASK, [broken], {})
