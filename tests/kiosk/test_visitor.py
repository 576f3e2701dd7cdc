"""What a visitor touches: keys for every field, an answer behind every link."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from kiosk.asked import NotThere
from kiosk.forms import staff_page
from kiosk.inquiries import item_page, lists_page
from kiosk.lists import TOPICS
from kiosk.scanned import scanned
from kiosk.states import HallState
from kiosk.views import board_page, window_page
from tests.kiosk.bench import Bench, sample
from tests.kiosk.hall import Hall

PEOPLE = partial(lists_page, next(topic for topic in TOPICS if topic.path == "people"))
PIN = "246810"


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.fixture
def hall(bench: Bench, tmp_path: Path) -> Hall:
    hall = Hall(tmp_path, bench)
    hall.put(sample("window-board"), sample("personnel-list"), sample("service-guide"))
    hall.clock.step(60)
    hall.display.hall.staff.enrol("示例-000004", ["3"], "", PIN)
    return hall


def test_what_can_be_typed_on_a_page_has_keys_on_that_page(hall: Hall) -> None:
    for page, field in ((scanned, "scan"), (PEOPLE, "who"), (staff_page, "cover"), (staff_page, "secret")):
        assert f'data-for="#{field}"' in hall.page(page)


def test_a_certificate_is_found_by_its_last_figures_for_the_screen_has_no_other_keys(hall: Hall) -> None:
    assert "丁四 的执法证件今日有效" in hall.page(PEOPLE, q="000004")
    assert "人员资格清单中没有“004”" in hall.page(PEOPLE, q="004")


def test_who_stands_in_is_named_by_the_last_figures_and_never_guessed(hall: Hall) -> None:
    cover = {"window": "03", "state": "顶岗", "secret": PIN}
    assert "不在人员资格清单中" in hall.post(staff_page, **cover, cover="999999").html
    assert "已切换为“顶岗”" in hall.post(staff_page, **cover, cover="000001").html
    assert hall.display.hall.staff.switches["03"].cover == "示例-000001"
    staff = sample("personnel-list", 2)
    twin = {**staff.entries[0], "证件编号": "另-000001", "姓名": "另一"}
    hall.put(replace(staff, entries=(*staff.entries, twin)))
    assert "有几个人的证件编号以此结尾" in hall.post(staff_page, **cover, cover="000001").html


def test_three_means_window_03_to_whoever_types_it(bench: Bench, tmp_path: Path, hall: Hall) -> None:
    assert "丁四" in hall.page(window_page, number="3")
    (tmp_path / "pinned").mkdir()
    pinned = Hall(tmp_path / "pinned", bench, window="3")
    pinned.put(sample("window-board"))
    assert "03 号窗口" in pinned.page(board_page) or "丁四" in pinned.page(board_page)


def test_a_screen_pinned_to_a_window_that_is_not_there_says_so_and_before_the_board_comes_too(
    bench: Bench, tmp_path: Path
) -> None:
    hall = Hall(tmp_path, bench, window="77")
    assert "本厅尚未收到窗口公示文件" in hall.page(board_page)
    hall.put(sample("window-board"))
    shown = hall.page(board_page)
    assert "窗口公示中没有 77 号窗口" in shown
    assert "丁四" not in shown


def test_a_service_without_a_guide_says_whom_to_ask_and_not_that_the_page_is_missing(hall: Hall) -> None:
    with pytest.raises(NotThere, match=r"没有“综合事项受理”的办事指南.*0000-0000000"):
        hall.page(item_page, name="综合事项受理")


def test_a_window_of_a_board_past_its_end_is_the_hall_s_state_and_no_missing_page(hall: Hall) -> None:
    ends = hall.display.now() + timedelta(minutes=1)
    hall.put(replace(sample("window-board", 2), effective_until=ends))
    hall.clock.step(120)
    hall.display.refresh()
    assert hall.display.condition.state is HallState.EXPIRED
    assert "在岗信息未更新" in hall.page(window_page, number="03")
