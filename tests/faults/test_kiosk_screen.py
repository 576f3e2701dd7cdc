"""The screen's keeper on a real compositor with a real browser: whatever takes the board away, it is back in 15 s."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiosk.display_log import log_lines
from tests.kiosk.bench import Bench, sample
from tests.kiosk.running import RunningKiosk, until
from tests.support.headless_screen import GRIM, HEIGHT, SWAY, WIDTH, HeadlessScreen

BACK_S = 15.0  # the order's figure, on a quiet machine; a busy one is given FACTOR times as long
FACTOR = 3
OPTIONS = {"chromium": ("--no-sandbox", "--ozone-platform=wayland"), "cog": ()}  # of each browser, for this compositor
RENDERERS = (b"--type=renderer", b"WPEWebProcess")
SETTLED_MS = 500  # what was painted before a signal has come may be told so much later
DEPTH = 6  # of processes below the keeper
pytestmark = [
    pytest.mark.faults,
    pytest.mark.xdist_group("wayland"),
    pytest.mark.skipif(
        None in (SWAY, GRIM, shutil.which("chromium")), reason="sway, grim or chromium is not installed"
    ),
]


@dataclass
class Wall:
    """A kiosk on a wall: its server, a compositor, the keeper."""

    kiosk: RunningKiosk
    screen: HeadlessScreen
    keeper: "subprocess.Popen[bytes]"
    log: Path
    browser: str

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line)["record"] for line in log_lines(self.log)]

    def shown(self) -> int:
        """How often the stamp was found in the pixels anew."""
        return sum(
            line["what"] == "pixels" and line["facts"] == {**line["facts"], "match": True} for line in self.lines()
        )  # type: ignore[dict-item]

    def reasons(self) -> list[str]:
        return [str(line["facts"]["reason"]) for line in self.lines() if line["what"] == "restarted"]  # type: ignore[index]

    def renderers(self) -> list[int]:
        """The renderer processes of this browser."""
        parents = {}
        for place in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has just ended
                parents[int(place.parent.name)] = int(place.read_text().rpartition(")")[2].split()[1])
        own = {self.keeper.pid}
        for _ in range(DEPTH):
            own |= {process for process, parent in parents.items() if parent in own}
        return [it for it in own if any(word in _words(it) for word in RENDERERS)]


def _words(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture(params=OPTIONS)
def wall(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Wall]:
    browser = str(request.param)
    if shutil.which(browser) is None:
        pytest.skip(f"{browser} is not installed")
    bench = Bench()
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk, HeadlessScreen() as screen:
        kiosk.put("window-board.hall-1", bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page())
        profile = screen.folder / "profile"
        words = ["--url", kiosk.url, "--browser", browser, "--width", str(WIDTH), "--profile", str(profile)]
        words += [f"--option={option}" for option in OPTIONS[browser]]
        code = Path(__file__).parents[2]
        command = [*screen.user, sys.executable, "-m", "kiosk.cli", "screen", *words]
        keeper = subprocess.Popen(command, env={**screen.environment, "PYTHONPATH": str(code)}, cwd=code)
        wall = Wall(kiosk, screen, keeper, tmp_path / "kiosk-state/display-log", browser)
        try:
            until(lambda: wall.shown() > 0)
            yield wall
        finally:
            keeper.terminate()
            keeper.wait(30)


def back_after(wall: Wall) -> float:
    """Seconds until the board is painted anew, counted from now."""
    began = time.monotonic()
    until(lambda: json.loads(wall.kiosk.page("healthz"))["painted_ms"] < 1000 * (time.monotonic() - began) - SETTLED_MS)
    return time.monotonic() - began


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_dead_or_hung_renderer_is_replaced(wall: Wall, sign: signal.Signals) -> None:
    victims = wall.renderers()
    assert victims
    for victim in victims:
        os.kill(victim, sign)
    took = back_after(wall)
    assert took <= BACK_S * FACTOR, took
    if wall.browser == "chromium" or sign == signal.SIGSTOP:  # cog replaces a dead one by itself
        assert wall.reasons()[0] in ("not-painting", "foreign-surface")
    assert not set(victims) & set(wall.renderers())


def blue(wall: Wall) -> float:
    """The share of the screen that has the colour of the keeper's own page."""
    words = [*wall.screen.user, "grim", "-t", "ppm", "-"]
    done = subprocess.run(words, env=wall.screen.environment, capture_output=True, timeout=30, check=False)
    pixels = done.stdout[-3 * WIDTH * HEIGHT :]
    return pixels.count(bytes.fromhex("0b3f86")) / (WIDTH * HEIGHT)


def test_a_server_that_is_gone_leaves_a_page_of_the_keepers_own_and_no_browsers_error(wall: Wall) -> None:
    assert blue(wall) < 0.5
    wall.kiosk.stop()
    until(lambda: blue(wall) > 0.7)


def test_a_foreign_window_over_the_board_is_not_left_there(wall: Wall) -> None:
    profile = wall.screen.folder / "other"
    words = ["chromium", "--no-sandbox", "--ozone-platform=wayland", f"--user-data-dir={profile}", "--start-fullscreen",
             "--no-first-run", "data:text/html,<h1>foreign"]  # fmt: skip
    other = subprocess.Popen([*wall.screen.user, *words], env=wall.screen.environment,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    try:
        until(lambda: "foreign-surface" in wall.reasons() or "not-painting" in wall.reasons())
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.wait()
