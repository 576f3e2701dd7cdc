"""A store that fills up: what gives way, in which order, and that nothing flutters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.control.back_pressure import CRITICAL, HINTED, ROUTINE, STEPS, Pressure, pressure, takes
from agent.wire.device_events import EventType


@pytest.mark.parametrize(
    ("percent", "level"),
    [(0, 0), (69.9, 0), (70, 1), (84.9, 1), (85, 2), (94.9, 2), (95, 3), (99.9, 3), (100, 4)],
)
def test_the_four_levels_begin_where_the_order_says(percent: float, level: int) -> None:
    assert pressure(percent, Pressure.NONE) is Pressure(level)


def test_each_level_takes_less_and_the_last_nothing() -> None:
    kinds = [{kind for kind in EventType if takes(level, kind)} for level in Pressure]
    assert kinds[0] == kinds[1] == set(EventType)
    assert kinds[2] == set(EventType) - ROUTINE
    assert kinds[3] == CRITICAL
    assert kinds[4] == set()
    assert HINTED <= CRITICAL


def test_a_level_says_what_to_do_and_slows_the_health_reports() -> None:
    assert all("请" in step.text for level, step in STEPS.items() if level is not Pressure.NONE)
    assert STEPS[Pressure.SLOWED].health_every > STEPS[Pressure.NONE].health_every


def test_around_a_limit_the_level_does_not_flutter() -> None:
    assert pressure(84.0, Pressure.EVIDENCE_ONLY) is Pressure.EVIDENCE_ONLY
    assert pressure(81.9, Pressure.EVIDENCE_ONLY) is Pressure.SLOWED
    assert pressure(10.0, Pressure.FULL) is Pressure.NONE


@given(st.lists(st.floats(0, 100)))
def test_whatever_the_way_the_level_is_never_below_what_is_reached(story: list[float]) -> None:
    held = Pressure.NONE
    for percent in story:
        held = pressure(percent, held)
        assert held >= pressure(percent, Pressure.NONE)
