"""Fixes on a serial line become the time and the place of signed fragments; a simulator's say so and are no time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.adapters.hook_gnss import GnssCourier
from agent.adapters.positions import KEPT, PositionLog
from agent.clock import GuidedClock
from agent.control.messages import ClockDisputed
from agent.evidence.position import MAX_AGE_MS, Position
from agent.wire.instant import TimeState
from firmware_hooks.nmea import SIMULATED
from firmware_hooks.simulated_gnss import SECOND, SimulatedGnss
from tests.agent.adapters.recording_bench import eventually
from tests.support.clocks import SteppedClock

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HERE = Position(399042000, 1164074000, 1, 12, 90)


class Receiver:
    """A courier on a simulated receiver, over a clock that stands still."""

    def __init__(self, gnss: SimulatedGnss, system: SteppedClock, device: str = "") -> None:
        self.gnss, self.system = gnss, system
        self.clock, self.positions = GuidedClock(system), PositionLog()
        self.told: list[ClockDisputed] = []
        self.deaths: list[object] = []
        self.courier = GnssCourier(
            device or gnss.device,
            self.clock,
            self.positions,
            self.told.append,
            lambda *why: self.deaths.append(why),
            print,
            0.02,
        )

    def position(self) -> Position | None:
        return self.positions.at(self.system.read())


@contextmanager
def receiver(state: TimeState = TimeState.UNSET, error_ms: int | None = None) -> Iterator[Receiver]:
    with SimulatedGnss() as gnss:
        made = Receiver(gnss, SteppedClock(state, error_ms))
        made.courier.start()
        eventually(lambda: made.courier.connected, "an open line")
        yield made
        made.courier.close(5)
        assert made.deaths == []


def test_fix_is_place_and_time_though_garbage_stands_around_it() -> None:
    with receiver() as it:
        it.gnss.send_bytes(b"\x00\xff$GNRMC,1200")
        it.gnss.tell(NOON, 39.9042, 116.4074)
        it.gnss.send_bytes(b"$GPGGA,\xff*00\r\n")
        it.gnss.tell(NOON + SECOND, 39.9042, 116.4074)
        eventually(lambda: it.position() is not None, "a position")
        assert it.position() == HERE
        eventually(lambda: it.clock.read().state is TimeState.GNSS, "the time")
        assert it.clock.read().wall == NOON + SECOND


def test_receiver_that_was_unplugged_tells_places_again_when_it_is_back(tmp_path: Path) -> None:
    device = tmp_path / "gnss"
    with SimulatedGnss() as first:
        device.symlink_to(first.device)
        it = Receiver(first, SteppedClock(), str(device))
        it.courier.start()
        eventually(lambda: it.courier.connected, "an open line")
        first.tell(NOON, 39.9042, 116.4074)
        first.tell(NOON + SECOND, 39.9042, 116.4074)
        eventually(lambda: it.position() == HERE, "a position")
        device.unlink()
        first.unplug()
        eventually(lambda: not it.courier.connected, "the loss")
        it.system.step(2 * MAX_AGE_MS / 1000)
        assert it.position() is None, "the last place before the loss is no place for ever"
        with SimulatedGnss() as second:
            device.symlink_to(second.device)
            eventually(lambda: it.courier.connected, "the line again")
            second.tell(NOON + 100 * SECOND, 31.2304, 121.4737)
            second.tell(NOON + 101 * SECOND, 31.2304, 121.4737)
            eventually(lambda: it.position() is not None, "a position again")
            assert it.position() == Position(312304000, 1214737000, 1, 12, 90)
            it.courier.close(5)
    assert it.deaths == []


def test_simulated_fix_is_a_place_that_says_so_and_never_time() -> None:
    with receiver() as it:
        for step in range(3):
            it.gnss.tell(NOON + step * SECOND, 39.9042, 116.4074, SIMULATED)
        eventually(lambda: it.position() is not None, "a position")
        assert it.position().simulated
        assert it.clock.read().state is TimeState.UNSET


def test_receiver_and_ntp_that_disagree_are_told_of_once_until_they_agree() -> None:
    with receiver(TimeState.NTP, 10) as it:
        wall = it.system.read().wall.replace(microsecond=0)
        for step in range(4):
            it.gnss.tell(wall + timedelta(hours=3) + step * SECOND, 39.9, 116.4)
        eventually(lambda: it.told, "the dispute")
        for step in (1, 2):  # the first of them follows no other
            it.gnss.tell(wall - timedelta(seconds=3) + step * SECOND, 39.9, 116.4)
        it.gnss.tell(wall, 39.9, 116.4)
        eventually(lambda: len(it.told) == 2, "the agreement")
    assert it.told[0].apart_ms == pytest.approx(3 * 3_600_000, abs=3000)
    assert it.told[1].apart_ms == 0


def test_fragment_has_the_place_where_it_was_captured_and_none_that_is_too_old() -> None:
    clock, log = SteppedClock(), PositionLog()
    start = clock.read()
    assert log.at(start) is None
    for step in range(3):
        log.tell(replace(HERE, longitude=HERE.longitude + step), clock.step(1))
    before = replace(start, monotonic_ns=start.monotonic_ns + 2_400_000_000)  # captured then, signed later
    assert log.at(before) == replace(HERE, longitude=HERE.longitude + 1, age_ms=400)
    assert log.at(start).age_ms == -1000
    assert log.at(clock.step(MAX_AGE_MS / 1000)).age_ms == MAX_AGE_MS
    assert log.at(clock.step(0.001)) is None


def test_positions_of_a_day_do_not_fill_the_memory() -> None:
    clock, log = SteppedClock(), PositionLog()
    for _ in range(2 * KEPT):
        log.tell(HERE, clock.step(1))
    assert len(log._told) == KEPT
