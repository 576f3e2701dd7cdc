"""Reasons of the department's signed list for an interruption: by buttons, by codes, never in the way."""

from datetime import timedelta

import pytest

from agent import duty_cli
from agent.control.acts import Act
from agent.control.effects import MarkRecording, RaiseAlarm
from agent.control.messages import OfficerActed
from agent.duty.record_counts import UsedCase, count
from agent.evidence.reasons import Cause, cause_words, own_cause
from agent.wire.disclosures import DisclosureKind
from tests.agent.duty.facts import case, gap
from tests.support.duty import personnel, recording_list
from tests.support.duty_bench import DutyBench
from tests.support.policies import policy

LISTS = (personnel(), recording_list(), policy(DisclosureKind.REASON_CODES))


def acted(cause: str = "", listed: int = 0, lists: tuple[object, ...] = LISTS) -> tuple[list[str], list[str]]:
    """The signed cause of a pause, and what was told."""
    bench = DutyBench(lists)  # type: ignore[arg-type]
    bench.record()
    effects = bench.handle(OfficerActed(Act.PAUSE, cause, bench.now(), listed))
    marks = [it.cause for it in effects if isinstance(it, MarkRecording)]
    return marks, [it.text for it in effects if isinstance(it, RaiseAlarm)]


def test_a_number_of_the_list_is_signed_as_its_code_with_its_words() -> None:
    assert acted(listed=2) == (["weather｜天气恶劣"], [])
    assert cause_words("weather｜天气恶劣") == "天气恶劣"


def test_a_reason_that_the_rules_have_too_is_signed_as_theirs() -> None:
    assert acted(listed=3) == ([Cause.LOW_BATTERY.value], [])
    assert own_cause("place-changed", "检查场所变化") == "place-changed"


@pytest.mark.parametrize("lists", [LISTS, LISTS[:2]])
def test_a_number_that_the_list_does_not_have_is_told_with_the_list_and_the_pause_is_made(
    lists: tuple[object, ...],
) -> None:
    marks, (alarm,) = acted(listed=99, lists=lists)
    assert marks == [""]
    assert "没有第 99 号中断原因" in alarm
    assert "place-changed（检查场所变化）" in alarm


def test_a_reason_of_the_rules_stays_as_it_is() -> None:
    assert acted("secrecy") == (["secrecy"], [])


def test_what_may_be_given_is_shown_with_the_numbers_of_the_buttons() -> None:
    bench = DutyBench(LISTS)
    bench.pick()
    offered = {it["code"]: it["number"] for it in bench.state["interruptions"]}
    assert (offered["device-fault"], offered["weather"], offered["secrecy"]) == (16, 17, 7)
    assert "17 weather 天气恶劣" in "\n".join(duty_cli.lines(bench.state))
    texts = [it["text"] for it in bench.state["interruptions"]]
    assert len(texts) == len(set(texts))


def test_gaps_are_counted_by_the_reason_that_was_given() -> None:
    """Bites when 人为暂停 for 天气恶劣 and for 检查场所变化 are one number of the report."""
    rain, place = "人为暂停（天气恶劣）", "人为暂停（检查场所变化）"
    gaps = tuple(gap(400 + at, words=words) for at, words in enumerate((rain, place, place)))
    counted = count([UsedCase(case(gaps=gaps))], case().began + timedelta(days=1)).gaps
    assert [(it.words, it.explained) for it in counted] == [(place, 2), (rain, 1)]
