"""What a passer-by sees, who cannot reach the screen: whole boards and whole warnings, on a real browser's page."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.kiosk.bench import Bench, sample
from tests.kiosk.running import RunningKiosk, until
from tests.kiosk.test_accessibility import ARGUMENTS, CHROMIUM, furnish

SIZES = ((1280, 720), (1920, 1080), (1080, 1920))
CUT = """text => {
  const end = document.querySelector("main").getBoundingClientRect().bottom;
  return [...document.querySelectorAll(text)].filter((it) => it.getBoundingClientRect().bottom > end).length;
}"""
KEYS_OF = "[...it.children].map((key) => key.offsetTop)"
ROWS = f"() => [...document.querySelectorAll('.pad div')].map((it) => new Set({KEYS_OF}).size)"
WARNING = {
    "标题": "因燃气泄漏全部窗口立即停止办理业务请有序疏散",
    "正文": "请从东门、南门有序离开，听从工作人员指引，不要乘坐电梯，不要返回取物。" * 4,
    "级别": "紧急",
}
pytestmark = [
    pytest.mark.xdist_group("screen"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield browser.new_context(bypass_csp=True, reduced_motion="reduce").new_page()
        browser.close()


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="module")
def kiosk(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKiosk]:
    with RunningKiosk(bench.kiosk_folder(tmp_path_factory.mktemp("hall"))) as kiosk:
        furnish(kiosk, bench)
        until(lambda: "丁四" in kiosk.page())
        yield kiosk


def cut(page: Page, kiosk: RunningKiosk, what: str) -> list[int]:
    found = []
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{kiosk.url}board")
        found.append(page.evaluate(CUT, what))
    return found


def test_eight_windows_are_seen_whole_on_wide_and_upright_screens_and_a_small_television(
    page: Page, kiosk: RunningKiosk
) -> None:
    assert cut(page, kiosk, ".card") == [0, 0, 0]


def test_the_keys_of_a_row_stay_in_their_row_on_an_upright_screen_in_large_type(
    page: Page, kiosk: RunningKiosk
) -> None:
    page.set_viewport_size({"width": 1080, "height": 1920})
    page.goto(f"{kiosk.url}mode?large=1&back=/matter")
    assert page.evaluate(ROWS) == [1, 1, 1, 1]
    page.goto(f"{kiosk.url}mode?large=0&back=/board")


def test_a_long_emergency_is_seen_to_its_end(page: Page, kiosk: RunningKiosk, bench: Bench) -> None:
    urgent = replace(sample("notice", 1, datetime.now(UTC)), disclosure_id="urgent", entries=(WARNING,))
    kiosk.put("notice.urgent", bench.sealed(urgent))
    until(lambda: "燃气泄漏" in kiosk.page("board"))
    assert cut(page, kiosk, ".full h1, .full p") == [0, 0, 0]
