"""二（一）4 公开行政执法人员资格清单: six fields, kept up to date with the annual check, asked of in the field."""

import pytest

from agent.duty.asks import What
from agent.evidence.journal import OFFICER
from agent.wire.device_events import EventType
from tests.support.duty import EXPIRED, FIRST, SECOND, officer, personnel, recording_list
from tests.support.duty_bench import DutyBench

FIELDS = ("姓名", "单位", "职务", "证件编号", "执法类别", "执法区域")


def test_clause_1_4_the_six_fields_of_each_officer_are_frozen_into_the_recording() -> None:
    bench = DutyBench()
    bench.take_out(FIRST, SECOND)
    bench.press()
    first, second = (note for kind, note in bench.notes if kind == OFFICER)
    for note, certificate in ((first, FIRST), (second, SECOND)):
        entry = officer(certificate)
        assert all(entry[field] in note for field in FIELDS), note
        assert "名单第 3 版" in note


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"年度审验": "未审验"}, "annual-check-missing"),
        ({"年度审验": "合格", "审验年度": "2019"}, "annual-check-missing"),
        ({"证件有效期至": "2020-12-31"}, "certificate-expired"),
        ({"执法类别": "行政许可"}, "wrong-category"),
        ({"执法区域": "月湖区"}, "wrong-area"),
    ],
)
def test_clause_1_4_an_officer_whom_the_list_does_not_license_is_recorded_labelled_and_told(
    changes: dict[str, str], label: str
) -> None:
    bench = DutyBench(lists=(personnel(entries=(officer(FIRST, **changes), officer(SECOND))), recording_list()))
    bench.pick()
    bench.take_out(FIRST, SECOND)
    recording = bench.record()
    (told,) = bench.of(EventType.OFFICERS_LABELLED)
    assert (told["recording"], told["officers"][0]["labels"], told["officers"][1]["labels"]) == (recording, [label], [])
    assert bench.state["recording"] == recording


def test_clause_1_4_an_expired_certificate_is_told_when_the_device_is_taken_out() -> None:
    bench = DutyBench()
    answer = bench.take_out(EXPIRED)
    assert (answer["done"], "已过有效期" in answer["text"]) == (True, True)
    assert bench.of(EventType.OFFICER_TOOK_OUT)[0]["labels"] == ["certificate-expired"]
    assert bench.ask(What.HAND_IN, certificate=EXPIRED)["done"]
