"""A clock that is set back, or wakes up in another year, brings nothing back that has ended."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent import durable
from agent.wire import canonical
from agent.wire.disclosures import Disclosure
from agent.wire.instant import TimeState
from kiosk.latest import FILE, Latest, LatestTime
from kiosk.serving import look_after
from kiosk.states import HallState
from kiosk.views import board_page
from tests.kiosk.bench import NOW, Bench, sample
from tests.kiosk.hall import Hall
from tests.support.clocks import SteppedClock

DAY_S = 86_400
BEHIND = "本屏时钟有误"


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def board() -> Disclosure:
    return replace(sample("window-board"), effective_until=NOW + timedelta(days=1))


def emergency() -> Disclosure:
    entry = {"标题": "停电疏散", "正文": "请从东门有序离开。", "级别": "紧急"}
    return replace(sample("notice"), disclosure_id="urgent", entries=(entry,))


def state(hall: Hall) -> HallState:
    look_after(hall.display)
    return hall.display.condition.state


@pytest.mark.parametrize("kind", [TimeState.UNSET, TimeState.NTP])
def test_an_expired_board_stays_expired_after_a_restart_with_the_clock_set_back(
    bench: Bench, tmp_path: Path, kind: TimeState
) -> None:
    hall = Hall(tmp_path, bench)
    hall.clock.state = kind
    hall.put(board())
    assert state(hall) is HallState.NORMAL
    hall.clock.step(DAY_S + 3600)
    assert state(hall) is HallState.EXPIRED
    again = Hall(tmp_path, bench)  # another start, at the hour of the first
    again.clock.state = kind
    assert state(again) in (HallState.EXPIRED, HallState.INVALID)
    page = again.page(board_page)
    assert "丁四" not in page
    assert BEHIND in page


def test_time_goes_on_from_where_it_was_under_a_clock_that_was_set_back(bench: Bench, tmp_path: Path) -> None:
    hall = Hall(tmp_path, bench)
    hall.put(board())
    look_after(hall.display)
    hall.clock.set_wrong(-30)
    hall.clock.step(DAY_S - 60)
    assert state(hall) is HallState.NORMAL
    assert BEHIND in hall.page(board_page)
    hall.clock.step(120)
    assert state(hall) is HallState.EXPIRED


def test_an_emergency_that_ended_and_a_silence_do_not_change_with_the_clock(bench: Bench, tmp_path: Path) -> None:
    hall = Hall(tmp_path, bench)
    hall.put(sample("window-board"), emergency())
    durable.make_directory(hall.config.heard.parent)
    heard = canonical.encode({"heard": canonical.timestamp(NOW)})
    hall.config.heard.write_bytes(heard)
    assert state(hall) is HallState.EMERGENCY
    hall.clock.step(DAY_S + 60)
    assert state(hall) is HallState.OFFLINE
    hall.clock.set_wrong(-2)
    assert state(hall) is HallState.OFFLINE
    assert "离线 1 天" in hall.page(board_page)
    again = Hall(tmp_path, bench)
    assert state(again) is HallState.OFFLINE


def test_the_log_of_what_was_shown_knows_the_time_when_its_own_file_is_gone(bench: Bench, tmp_path: Path) -> None:
    hall = Hall(tmp_path, bench)
    hall.put(board())
    hall.clock.step(DAY_S + 3600)
    hall.display.painted.stopped(hall.clock.read())
    again = Hall(tmp_path, bench)
    again.clock.state = TimeState.UNSET
    assert not (again.config.state / FILE).exists()
    assert state(again) is not HallState.NORMAL


def test_what_two_people_signed_bounds_an_undisciplined_clock_and_an_office_years_ahead_ends_no_board(
    bench: Bench, tmp_path: Path
) -> None:
    hall = Hall(tmp_path, bench)
    later = replace(sample("notice"), issued_at=NOW + timedelta(days=3650))
    hall.put(board(), later)
    assert state(hall) is HallState.NORMAL
    hall.clock.state = TimeState.UNSET
    assert state(hall) is HallState.EXPIRED


def test_a_wrong_clock_is_put_right_by_ntp_and_an_hour_of_it_is_not_kept_for_ever() -> None:
    clock = SteppedClock(TimeState.UNSET)
    right = clock.read().wall
    clock.set_wrong(3650)
    wrong = Latest().observed(clock.read(), timedelta())
    assert wrong.floor(TimeState.UNSET) > right + timedelta(days=3000)
    assert wrong.floor(TimeState.NTP) < right
    clock.set_wrong(-3650)
    clock.state = TimeState.NTP
    healed = wrong.observed(clock.read(), timedelta())
    assert healed.floor(TimeState.UNSET) == right


def test_a_damaged_or_refused_file_does_not_end_the_display(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).write_bytes(b"{")
    clock, latest = SteppedClock(), LatestTime(tmp_path)
    latest.observe(clock.read())
    assert latest.floor == clock.read().wall
    assert "not known" in caplog.text
    (tmp_path / f".{FILE}.new").mkdir()
    latest.observe(clock.step(900))
    assert latest.floor == clock.read().wall
    assert "cannot be kept" in caplog.text
