"""The hall's states: which of several that hold decides, and what each puts on the screen."""

import datetime as dt
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from agent.errors import OperatorFault
from agent.wire.disclosures import Disclosure
from kiosk.board import Site
from kiosk.furniture import HeardFile
from kiosk.hours import Hours, parse_hours
from kiosk.shelf import Shelf, restock
from kiosk.states import FULL_OFFLINE, HallState, Reach, condition, emergencies, state_of
from tests.kiosk.bench import HALL, NOW, XINGHE, Bench, sample

SITE = Site("xinghe", "KSK-0001", "星河区政务服务大厅", HALL, "0000-0000000")
ALWAYS = Hours()
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def stock(bench: Bench, *documents: Disclosure, forged: bool = False) -> Shelf:
    sealed = {".".join(one.key): bench.sealed(one) for one in documents}
    if forged:
        sealed["window-board.hall-1"] = bench.sealed(sample("window-board"), bench.recorder, bench.reviewer)
    return restock(Shelf(), sealed, trust=bench.trust(), now=NOW, district=XINGHE, audience=HALL)


def urgent(**changed: object) -> Disclosure:
    entry = {"标题": "停电疏散", "正文": "请从东门有序离开。", "级别": "紧急"}
    return replace(sample("notice"), disclosure_id="urgent", entries=(entry,), **changed)  # type: ignore[arg-type]


def test_the_gravest_state_decides_in_every_combination() -> None:
    order = list(HallState)
    assert order[0] is HallState.EMERGENCY
    assert order[-1] is HallState.NORMAL
    for count in range(len(order)):
        for held in combinations(order[:-1], count):
            expected = held[0] if held else HallState.NORMAL
            assert state_of(frozenset(held)) is expected


def test_an_emergency_stands_over_everything_also_at_night_and_offline(bench: Bench) -> None:
    shelf = stock(bench, sample("window-board"), urgent())
    closed = parse_hours("1-5 09:00-09:01", "")
    found = condition(shelf, NOW, SITE, closed, NOW - 3 * DAY)
    assert (found.state, found.reach) == (HallState.EMERGENCY, Reach.EVERYTHING)
    assert found.title == "停电疏散"
    assert "东门" in found.text


def test_an_emergency_nobody_renewed_is_a_plain_notice_after_a_day(bench: Bench) -> None:
    shelf = stock(bench, sample("window-board"), urgent())
    assert emergencies(shelf, NOW + 23 * HOUR)
    assert emergencies(shelf, NOW + 24 * HOUR) == []
    assert condition(shelf, NOW + 24 * HOUR, SITE, ALWAYS, None).state is HallState.NORMAL


def test_a_forged_board_alone_shows_no_board_and_a_phone(bench: Bench) -> None:
    found = condition(stock(bench, forged=True), NOW, SITE, ALWAYS, None)
    assert (found.state, found.reach) == (HallState.INVALID, Reach.BOARD)
    assert "校验未通过" in found.title
    assert SITE.complaint_phone in found.text


def test_threat_forged_disclosure_put_into_the_folder_leaves_the_last_good_board(bench: Bench) -> None:
    good = stock(bench, sample("window-board"))
    forged = {"window-board.hall-1": bench.sealed(sample("window-board-correction", 2), bench.recorder, bench.reviewer)}
    shelf = restock(good, forged, trust=bench.trust(), now=NOW, district=XINGHE, audience=HALL)
    assert shelf.refused
    assert condition(shelf, NOW, SITE, ALWAYS, None).state is HallState.NORMAL


def test_an_expired_board_is_not_shown_as_if_it_were_current(bench: Bench) -> None:
    shelf = stock(bench, replace(sample("window-board"), effective_until=NOW + DAY))
    assert condition(shelf, NOW, SITE, ALWAYS, None).state is HallState.NORMAL
    found = condition(shelf, NOW + DAY, SITE, ALWAYS, NOW - DAY)
    assert (found.state, found.reach) == (HallState.EXPIRED, Reach.BOARD)
    assert "未更新" in found.title


def test_a_board_that_is_over_is_called_so_also_after_a_restart(bench: Bench) -> None:
    board = replace(sample("window-board"), effective_until=NOW + DAY)
    stood, later = stock(bench, board), NOW + 2 * DAY
    sealed = {name: one.envelope for name, one in stood.shown.items()}
    for floors in (stood.floors, {}):
        again = restock(Shelf(floors=floors), sealed, trust=bench.trust(), now=later, district=XINGHE, audience=HALL)
        assert condition(again, later, SITE, ALWAYS, None).state is HallState.EXPIRED
        assert bool(again.shown) is bool(floors)


def test_offline_keeps_the_full_content_for_thirty_days_then_dates_it(bench: Bench) -> None:
    shelf = stock(bench, sample("window-board"))
    small = condition(shelf, NOW, SITE, ALWAYS, NOW - FULL_OFFLINE)
    assert (small.state, small.reach) == (HallState.OFFLINE, Reach.NOTHING)
    assert small.banner is not None
    assert (small.banner.tone, small.banner.text) == ("quiet", "离线 30 天")
    dated = condition(shelf, NOW, SITE, ALWAYS, NOW - FULL_OFFLINE - HOUR)
    assert dated.reach is Reach.NOTHING
    assert dated.banner is not None
    assert dated.banner.tone == "warn"
    assert "2026年10月23日 起未能联网" in dated.banner.text


def test_an_hour_of_silence_is_not_yet_offline(bench: Bench) -> None:
    shelf = stock(bench, sample("window-board"))
    assert condition(shelf, NOW, SITE, ALWAYS, NOW - HOUR).state is HallState.NORMAL
    assert condition(shelf, NOW, SITE, ALWAYS, None).state is HallState.NORMAL


def test_a_closed_hall_says_when_it_opens_and_skips_holidays(bench: Bench) -> None:
    hours = parse_hours("1-5 09:00-12:00, 1-5 13:30-17:00", "2026-11-23 2026-11-24")
    shelf = stock(bench, sample("window-board"))
    found = condition(shelf, NOW, SITE, hours, None)  # a Sunday, 10:00
    assert found.state is HallState.CLOSED
    assert "2026年11月25日 09:00" in found.text
    wednesday = dt.datetime(2026, 11, 25, 4, 30, tzinfo=dt.UTC)
    assert not hours.is_open(wednesday)  # 12:30 in Beijing
    assert hours.is_open(wednesday + HOUR)
    assert str(hours.next_opening(wednesday)) == "2026-11-25 13:30:00+08:00"


@pytest.mark.parametrize("text", ["5-1 09:00-12:00", "1-5 12:00-09:00", "8 09:00-10:00", "1-5 29:00-29:30", "daily"])
def test_wrong_hours_are_an_error_that_shows_the_form(text: str) -> None:
    with pytest.raises(OperatorFault, match="1-5 09:00-12:00"):
        parse_hours(text, "")


def test_a_wrong_holiday_is_an_error_that_shows_the_form() -> None:
    with pytest.raises(OperatorFault, match="2026-10-01"):
        parse_hours("", "10-01")


def test_a_damaged_word_of_the_centre_is_told_once_and_not_every_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "heard.json").write_bytes(b"{")
    heard = HeardFile(tmp_path / "heard.json")
    assert [heard.read(NOW) for _ in range(60)] == [None] * 60
    assert len(caplog.records) == 1
