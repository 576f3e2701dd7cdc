"""Order F's figures of the wall: from a release to the painted page, and what 6 000 swaps leave in memory."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from agent import durable
from agent.wire.signing import KeySigner
from agent.wire.trust import Role
from kiosk.browser import command, memory_of
from provisioning.fleet.folders import write_device_folder
from provisioning.fleet.identity_files import write_trust
from provisioning.fleet.orders import DeviceOrder, KioskOrder
from tests.benchmarks.figures import Bench, Row
from tests.benchmarks.kiosk import EARLIER, resident_mb
from tests.kiosk.bench import Bench as District
from tests.kiosk.bench import sample
from tests.kiosk.running import RunningKiosk, until
from tests.provisioning.district import (
    UNIT,
    Process,
    TestDistrict,
    broker_process,
    receiver_process,
    running,
    sealed_notice,
    today,
)
from tests.support.broker import free_port

PUBLISHED, WARM_UP, SWAPS, WARM, COLD = 200, 5, 6000, 200, 11
FIRST_CONTENT = 'performance.getEntriesByName("first-contentful-paint")[0]?.startTime'
SEEN = """() => {
  window.seen = {};
  new MutationObserver(() => {
    const found = /标记(\\d+)/.exec(document.querySelector("main").innerText);
    if (found && !(found[1] in seen)) {
      seen[found[1]] = 0;
      requestAnimationFrame(() => requestAnimationFrame(() => { seen[found[1]] = Date.now(); }));
    }
  }).observe(document.body, { childList: true, subtree: true });
}"""


def hall_first_paint(bench: Bench) -> list[Row]:
    """From the address to the first content of the board, in a browser that has never seen it (its own FCP mark)."""
    folder = bench.folder / "first-paint"
    folder.mkdir()
    district = District()
    with RunningKiosk(district.kiosk_folder(folder)) as kiosk:
        for name in ("window-board", "personnel-list", "item-list"):
            document = sample(name)
            kiosk.put(".".join(document.key), district.sealed(document))
        until(lambda: "丁四" in kiosk.page())
        took = sorted(_first_content(kiosk.url) for _ in range(COLD))
    middle = took[COLD // 2]
    note = f"median of {COLD} new profiles, worst {took[-1]:.0f} ms; Chromium's own mark, headless, 1920 x 1080"
    peer = f"Anthias 480-790 ms {EARLIER}"
    return [Row("board page, cold, first content", f"{middle:.0f} ms", "<= 400 ms", middle <= 400, peer, 480 / middle,
                note)]  # fmt: skip


def hall_painted(bench: Bench) -> list[Row]:
    """p99 from a released file in the centre's folder over a real broker and agent to the painted page."""
    turns = 20 if bench.quick else PUBLISHED
    district = TestDistrict(bench.folder / "painted", free_port())
    signers = [district.person("示例-000001", Role.EDITOR), district.person("示例-000002", Role.REVIEWER)]
    center, device = district.receiver(), _kiosk_host(district)
    for folder in (center, device):
        write_trust(folder, district.authority)
    released = durable.make_directory(center / "released")
    words = [sys.executable, "-m", "agent", "run", "--config", str(device / "agent.toml")]
    agent, wanted = Process(words, device / "agent.log"), device / "kiosk.toml"
    broker, receiver = broker_process(district), receiver_process(center)
    with running(broker, district.port), running(receiver), running(agent), RunningKiosk(wanted) as kiosk:
        took = sorted(_painted(kiosk, released, signers, turns + WARM_UP)[WARM_UP:])
    p99 = took[int(len(took) * 0.99)]
    note = f"{turns} releases, median {took[len(took) // 2]:.0f} ms; by Mosquitto, receiver, agent, kiosk, Chromium"
    return [Row("hall, released to painted, p99", f"{p99:.0f} ms", "<= 500 ms", p99 <= 500, note=note)]


def hall_swaps(bench: Bench) -> list[Row]:
    """What browser and server hold more after `SWAPS` swaps of the whole page, each a published document."""
    swaps = 300 if bench.quick else SWAPS
    district, folder = District(), bench.folder / "swaps"
    folder.mkdir()
    document = sample("window-board")
    with RunningKiosk(district.kiosk_folder(folder)) as kiosk, _browser(kiosk, folder / "profile") as browser:
        before = (0.0, 0.0)
        for version in range(1, WARM + swaps + 1):
            tag = _tag(kiosk)
            kiosk.put("window-board.hall-1", district.sealed(replace(document, version=version)))
            until(lambda tag=tag: _tag(kiosk) != tag)
            if version == WARM:
                before = _memory(browser, kiosk)
            if version % 1000 == 0:
                bench.tell(f"{version} swaps")
        after = _memory(browser, kiosk)
    more, server = after[0] - before[0], after[1] - before[1]
    note = (
        f"after {WARM} to warm up: browser with all its processes {before[0]:.0f} MB (PSS), server {before[1]:.0f} MB"
    )
    return [
        Row(f"hall, {swaps} page swaps, browser", f"{more:+.1f} MB", "<= +40 MB", more <= 40, note=note),
        Row(f"hall, {swaps} page swaps, server", f"{server:+.1f} MB", "<= +2 MB", server <= 2, note=note),
    ]


def _painted(kiosk: RunningKiosk, released: Path, signers: list[KeySigner], turns: int) -> list[float]:
    """Milliseconds of each of `turns` releases."""
    took = []
    with _board(kiosk) as page:
        for number in range(turns):
            sealed = sealed_notice(signers, number + 1, title=f"标记{number}")
            began = time.time()
            durable.write_bytes(released / "hall-1.notice.notice-1.dsse", sealed)
            page.wait_for_function("n => window.seen[n]", arg=str(number), timeout=60_000)
            took.append(page.evaluate("n => window.seen[n]", str(number)) - began * 1000)
    return took


def _kiosk_host(district: TestDistrict) -> Path:
    kiosk = KioskOrder("星河区政务服务大厅", "hall-1", "0000-0000000", "127.0.0.1:0")
    order = DeviceOrder("KSK-0001", UNIT, district.address, kiosk=kiosk)
    return write_device_folder(district.authority, order, district.base / "KSK-0001", today()).folder


def _first_content(url: str) -> float:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(bypass_csp=True, viewport={"width": 1920, "height": 1080}).new_page()
        page.goto(url)
        took = page.wait_for_function(FIRST_CONTENT).json_value()
        browser.close()
    return float(took)


@contextmanager
def _board(kiosk: RunningKiosk) -> Iterator[Page]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(bypass_csp=True, viewport={"width": 1920, "height": 1080}).new_page()
        page.goto(kiosk.url)
        page.evaluate(SEEN)
        yield page
        browser.close()


@contextmanager
def _browser(kiosk: RunningKiosk, profile: Path) -> Iterator[int]:
    """The browser as the keeper starts it, without a display; its process group."""
    words = command("chromium", kiosk.url, profile, ["--no-sandbox", "--headless=new", "--window-size=1920,1080"])
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        until(lambda: _tag(kiosk) != "")
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tag(kiosk: RunningKiosk) -> str:
    """The page that was painted last."""
    with urllib.request.urlopen(f"{kiosk.url}healthz") as answer:  # noqa: S310 - loopback
        return str(json.loads(answer.read())["tag"])


def _memory(browser: int, kiosk: RunningKiosk) -> tuple[float, float]:
    return memory_of(browser) / 2**20, resident_mb(kiosk.process.pid)


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {
    "hall_first_paint": hall_first_paint,
    "hall_painted": hall_painted,
    "hall_swaps": hall_swaps,
}
