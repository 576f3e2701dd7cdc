import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.kiosk.bench import Bench, sample
from tests.kiosk.running import RunningKiosk, until

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
pytestmark = [
    pytest.mark.xdist_group("screen"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
BOARD = "window-board.hall-1"


@pytest.fixture(scope="module")
def screen() -> Iterator[Page]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 1920, "height": 1080})
        browser.close()


def test_a_correction_changes_the_open_page_by_itself(screen: Page, tmp_path: Path) -> None:
    bench, complaints = Bench(), []
    screen.on("console", lambda message: complaints.append(message.text))
    screen.on("pageerror", lambda error: complaints.append(str(error)))
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        kiosk.put("personnel-list.staff", bench.sealed(sample("personnel-list")))
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page())
        screen.goto(kiosk.url)
        screen.evaluate("window.untouched = true")
        assert "丁四" in screen.inner_text("main")
        kiosk.put(BOARD, bench.sealed(sample("window-board-correction", 2)))
        screen.get_by_text("由子一顶岗").first.wait_for()
        card = screen.locator(".card").nth(2).inner_text()
        assert "子一" in card
        assert "丁四" not in card.partition("由")[0].replace("丁四外出", "")
        assert screen.evaluate("window.untouched"), "the page was reloaded instead of updated"
        assert complaints == []


def test_an_emptied_server_leaves_the_content_with_a_notice(screen: Page, tmp_path: Path) -> None:
    bench = Bench()
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page())
        screen.goto(kiosk.url)
        kiosk.stop()
        screen.get_by_text("连接中断").wait_for()
        assert "丁四" in screen.inner_text("main")


def test_a_tap_while_the_server_is_away_leaves_the_page_standing(screen: Page, tmp_path: Path) -> None:
    bench = Bench()
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page())
        screen.goto(kiosk.url)
        kiosk.stop()
        screen.get_by_text("连接中断").wait_for()
        middle = screen.locator("nav a").nth(2).bounding_box()
        assert middle is not None
        screen.mouse.click(middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2)
        screen.wait_for_timeout(500)
        assert "丁四" in screen.inner_text("main")


def test_an_emergency_stands_over_a_form_that_somebody_fills_in(screen: Page, tmp_path: Path) -> None:
    bench = Bench()
    moment = dt.datetime.now(dt.UTC).replace(microsecond=0)
    entry = {"标题": "停电疏散", "正文": "请从东门有序离开。", "级别": "紧急"}
    urgent = replace(
        sample("notice"), disclosure_id="urgent", entries=(entry,), issued_at=moment, effective_from=moment
    )
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        kiosk.put(BOARD, bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page())
        screen.goto(f"{kiosk.url}complain")
        screen.locator("[method=post]").first.wait_for()
        kiosk.put("notice.urgent", bench.sealed(urgent))
        screen.get_by_text("停电疏散").first.wait_for()
        assert screen.locator("[method=post]").count() == 0


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1080, 1920)])
def test_the_board_fits_its_screen_in_large_type(screen: Page, tmp_path: Path, width: int, height: int) -> None:
    bench = Bench()
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        for name in ("window-board-correction", "personnel-list", "notice"):
            document = sample(name)
            kiosk.put(".".join(document.key), bench.sealed(document))
        until(lambda: "执法人员 ·" in kiosk.page() and "服务时间" in kiosk.page())
        screen.set_viewport_size({"width": width, "height": height})
        screen.goto(kiosk.url)
        page = screen.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert page == [width, height]
        beyond = screen.evaluate("(m => [m.scrollWidth - m.clientWidth, m.scrollHeight - m.clientHeight])"
                                 "(document.querySelector('main'))")  # fmt: skip
        assert beyond == [0, 0]
        targets = screen.evaluate("[...document.querySelectorAll('a')].map(a => a.getBoundingClientRect().height)")
        assert min(targets) >= 60
        sizes = screen.evaluate(
            "[...document.querySelectorAll('main *')].map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(sizes) >= 16
