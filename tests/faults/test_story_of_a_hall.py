"""A day of a hall in one browser: published, corrected, forged, offline, its renderer killed, complained at, withdrawn.

The office, the kiosk's server, the screen's keeper and Chromium are the real ones; only the agent's part, which carries
documents from the broker into a folder, is done by hand. The browser is looked into from outside, as no citizen can.
"""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, Page, Playwright, sync_playwright

from agent import durable
from agent.duty.party_receipt import spelled
from agent.duty.receipt_list import ReceiptAnswer, part_name, seal_part, split_answers
from agent.wire import canonical
from tests.kiosk.bench import XINGHE
from tests.kiosk.office_bench import OfficeBench, sample_of
from tests.kiosk.running import RunningKiosk, until
from tests.kiosk.test_accessibility import CHROMIUM
from tests.kiosk.test_receipt_page import CODE as RECEIPT
from tests.support.broker import free_port
from tests.support.commands import run_here

BOARD, NOTICE = "window-board.hall-1", "notice.water"
BACK_S, FACTOR = 15.0, 3  # the order's figure on a quiet machine; a busy one is given FACTOR times as long
TOLD = "等了两小时"
pytestmark = [
    pytest.mark.faults,
    pytest.mark.xdist_group("screen"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


class Hall:
    """An office, a kiosk that shows what it releases, and a browser on a wall that a keeper looks after."""

    def __init__(self, folder: Path, play: Playwright) -> None:
        (folder / "kiosk").mkdir()
        self.folder, self.play, self.port = folder, play, free_port()
        self.office = OfficeBench(folder, datetime.now(UTC) - timedelta(minutes=1))
        self.kiosk = RunningKiosk(self.office.bench.kiosk_folder(folder / "kiosk"))
        self.state = self.kiosk.disclosed.parent
        self.released = folder / "office/released"

    def hang_up(self) -> None:
        """Start the keeper, which starts the browser."""
        words = ["--url", self.kiosk.url, "--browser", "chromium", "--profile", str(self.folder / "profile")]
        more = ["--no-sandbox", "--headless=new", f"--remote-debugging-port={self.port}", "--window-size=1920,1080"]
        command = [sys.executable, "-m", "kiosk", "screen", *words, *(f"--option={word}" for word in more)]
        environment = {name: value for name, value in os.environ.items() if name != "WAYLAND_DISPLAY"}
        self.keeper = subprocess.Popen(command, env=environment)

    def take_down(self) -> None:
        self.keeper.terminate()
        self.keeper.wait(30)

    def page(self) -> Page:
        """The page on the wall, as soon as there is one."""
        found: list[Page] = []

        def there() -> bool:
            try:
                browser = self.play.chromium.connect_over_cdp(f"http://127.0.0.1:{self.port}")
            except Error:
                return False
            found.extend(page for context in browser.contexts for page in context.pages if "127.0.0.1" in page.url)
            return bool(found)

        until(there)
        return found[0]

    def publish(self, source: dict[str, Any]) -> None:
        self.office.now += timedelta(seconds=1)
        self.carry(self.office.release(source).name)

    def carry(self, name: str) -> None:
        """What the agent does: the files first, then the document."""
        content = durable.make_directory(self.state / "content")
        for path in (self.released / "content").glob("*"):
            durable.write_bytes(content / path.name, path.read_bytes())
        self.kiosk.put(name, self.office.released(name))

    def restarts(self) -> list[str]:
        lines = b"".join(path.read_bytes() for path in (self.folder / "kiosk/kiosk-state/display-log").glob("*"))
        records = [json.loads(line)["record"] for line in lines.splitlines() if line.startswith(b"{")]
        return [record["facts"]["reason"] for record in records if record["what"] == "restarted"]


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    with sync_playwright() as play:
        hall = Hall(tmp_path, play)
        with hall.kiosk:
            hall.hang_up()
            try:
                yield hall
            finally:
                hall.take_down()


def shows(page: Page, word: str) -> None:
    """`word` comes to the page by itself: nobody reloads it."""
    page.get_by_text(word).first.wait_for(timeout=30_000)


def kill_renderers(profile: Path) -> int:
    killed = 0
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes()
            if b"--type=renderer" in words and str(profile).encode() in _ancestors(place.parent):
                os.kill(int(place.parent.name), signal.SIGKILL)
                killed += 1
        except OSError:
            continue
    return killed


def _ancestors(process: Path) -> bytes:
    found = b""
    for _ in range(3):
        parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        process = Path(f"/proc/{parent}")
        found += (process / "cmdline").read_bytes()
    return found


def test_a_day_of_a_hall(hall: Hall) -> None:
    page = hall.page()
    shows(page, "本厅尚未收到窗口公示文件")

    # published, and corrected, under the eyes of whoever stands there
    for name in ("personnel-list", "window-board", "service-guide"):
        hall.publish(sample_of(name))
    shows(page, "丁四")
    hall.publish({**sample_of("notice"), "id": "water", "entries": [{"标题": "停水通知", "正文": "周三停水。"}]})
    shows(page, "周三停水")
    hall.publish({**sample_of("notice"), "id": "water", "entries": [{"标题": "停水通知", "正文": "改为周四停水。"}]})
    shows(page, "改为周四停水")
    assert page.get_by_text("周三停水").count() == 0

    # forged: one signature, another word, cut short; the last good board stays
    good = hall.office.released(BOARD)
    for forged in (half_signed(good), reworded(good), good[:-40]):
        hall.kiosk.put(BOARD, forged)
        shows(page, "新到的更新未通过校验，未予采用")
        assert page.get_by_text("丁四").count() == 1
    hall.kiosk.put(BOARD, good)
    page.get_by_text("新到的更新未通过校验").first.wait_for(state="detached", timeout=30_000)

    # withdrawn, with its reason, and it does not come back
    before = hall.office.released(NOTICE)
    hall.office.now += timedelta(seconds=1)
    hall.office.withdraw(NOTICE, "管网已经修好")
    hall.carry(NOTICE)
    page.get_by_text("改为周四停水").first.wait_for(state="detached", timeout=30_000)
    hall.kiosk.put(NOTICE, before)
    until(lambda: "旧于" in hall.kiosk.page("verify") or "较旧" in hall.kiosk.page("verify"))
    assert page.get_by_text("改为周四停水").count() == 0
    hall.carry(NOTICE)

    # without a network: everything stays, a mark says since when
    heard = hall.state / "heard.json"
    durable.write_bytes(heard, heard_at(datetime.now(UTC) - timedelta(days=3)))
    shows(page, "离线 3 天")
    assert page.get_by_text("丁四").count() == 1

    # the renderer is killed: the board is back without anybody's hand
    began = time.monotonic()
    assert kill_renderers(hall.folder / "profile") >= 1
    until(lambda: len(hall.restarts()) == 1)
    page = hall.page()
    shows(page, "丁四")
    took = time.monotonic() - began
    assert hall.restarts() == ["not-painting"]
    assert took <= BACK_S * FACTOR, took

    # a citizen complains, looks at it again and takes it back; nothing of it remains
    page.get_by_role("link", name="投诉", exact=True).click()
    page.get_by_role("button", name="办理超时").click()
    page.get_by_text("03 号窗口").click()
    page.get_by_label("补充说明").fill(TOLD)
    page.get_by_role("button", name="下一步").click()
    page.get_by_role("button", name="提交").click()
    shows(page, "投诉编号")
    code = page.locator(".code b").inner_text()
    kept = hall.folder / "kiosk/kiosk-state/complaints"
    assert len(list(kept.glob("*.json"))) == 1
    page.get_by_role("link", name="完成并清除").click()
    page.get_by_role("link", name="投诉", exact=True).click()
    page.get_by_role("link", name="查看、修改、撤回").click()
    page.get_by_label("投诉编号").fill(code.lower())
    page.get_by_role("button", name="查看").click()
    shows(page, TOLD)
    page.get_by_role("button", name="撤回").click()
    shows(page, "投诉已撤回")
    assert list(kept.glob("*.json")) == []
    everything = b"".join(path.read_bytes() for path in (hall.folder / "kiosk").rglob("*") if path.is_file())
    assert TOLD.encode() not in everything

    # somebody looks up the receipt of a recording
    receipts = durable.make_directory(hall.state / "receipts")
    answer = ReceiptAnswer(RECEIPT, "complete", 0, date(2099, 1, 1))
    for part in split_answers(XINGHE, hall.office.now, [answer]):
        durable.write_bytes(receipts / part_name(part.part), seal_part(part, hall.office.bench.receiver.signer))
    page.goto(f"{hall.kiosk.url}code")
    page.get_by_label("身份码、胸牌或回执").fill(spelled(RECEIPT))
    page.get_by_role("button", name="核验").click()
    shows(page, "录像已归档，完整，未被改动")
    assert "丁四" not in page.content()

    # and the log of all this is whole
    told = run_here("kiosk.cli", "log", "verify", "--config", hall.kiosk.config)
    assert told.returncode == 0, told.stderr
    assert re.search(r"展示记录完整：\d{2,} 条", told.stdout)


def half_signed(envelope: bytes) -> bytes:
    whole = json.loads(envelope)
    return canonical.encode({**whole, "signatures": whole["signatures"][:1]})


def reworded(envelope: bytes) -> bytes:
    whole = json.loads(envelope)
    payload = base64.b64decode(whole["payload"]).replace("丁四".encode(), "丙四".encode())
    return canonical.encode({**whole, "payload": base64.b64encode(payload).decode()})


def heard_at(moment: datetime) -> bytes:
    return canonical.encode({"heard": canonical.timestamp(moment)})
