"""The screen's keeper on a real compositor with a real browser: whatever takes the board away, it is back in 15 s."""

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
from tests.support.headless_screen import GRIM, SWAY, WIDTH, HeadlessScreen

BACK_S = 15.0  # the order's figure, on a quiet machine; a busy one is given FACTOR times as long
FACTOR = 3
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
        found = []
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = place.read_bytes()
            except OSError:
                continue
            if b"--type=renderer" in words and str(self.screen.folder).encode() in words + _parent_words(place):
                found.append(int(place.parent.name))
        return found


def _parent_words(place: Path) -> bytes:
    try:
        parent = (place.parent / "stat").read_text().rpartition(")")[2].split()[1]
        grand = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[1]
        return Path(f"/proc/{parent}/cmdline").read_bytes() + Path(f"/proc/{grand}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def wall(tmp_path: Path) -> Iterator[Wall]:
    bench = Bench()
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk, HeadlessScreen() as screen:
        kiosk.put("window-board.hall-1", bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page())
        profile = screen.folder / "profile"
        words = ["--url", kiosk.url, "--browser", "chromium", "--width", str(WIDTH), "--profile", str(profile)]
        words += ["--option=--no-sandbox", "--option=--ozone-platform=wayland"]
        code = Path(__file__).parents[2]
        command = [*screen.user, sys.executable, "-m", "kiosk.cli", "screen", *words]
        keeper = subprocess.Popen(command, env={**screen.environment, "PYTHONPATH": str(code)}, cwd=code)
        wall = Wall(kiosk, screen, keeper, tmp_path / "kiosk-state/display-log")
        try:
            until(lambda: wall.shown() > 0)
            yield wall
        finally:
            keeper.terminate()
            keeper.wait(30)


def back_after(wall: Wall, before: int) -> float:
    """Seconds until the stamp is in the pixels again after a restart."""
    began = time.monotonic()
    until(lambda: len(wall.reasons()) > before)
    restarted = len(wall.lines())
    until(lambda: any(line["what"] == "pixels" and line["facts"]["match"] for line in wall.lines()[restarted:])  # type: ignore[index]
          or json.loads(wall.kiosk.page("healthz"))["painted_ms"] < 1000)  # fmt: skip
    return time.monotonic() - began


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_dead_or_hung_renderer_is_replaced(wall: Wall, sign: signal.Signals) -> None:
    victims = wall.renderers()
    assert victims
    for victim in victims:
        os.kill(victim, sign)
    took = back_after(wall, 0)
    assert wall.reasons()[0] in ("not-painting", "foreign-surface")
    assert took <= BACK_S * FACTOR, took


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
