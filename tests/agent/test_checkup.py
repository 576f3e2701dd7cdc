"""The self-check sees what the device sees: its agent's clock, and what the board says against itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.adapters.health_courier import read_board
from agent.checkup import agent_moment
from agent.control.self_check import Board
from agent.evidence.health import HealthReading
from agent.wire.instant import TimeState
from firmware_hooks.simulated_sysfs import SimulatedSysfs
from tests.support.clocks import SteppedClock

KERNEL = replace(SteppedClock().read(), state=TimeState.UNSET, error_ms=None)


def told(state: TimeState) -> HealthReading:
    return HealthReading("interval", state, 0, 0, 0)


@pytest.mark.parametrize(
    ("agent", "state", "error_ms"),
    [
        (None, TimeState.UNSET, None),
        (TimeState.GNSS, TimeState.GNSS, 1000),
        (TimeState.HOLDOVER, TimeState.HOLDOVER, None),
        (TimeState.NTP, TimeState.UNSET, None),  # told before NTP was lost
    ],
)
def test_a_clock_that_a_receiver_set_is_not_called_unset(agent, state, error_ms) -> None:
    """Bites when the kernel alone is asked: it knows nothing of the receiver that guides the agent."""
    moment = agent_moment(KERNEL, None if agent is None else told(agent))
    assert (moment.state, moment.error_ms) == (state, error_ms)


def test_a_clock_under_ntp_needs_nobody_elses_word() -> None:
    kernel = replace(KERNEL, state=TimeState.NTP, error_ms=20)
    assert agent_moment(kernel, told(TimeState.UNSET)) == kernel


def test_what_the_board_says_against_itself_is_seen(tmp_path: Path) -> None:
    sysfs = SimulatedSysfs(tmp_path)
    assert read_board(None) == read_board(tmp_path) == Board()
    sysfs.clock("", set_kernel=False)
    assert read_board(tmp_path) == Board(clock_lost=True)
    sysfs.throttled(0b0101)
    sysfs.clock(1_795_000_000)
    assert read_board(tmp_path) == Board(under_voltage=True, throttled=True)
