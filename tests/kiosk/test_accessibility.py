"""axe-core on every page, in both sizes and every state: WCAG 2.2 AA, no violation; targets big enough for a finger."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from agent.wire import canonical
from kiosk.faces import WITH_FACES
from tests.kiosk.bench import Bench, sample, sample_names
from tests.kiosk.pictured import pictured
from tests.kiosk.running import RunningKiosk, until

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PAGES = (
    "board", "w/03", "w/99", "items", "guide", "units", "people", "results", "verify", "search", "matter", "complain",
    "complaint", "staff", "code", "item/户外广告设施设置许可", "item/行政处罚普通程序", "people?q=丁四", "search?q=ds",
    "receipt?c=x", "matter?c=1",
)  # fmt: skip
LARGE = ("board", "guide", "search", "complain")  # the others under -m faults
NOW = datetime.now(UTC)
pytestmark = [
    pytest.mark.xdist_group("screen"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@dataclass
class Hall:
    page: Page
    kiosk: RunningKiosk
    bench: Bench

    def violations(self, path: str) -> list[str]:
        self.page.goto(self.kiosk.url + path)
        found: dict[str, Any] = self.page.evaluate(
            "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", TAGS
        )
        return [f"{path}: {one['id']} {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]

    def small_targets(self, path: str, least: float) -> list[str]:
        self.page.goto(self.kiosk.url + path)
        script = (
            "least => [...document.querySelectorAll('a, button, input:not([type=hidden]), label:has(input)')]"
            ".filter(e => !e.closest('label') || e.matches('label'))"
            ".map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])"
            ".filter(([_, box]) => box.height && Math.min(box.height, box.width) < least).map(([html]) => html)"
        )
        return [f"{path}: {html}" for html in self.page.evaluate(script, least)]


def furnish(kiosk: RunningKiosk, bench: Bench, *without: str) -> None:
    """Every sample of the district, people with photos."""
    for name in sample_names():
        if name not in ("window-board-correction", *without):
            document = sample(name)
            if document.kind in WITH_FACES:
                document = pictured(document, kiosk.disclosed.parent / "content")
            kiosk.put(".".join(document.key), bench.sealed(document))


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    bench, folder = Bench(), tmp_path_factory.mktemp("hall")
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    with RunningKiosk(bench.kiosk_folder(folder)) as kiosk, sync_playwright() as play:
        furnish(kiosk, bench)
        until(lambda: "丁四" in kiosk.page() and "场地使用权" in kiosk.page("guide"))
        browser = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        context = browser.new_context(
            viewport={"width": 1920, "height": 1080}, bypass_csp=True, reduced_motion="reduce"
        )
        context.add_init_script(axe)
        yield Hall(context.new_page(), kiosk, bench)
        browser.close()


@pytest.fixture(params=[False, True], ids=["normal", "large"])
def large(request: pytest.FixtureRequest, hall: Hall) -> bool:
    hall.page.goto(f"{hall.kiosk.url}mode?large={int(request.param)}&back=/verify")
    return bool(request.param)


def test_no_page_breaks_wcag_2_2_aa(hall: Hall, large: bool) -> None:
    pages = LARGE if large else PAGES
    assert [line for path in pages for line in hall.violations(path)] == []


@pytest.mark.faults
def test_no_page_in_large_type_breaks_wcag_2_2_aa(hall: Hall, large: bool) -> None:
    assert [line for path in PAGES for line in hall.violations(path)] == []


def test_every_target_is_big_enough_for_a_finger(hall: Hall, large: bool) -> None:
    least = 60 if large else 44
    assert [line for path in PAGES for line in hall.small_targets(path, least)] == []


@pytest.mark.faults
def test_no_state_in_either_size_breaks_wcag_2_2_aa(hall: Hall, tmp_path: Path, large: bool) -> None:
    kiosk, bench = hall.kiosk, hall.bench
    heard = kiosk.disclosed.parent / "heard.json"
    version = 10 + int(large) * 10

    def wait(word: str) -> None:
        until(lambda: word in kiosk.page("board"))

    for days, word in ((3, "离线 3 天"), (40, "起未能联网")):
        heard.write_bytes(json.dumps({"heard": canonical.timestamp(NOW - timedelta(days=days))}).encode())
        wait(word)
        assert [line for path in PAGES for line in hall.violations(path)] == []
    heard.unlink()
    entry = {"标题": "停电疏散", "正文": "请从东门有序离开，听从工作人员指引。", "级别": "紧急"}
    urgent = replace(sample("notice", version, NOW), disclosure_id="urgent", entries=(entry,))
    kiosk.put("notice.urgent", bench.sealed(urgent))
    wait("停电疏散")
    assert [line for path in PAGES for line in hall.violations(path)] == []
    size = hall.page.evaluate("parseFloat(getComputedStyle(document.querySelector('.full h1')).fontSize)")
    assert size >= 1080 / 8
    over = replace(sample("notice", version + 1, NOW), disclosure_id="urgent")
    kiosk.put("notice.urgent", bench.sealed(over))
    until(lambda: "停电疏散" not in kiosk.page("board"))


@pytest.mark.faults
def test_no_page_of_a_hall_that_is_closed_or_whose_board_is_forged_or_expired_does(
    hall: Hall, tmp_path: Path, large: bool
) -> None:
    bench, other_day = Bench(), (NOW + timedelta(days=3)).isoweekday()
    for folder in ("closed", "open"):
        (tmp_path / folder).mkdir()
    config = bench.kiosk_folder(tmp_path / "closed")
    config.write_text(f'{config.read_text(encoding="utf-8")}hours = "{other_day} 09:00-09:01"\n', encoding="utf-8")
    with RunningKiosk(config) as kiosk:
        furnish(kiosk, bench)
        assert found_in(replace(hall, kiosk=kiosk), "现在不是服务时间") == []
    with RunningKiosk(bench.kiosk_folder(tmp_path / "open")) as kiosk:
        furnish(kiosk, bench, "window-board")
        kiosk.put("window-board.hall-1", bench.sealed(sample("window-board"), bench.editor))
        assert found_in(replace(hall, kiosk=kiosk), "公示内容校验未通过") == []
        ends = datetime.now(UTC) + timedelta(seconds=5)
        kiosk.put("window-board.hall-1", bench.sealed(replace(sample("window-board"), effective_until=ends)))
        assert found_in(replace(hall, kiosk=kiosk), "在岗信息未更新") == []


def found_in(hall: Hall, word: str) -> list[str]:
    """The violations of every page once the board says `word`."""
    until(lambda: word in hall.kiosk.page("board"))
    return [line for path in PAGES for line in hall.violations(path)]
