"""What may leave a disk: receipted, past retention and not held, by two clocks that agree; nothing else, ever."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from agent.control.deletion import CentreTime, Kept, Stay, later, may_be_removed, parse_kept, why_stays
from agent.wire.identifiers import device_id, recording_id
from agent.wire.instant import TimeState
from tests.support.clocks import SteppedClock

READ = SteppedClock().read()
NOW = replace(READ, wall=READ.wall.replace(microsecond=473_000))
DAY = timedelta(days=1)
LONG_AGO = NOW.wall - 400 * DAY
FIRST = recording_id(device_id("REC-0001"), 1)
OLD = Kept(FIRST, LONG_AGO, ("6个月",), False, "m", "m", LONG_AGO, "6个月")
CENTRE = CentreTime(NOW.wall, NOW)


@pytest.mark.parametrize(("receipted", "past", "held", "marked"), list(product((True, False), repeat=4)))
def test_only_receipted_and_past_retention_and_not_held_may_go(
    receipted: bool, past: bool, held: bool, marked: bool
) -> None:
    ended = LONG_AGO if past else NOW.wall - 182 * DAY
    kept = replace(OLD, ended=ended, receipted_at=ended, receipted="m" if receipted else "", marked=marked)
    goes = why_stays(kept, ["case"] if held else [], NOW, CENTRE) is None
    assert goes is (receipted and past and not held and not marked)


@pytest.mark.parametrize("years", [-10, 10])
@pytest.mark.parametrize("state", TimeState)
def test_a_clock_that_jumped_deletes_nothing_whatever_it_calls_itself(state: TimeState, years: int) -> None:
    young = replace(OLD, ended=NOW.wall - 10 * DAY, receipted_at=NOW.wall - 10 * DAY)
    jumped = replace(NOW, wall=NOW.wall + 365 * years * DAY, state=state)
    assert why_stays(young, (), jumped, CENTRE) is Stay.CLOCK
    assert why_stays(OLD, (), jumped, CENTRE) is Stay.CLOCK


@pytest.mark.parametrize("state", [TimeState.UNSET, TimeState.HOLDOVER])
def test_a_clock_that_nobody_disciplines_decides_nothing(state: TimeState) -> None:
    assert why_stays(OLD, (), replace(NOW, state=state), CENTRE) is Stay.CLOCK


def test_without_a_word_of_the_centre_in_this_run_nothing_goes() -> None:
    assert why_stays(OLD, (), NOW, None) is Stay.CLOCK


def test_age_alone_deletes_nothing() -> None:
    ancient = NOW.wall - 9000 * DAY
    assert why_stays(Kept(FIRST, ancient, ("6个月",), receipted_at=ancient), (), NOW, CENTRE) is Stay.NOT_RECEIPTED


def test_a_receipt_for_what_stood_there_before_is_none() -> None:
    assert why_stays(replace(OLD, manifest="with a note"), (), NOW, CENTRE) is Stay.NOT_RECEIPTED


@pytest.mark.parametrize("minutes", [-30, 30])
def test_of_two_clocks_that_nearly_agree_the_one_behind_decides(minutes: int) -> None:
    ends = replace(OLD, ended=LONG_AGO, receipted_at=LONG_AGO)
    last = next(
        day for day in range(400) if why_stays(replace(ends, ended=LONG_AGO + day * DAY), (), NOW, CENTRE) is not None
    )
    edge = replace(ends, ended=LONG_AGO + last * DAY)
    while why_stays(edge, (), NOW, CENTRE) is not None:  # to within a quarter of an hour of the end of its term
        edge = replace(edge, ended=edge.ended - timedelta(minutes=15))
    said = CentreTime(NOW.wall + timedelta(minutes=minutes), NOW)
    assert (why_stays(edge, (), NOW, said) is None) is (minutes > 0)
    assert why_stays(edge, (), replace(NOW, wall=NOW.wall - timedelta(minutes=minutes)), CENTRE) is (
        Stay.NOT_YET if minutes > 0 else None
    )


@pytest.mark.parametrize(
    ("kept", "holds", "goes"),
    [
        (replace(OLD, going=True), [], True),
        (OLD, [], False),
        (replace(OLD, going=True, manifest="with a note"), [], False),
        (replace(OLD, going=True, receipted="", manifest=""), [], False),
        (replace(OLD, going=True), ["case"], False),
    ],
)
def test_a_deletion_under_way_is_finished_only_while_nothing_speaks_against_it(
    kept: Kept, holds: list[str], goes: bool
) -> None:
    assert may_be_removed(kept, holds) is goes


def test_a_clock_that_was_behind_while_recording_does_not_shorten_the_term() -> None:
    fresh = replace(OLD, ended=NOW.wall - 4000 * DAY, receipted_at=NOW.wall - 10 * DAY)
    assert why_stays(fresh, (), NOW, CENTRE) is Stay.NOT_YET


def test_no_class_is_shorter_than_six_months() -> None:
    fresh = replace(OLD, ended=NOW.wall - 182 * DAY, receipted_at=NOW.wall - 182 * DAY, terms=("1个月",), filed="1个月")
    assert why_stays(fresh, (), NOW, CENTRE) is Stay.NOT_YET


@pytest.mark.parametrize(
    ("terms", "filed", "goes"),
    [
        (("6个月",), "", True),
        (("6个月",), "30年", False),
        (("30年",), "6个月", False),
        (("永久",), "6个月", False),
        (("6个月", "同案卷保留期限"), "", False),
        (("6个月", ""), "", False),
        (("",), "6个月", True),
        ((), "", False),
        (("会读的人不多",), "6个月", False),
    ],
)
def test_the_longest_class_counts_and_what_is_in_none_stays(terms: tuple[str, ...], filed: str, goes: bool) -> None:
    assert (why_stays(replace(OLD, terms=terms, filed=filed), (), NOW, CENTRE) is None) is goes


def test_an_old_word_of_the_centre_that_comes_again_moves_no_clock() -> None:
    old = CentreTime(NOW.wall - 3000 * DAY, NOW)
    assert later(CENTRE, old, NOW) is CENTRE
    assert later(None, old, NOW) is old


@pytest.mark.parametrize("kept", [OLD, Kept(FIRST), replace(OLD, going=True, terms=())])
def test_what_is_remembered_is_read_again_as_it_was(kept: Kept) -> None:
    assert parse_kept(kept.encode()) == kept
