"""Window staff at the screen: the right PIN for the right window, at once on the board, told to the centre."""

import json
import os
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.duty.enrolment import FREE_TRIES
from kiosk.forms import staff_page
from kiosk.serving import make_display
from kiosk.views import board_page, window_page
from tests.kiosk.bench import NOW, Bench, sample
from tests.kiosk.hall import Hall, staff_until

PIN, CARD = "246810", "04A1B2C3"
AWAY = {"window": "03", "state": "暂离", "secret": PIN}


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.fixture
def hall(bench: Bench, tmp_path: Path) -> Hall:
    hall = Hall(tmp_path, bench)
    hall.put(sample("window-board"), sample("personnel-list"))
    hall.clock.step(60)
    hall.display.hall.staff.enrol("示例-000004", ["03"], CARD, PIN)
    return hall


def test_a_switch_is_on_the_board_at_once_and_told_to_the_centre(hall: Hall) -> None:
    before = hall.display.generation
    assert "已切换为“暂离”" in hall.post(staff_page, **AWAY).html
    assert hall.display.generation != before
    assert "暂离" in hall.page(window_page, number="03").partition("<main")[2]
    [path] = hall.outgoing()
    told = json.loads(path.read_bytes())["data"]
    assert (told["window"], told["state"], told["certificate"]) == ("03", "暂离", "示例-000004")


def test_a_card_does_as_well_as_a_pin(hall: Hall) -> None:
    assert "已切换" in hall.post(staff_page, **{**AWAY, "secret": CARD.lower()}).html


def test_somebody_elses_window_is_not_switched(hall: Hall) -> None:
    assert "无权切换这个窗口" in hall.post(staff_page, **{**AWAY, "window": "02"}).html
    assert hall.outgoing() == []


def test_guessing_takes_longer_each_time_and_the_right_pin_waits_too(hall: Hall) -> None:
    for _ in range(FREE_TRIES):
        hall.post(staff_page, **{**AWAY, "secret": "000000"})
    assert "秒后再试" in hall.post(staff_page, **AWAY).html
    hall.clock.step(31)
    assert "已切换" in hall.post(staff_page, **AWAY).html


def guess(hall: Hall, window: str) -> None:
    for _ in range(FREE_TRIES):
        hall.post(staff_page, **{**AWAY, "window": window, "secret": "000000"})


def again(hall: Hall) -> None:
    """Another process in the same folder."""
    hall.display = make_display(hall.config, hall.feed, hall.clock)


def test_guessing_at_one_window_does_not_lock_another(hall: Hall) -> None:
    hall.display.hall.staff.enrol("示例-000001", ["01"], "", "135791")
    guess(hall, "01")
    assert "秒后再试" in hall.post(staff_page, **{**AWAY, "window": "01", "secret": "135791"}).html
    assert "已切换" in hall.post(staff_page, **AWAY).html


def test_a_restart_does_not_end_the_wait_and_a_clock_does_not_either(hall: Hall) -> None:
    guess(hall, "03")
    hall.clock.step(10)
    hall.clock.set_wrong(3)
    again(hall)
    assert "请 20 秒后再试" in hall.post(staff_page, **AWAY).html
    hall.clock.step(21)
    assert "已切换" in hall.post(staff_page, **AWAY).html


def test_another_boot_begins_the_wait_anew(hall: Hall) -> None:
    guess(hall, "03")
    hall.clock.step(25)
    hall.clock.boot = "0b00000000000002"
    again(hall)
    assert "请 30 秒后再试" in hall.post(staff_page, **AWAY).html
    hall.clock.step(31)
    assert "已切换" in hall.post(staff_page, **AWAY).html
    again(hall)
    assert "PIN 或工作卡不对" in hall.post(staff_page, **{**AWAY, "secret": "000000"}).html


def test_windows_that_nobody_may_switch_fill_no_disk(hall: Hall) -> None:
    for number in range(50):
        hall.post(staff_page, **{**AWAY, "window": f"w{number}"})
    assert not (hall.config.state / "waits.json").exists()


def test_a_stand_in_must_be_on_the_personnel_list(hall: Hall) -> None:
    cover = {**AWAY, "state": "顶岗", "cover": "示例-999999"}
    assert "不在人员资格清单中" in hall.post(staff_page, **cover).html
    assert "已切换" in hall.post(staff_page, **{**cover, "cover": "示例-000001"}).html
    page = hall.page(window_page, number="03")
    assert "甲一" in page
    assert "顶岗" in page


def test_a_stand_in_whose_licence_is_over_only_advises(hall: Hall) -> None:
    people = sample("personnel-list", 2)
    over = tuple(
        {**it, "证件有效期至": "2026-01-01"} if it["证件编号"] == "示例-000001" else it for it in people.entries
    )
    hall.put(replace(people, entries=over))
    hall.post(staff_page, **{**AWAY, "state": "顶岗", "cover": "示例-000001"})
    page = hall.page(window_page, number="03").partition("<main")[2]
    assert "甲一" in page
    assert "顶岗人员" in page
    assert "仅提供咨询" in page
    assert "不办理执法事项" in page
    assert "示例-000001" not in page


def test_who_is_away_does_not_stand_in_for_himself_when_the_stand_in_leaves_the_list(hall: Hall) -> None:
    hall.post(staff_page, **{**AWAY, "state": "顶岗", "cover": "示例-000001"})
    people = sample("personnel-list", 2)
    left = tuple(entry for entry in people.entries if entry["证件编号"] != "示例-000001")
    hall.put(replace(people, entries=left))
    page = hall.page(window_page, number="03").partition("<main")[2]
    assert "暂停服务" in page
    assert "丁四" not in page
    assert "甲一" not in page


def test_a_switch_cannot_put_an_unlicensed_person_on_duty(bench: Bench, tmp_path: Path) -> None:
    hall = Hall(tmp_path, bench)
    hall.put(sample("window-board"), staff_until("2026-11-21"))
    hall.clock.step(60)
    hall.display.hall.staff.enrol("示例-000004", ["03"], "", PIN)
    assert "已切换" in hall.post(staff_page, **{**AWAY, "state": "在岗"}).html
    assert "丁四" not in hall.page(window_page, number="03")


def test_a_switch_ends_with_the_day(hall: Hall) -> None:
    hall.post(staff_page, **AWAY)
    hall.clock.step(86400)
    hall.display.refresh()
    assert "暂离" not in hall.page(window_page, number="03").partition("<main")[2]


def test_a_newer_board_of_the_office_ends_a_switch(hall: Hall) -> None:
    hall.post(staff_page, **AWAY)
    assert "暂离" in hall.page(window_page, number="03").partition("<main")[2]
    hall.put(sample("window-board", 2, NOW + timedelta(seconds=90)))
    assert "暂离" not in hall.page(window_page, number="03").partition("<main")[2]


def test_a_switch_survives_a_restart_and_a_damaged_file_is_put_aside(hall: Hall) -> None:
    hall.post(staff_page, **AWAY)
    again = make_display(hall.config, hall.feed, hall.clock)
    assert again.hall.switches["03"].state == "暂离"
    (hall.config.state / "windows.json").write_bytes(b"{")
    assert make_display(hall.config, hall.feed, hall.clock).hall.switches == {}
    assert (hall.config.state / "windows.json.damaged").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write for somebody else")
def test_what_root_enrols_the_service_can_read(hall: Hall) -> None:
    """Bites when the file stays root's, 0600: nobody of the staff can switch a window any more."""
    os.chown(hall.config.state, 65534, 65533)
    hall.display.hall.staff.enrol("示例-000001", ["01"], "", "135791")
    kept = (hall.config.state / "staff.json").stat()
    assert (kept.st_uid, kept.st_gid, stat.S_IMODE(kept.st_mode)) == (65534, 65533, 0o600)


def test_no_pin_and_no_card_stands_in_any_file(hall: Hall, tmp_path: Path) -> None:
    guess(hall, "03")
    hall.clock.step(31)
    hall.post(staff_page, **AWAY)
    hall.post(staff_page, **{**AWAY, "secret": "000000"})
    for name in ("staff.json", "windows.json", "waits.json"):
        assert stat.S_IMODE((hall.config.state / name).stat().st_mode) == 0o600
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert PIN.encode() not in kept
    assert CARD.encode() not in kept
    assert "丁四" in hall.page(board_page)
