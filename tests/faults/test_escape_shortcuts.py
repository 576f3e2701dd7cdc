"""26 ways out of a browser by keyboard (reference/kiosk.md 2.3), on a real X server: none of them leaves the board.

Ten of them left a browser that was only started with --kiosk, seven one with a managed policy besides. No policy here:
it is the page that takes the keys, and an application's window that lets it.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kiosk.browser import command
from tests.kiosk.bench import Bench, sample
from tests.kiosk.running import RunningKiosk, until

KEYS = (
    "ctrl+t", "ctrl+n", "ctrl+shift+n", "ctrl+o", "ctrl+p", "ctrl+s", "ctrl+h", "ctrl+j", "F1", "alt+F4", "ctrl+w",
    "ctrl+shift+w", "ctrl+q", "ctrl+shift+q", "ctrl+l", "F6", "F11", "F12", "ctrl+shift+i", "ctrl+u",
    "ctrl+shift+Delete", "ctrl+shift+t", "alt+Left", "alt+Home", "shift+Escape", "ctrl+Tab",
)  # fmt: skip
LEFT_S = 2.0  # what a key opens is there by then; the order allows 5 s away from the board
NO_KEYS = '<openbox_config xmlns="http://openbox.org/3.4/rc"><keyboard/></openbox_config>'  # as a kiosk's compositor
PROGRAMS = ("Xvfb", "openbox", "xdotool", "chromium")
pytestmark = [
    pytest.mark.faults,
    pytest.mark.xdist_group("screen"),
    pytest.mark.skipif(None in map(shutil.which, PROGRAMS), reason=f"one of {', '.join(PROGRAMS)} is not installed"),
]


class Wall:
    """An X server with a kiosk on it; `start` opens a browser and waits until it has painted."""

    def __init__(self, kiosk: RunningKiosk, folder: Path) -> None:
        self.kiosk, self.profile = kiosk, folder / "profile"
        display, told = os.pipe()
        words = ["Xvfb", "-displayfd", str(told), "-screen", "0", "1280x720x24"]
        self.server = subprocess.Popen(words, pass_fds=[told], stderr=subprocess.DEVNULL)
        os.close(told)
        with os.fdopen(display) as number:
            self.environment = {**os.environ, "DISPLAY": f":{number.readline().strip()}"}
        keys = folder / "rc.xml"
        keys.write_text(NO_KEYS)
        words = ["openbox", "--config-file", str(keys)]
        self.manager = subprocess.Popen(words, env=self.environment, stderr=subprocess.DEVNULL)
        self.browser: subprocess.Popen[bytes] | None = None

    def start(self, words: Sequence[str], *, painted: bool = True) -> None:
        began = time.monotonic()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.browser = subprocess.Popen(words, env=self.environment, start_new_session=True, **quiet)  # type: ignore[call-overload]
        until(lambda: not painted or self.painted_s() < time.monotonic() - began)
        until(lambda: len(self.windows()) == 1 and "窗口公示" in self.title())

    def stop(self) -> None:
        if self.browser is not None:
            os.killpg(self.browser.pid, signal.SIGKILL)
            self.browser.wait()
            self.browser = None

    def close(self) -> None:
        self.stop()
        for process in (self.manager, self.server):
            process.terminate()
            process.wait(10)

    def painted_s(self) -> float:
        age = json.loads(self.kiosk.page("healthz"))["painted_ms"]
        return 1e9 if age is None else age / 1000

    def windows(self) -> list[str]:
        return self._told("search", "--onlyvisible", "--class", "chromium").split()

    def title(self) -> str:
        return self._told("getactivewindow", "getwindowname").strip()

    def left_by(self, key: str) -> bool:
        """Whether another window than the board's was seen, or none, in the time after `key`."""
        before = self.windows(), self.title()
        self._told("key", key)
        until_s = time.monotonic() + LEFT_S
        while time.monotonic() < until_s:
            gone = self.browser is None or self.browser.poll() is not None
            if gone or (self.windows(), self.title()) != before:
                return True
            time.sleep(0.1)
        return False

    def _told(self, *words: str) -> str:
        done = subprocess.run(["xdotool", *words], env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout


@pytest.fixture
def wall(tmp_path: Path) -> Iterator[Wall]:
    bench = Bench()
    with RunningKiosk(bench.kiosk_folder(tmp_path)) as kiosk:
        kiosk.put("window-board.hall-1", bench.sealed(sample("window-board")))
        until(lambda: "丁四" in kiosk.page())
        made = Wall(kiosk, tmp_path)
        try:
            yield made
        finally:
            made.close()


def test_no_shortcut_leaves_the_board(wall: Wall) -> None:
    words = command("chromium", wall.kiosk.url, wall.profile, ["--no-sandbox"])
    wall.start(words)
    left = []
    for key in KEYS:
        if wall.left_by(key):
            left.append(key)
            wall.stop()
            wall.start(words)
    assert left == []
    assert wall.painted_s() < 10


def test_a_page_that_did_not_take_the_keys_would_be_left(wall: Wall) -> None:
    """The harness bites: the same board in the same window without its script opens another one."""
    still = ["--no-sandbox", "--blink-settings=scriptEnabled=false"]
    wall.start(command("chromium", wall.kiosk.url, wall.profile, still), painted=False)
    assert wall.left_by("ctrl+n")
