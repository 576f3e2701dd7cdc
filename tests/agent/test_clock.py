"""The time a device signs with: never better than it is, never taken from whoever lies."""

from datetime import timedelta

import pytest

from agent.clock import DRIFT_PPM, GNSS_ERROR_MS, STEP_NS, GuidedClock, SystemClock
from agent.wire.instant import TimeState
from tests.support.clocks import SteppedClock

YEARS = timedelta(days=20_000)


@pytest.fixture
def system() -> SteppedClock:
    """A recorder without a clock of its own that has just been switched on."""
    return SteppedClock(TimeState.UNSET, None)


class KernelClock(SystemClock):
    """A system clock whose kernel says what a test wants."""

    told: tuple[TimeState, int | None] = (TimeState.NTP, 20)
    set_by_ns = 0

    def _discipline(self) -> tuple[TimeState, int | None]:
        return self.told

    def _apart_ns(self) -> int:
        return super()._apart_ns() + self.set_by_ns


@pytest.mark.parametrize("by_ns", [2 * STEP_NS, -2 * STEP_NS])
def test_clock_that_somebody_set_is_not_believed_on_the_word_of_the_one_before(by_ns: int) -> None:
    clock = KernelClock("boot")
    assert clock.read().state is TimeState.NTP
    clock.told, clock.set_by_ns = (TimeState.UNSET, None), by_ns
    assert (clock.read().state, clock.read().error_ms) == (TimeState.UNSET, None)


def test_clock_that_nobody_set_stays_unset(system: SteppedClock) -> None:
    assert GuidedClock(system).read() == system.read()


def test_fix_sets_the_time_that_is_told_and_its_bound(system: SteppedClock) -> None:
    clock, utc = GuidedClock(system), system.read().wall + YEARS
    assert clock.guide(utc, clock.read()) is None
    system.step(2)
    now = clock.read()
    assert (now.wall, now.state, now.error_ms) == (utc + timedelta(seconds=2), TimeState.GNSS, GNSS_ERROR_MS + 1)


def test_fixes_that_stop_leave_a_holdover_that_is_less_certain_by_the_hour(system: SteppedClock) -> None:
    clock, utc = GuidedClock(system), system.read().wall + YEARS
    clock.guide(utc, clock.read())
    system.step(3600)
    now = clock.read()
    assert (now.wall, now.state) == (utc + timedelta(hours=1), TimeState.HOLDOVER)
    assert now.error_ms == GNSS_ERROR_MS + 3600 * DRIFT_PPM // 1000
    clock.guide(utc + timedelta(hours=1), now)
    assert (clock.read().state, clock.read().error_ms) == (TimeState.GNSS, GNSS_ERROR_MS)


def test_ntp_that_knows_better_is_kept_and_a_receiver_that_disagrees_is_told_of(system: SteppedClock) -> None:
    system.state, system.error_ms = TimeState.NTP, 20
    clock = GuidedClock(system)
    assert clock.guide(clock.read().wall - timedelta(seconds=0.9), clock.read()) is None
    apart = clock.guide(clock.read().wall + timedelta(hours=1), clock.read())
    assert apart == timedelta(hours=1)
    assert clock.read() == system.read()


def test_ntp_that_is_lost_is_carried_on_and_marked(system: SteppedClock) -> None:
    system.state, system.error_ms = TimeState.NTP, 20
    clock = GuidedClock(system)
    before = clock.read()
    system.state, system.error_ms = TimeState.UNSET, None
    system.step(100)
    now = clock.read()
    assert (now.wall - before.wall, now.state, now.error_ms) == (timedelta(seconds=100), TimeState.HOLDOVER, 30)


def test_ntp_less_certain_than_the_receiver_gives_way(system: SteppedClock) -> None:
    system.state, system.error_ms = TimeState.NTP, 8000
    clock, utc = GuidedClock(system), system.read().wall + timedelta(seconds=5)
    clock.read()
    assert clock.guide(utc, clock.read()) is None
    assert (clock.read().wall, clock.read().state) == (utc, TimeState.GNSS)
