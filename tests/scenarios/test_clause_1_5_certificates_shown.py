"""二（一）5 规范证件出示: licensed officers only, who show who they are; when they did stands in the recording."""

from agent.duty.asks import What
from agent.duty.identity_code import check_code
from agent.duty.roster import parse_roster
from agent.evidence.journal import IDENTITY
from agent.wire.device_events import EventType
from tests.support.duty import FIRST, SECOND, STEPS, personnel
from tests.support.duty_bench import KEYS, DutyBench


def test_clause_1_5_showing_the_certificate_is_signed_checkable_and_a_marked_step() -> None:
    bench = DutyBench()
    bench.take_out(FIRST, SECOND)
    bench.pick()
    recording = bench.record()
    code = bench.ask(What.SHOW_IDENTITY, certificate=FIRST)["code"]
    (shown,) = bench.of(EventType.IDENTITY_SHOWN)
    assert (shown["certificate"], shown["recording"], shown["sequence"]) == (FIRST, recording, 3)
    assert (IDENTITY, FIRST) in bench.notes
    assert [it["step"] for it in bench.of(EventType.STEP_MARKED)] == [STEPS[0]]
    place, now, roster = KEYS.authority.district, bench.now().wall, parse_roster(personnel().entries)
    checked = check_code(code, trust=KEYS.trust, now=now, place=place, roster=roster)
    assert checked.officer is not None
    assert (checked.officer.certificate, checked.labels, checked.code.task) == (FIRST, (), "T-2026-0001")


def test_clause_1_5_one_officer_alone_is_recorded_and_labelled() -> None:
    bench = DutyBench()
    bench.pick()
    assert "还需另一名" in bench.take_out(FIRST)["text"]
    bench.record()
    assert bench.of(EventType.OFFICERS_LABELLED)[0]["labels"] == ["single-officer"]
    bench.take_out(SECOND)
    assert bench.of(EventType.OFFICERS_LABELLED)[1]["labels"] == []


def test_clause_1_5_who_is_on_no_list_shows_a_code_that_says_so() -> None:
    bench = DutyBench()
    bench.take_out("示例-999999")
    code = bench.ask(What.SHOW_IDENTITY)["code"]
    place, now, roster = KEYS.authority.district, bench.now().wall, parse_roster(personnel().entries)
    checked = check_code(code, trust=KEYS.trust, now=now, place=place, roster=roster)
    assert [label.value for label in checked.labels] == ["not-on-roster"]
