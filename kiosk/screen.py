"""`liuhen-kiosk screen`: keeps the board on the screen. Starts the browser, looks every second, starts it again.

The server says when a page was last painted; `grim` grabs the corner of what the compositor really shows, and the stamp
is read from it. Nothing here trusts that a process lives. While the server does not answer, the screen shows a page of
the keeper's own. The compositor (cage, sway, labwc) is started by systemd;
this process runs inside it.
"""

import logging
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from agent.clock import Clock
from kiosk.away_page import away_page
from kiosk.browser_process import BrowserProcess
from kiosk.screen_guard import Limits, Seen, away_reason, night_of, pause_s, restart_reason
from kiosk.screen_link import ServerLink
from kiosk.stamp import Picture, picture_from_ppm, shows_stamp

LOOK_S = 1.0
MEMORY_EVERY = 30  # looks; reading it costs some milliseconds a process
PIXELS_EVERY = 2  # looks; a grab of the corner takes some 20 ms here
CORNER = (160, 110)  # CSS pixels of the top right corner: the stamp and as far as it wanders

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Screen:
    """What to run and look at. `width` is that of the output, in the pixels that `grab` is asked by: it gives a PPM of
    a region, None where nobody can look; `power` switches the display on or off."""

    url: str
    browser: str
    profile: Path
    limits: Limits
    width: int
    extra: tuple[str, ...] = ()
    grab: Callable[[str], bytes] | None = None
    power: Callable[[bool], None] | None = None


class ScreenKeeper:
    """One browser, one loop. `run` returns once `stopping` is set."""

    def __init__(self, screen: Screen, clock: Clock, base: Mapping[str, str]) -> None:
        self._screen, self._clock = screen, clock
        self._browser = BrowserProcess(screen.browser, screen.profile, screen.extra, base)
        self._server, self._answered = ServerLink(screen.url), time.monotonic()
        self._away = self._painted = False  # whether our own page is shown, and whether this browser painted the board
        self._hall = self._phone = ""
        self._began = self._matched = 0.0
        self._memory = self._looks = self._failures = 0
        self._night: date = date.min
        self._lit: bool | None = None
        self._blind = False  # whether the last grab failed
        self.stopping = False
        self.restarts: list[str] = []

    def run(self) -> None:
        """Keep the screen until `stopping`; the browser is ended last."""
        self._away = self._server.ask() is None
        self._start()
        try:
            while not self.stopping:
                time.sleep(LOOK_S)
                self.look()
        finally:
            self._browser.end()

    def look(self) -> None:
        """Look once, and start the browser again where that is needed."""
        self._looks += 1
        health = self._server.ask()
        if health is None:
            self._without_server()
            return
        self._answered = time.monotonic()
        self._hall, self._phone = str(health.get("hall", "")), str(health.get("phone", ""))
        if self._away:
            self._away = False
            self._restart("server-back", painted=True)
        self._light(bool(health["open"]))
        seen = self._seen(health)
        reason = restart_reason(seen, self._screen.limits, self._clock.read().wall, self._night)
        if reason is not None:
            self._restart(reason, painted=seen.painted_s is not None)

    def _without_server(self) -> None:
        """The server's own guard starts it again. A page that was painted says so itself meanwhile, not for long."""
        silent_s = time.monotonic() - self._answered
        reason = away_reason(silent_s, alive=self._browser.is_alive, painted=self._painted, away=self._away)
        if reason is not None:
            self._away = True
            self._light(True)
            self._restart(reason, painted=reason != "exited")

    def _seen(self, health: Mapping[str, object]) -> Seen:
        now = time.monotonic()
        running, painted = now - self._began, health["painted_ms"]
        age = int(painted) / 1000 if isinstance(painted, int) else None
        if age is not None and age > running:
            age = None  # that was the browser before
        if self._screen.power is not None and not self._lit:
            age, self._matched = 0.0, now  # a dark display asks for no frames
        if age is not None:
            self._failures, self._painted = 0, True
        if self._looks % MEMORY_EVERY == 0:
            self._memory = self._browser.memory
        if age is not None and self._lit and self._looks % PIXELS_EVERY == 0:
            self._look_at_pixels(str(health["tag"]), now)
        unmatched = now - self._matched if self._screen.grab is not None and age is not None else 0.0
        return Seen(running, age, unmatched, self._memory, self._browser.is_alive)

    def _look_at_pixels(self, tag: str, now: float) -> None:
        picture = self._corner()
        if picture is None:
            self._matched = now  # nobody can look: that is no sign of a foreign window
            return
        match = shows_stamp(picture, tag, picture.width / CORNER[0])  # a compositor that scales gives more pixels
        if match:
            self._matched = now
        self._server.tell({"tag": tag, "match": "1" if match else "0"})

    def _corner(self) -> Picture | None:
        screen = self._screen
        width, height = CORNER
        if screen.grab is None or not self._lit:
            return None
        try:
            picture = picture_from_ppm(screen.grab(f"{screen.width - width},0 {width}x{height}"))
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            if not self._blind:
                log.warning("the screen cannot be grabbed, no pixel is looked at (is --width right?): %s", error)
            self._blind = True
            return None
        self._blind = False
        return picture

    def _light(self, wanted: bool) -> None:
        """The display is dark outside opening hours, unless nobody can switch it."""
        if wanted is self._lit:
            return
        self._lit = wanted
        if self._screen.power is not None:
            try:
                self._screen.power(wanted)
            except (OSError, subprocess.SubprocessError) as error:
                log.warning("the display cannot be switched: %s", error)

    def _restart(self, reason: str, *, painted: bool) -> None:
        log.warning("the browser is started again: %s", reason)
        self.restarts.append(reason)
        self._failures = 0 if painted else self._failures + 1
        self._server.tell({"restarted": reason})
        self._browser.end()
        time.sleep(pause_s(self._failures))
        self._start()

    def _start(self) -> None:
        url = "" if self._away else self._screen.url
        self._browser.start(url, away_page(self._hall, self._phone))
        self._began = self._matched = time.monotonic()
        self._painted = False
        self._memory, self._night = 0, night_of(self._clock.read().wall)


def grim(base: Mapping[str, str]) -> Callable[[str], bytes]:
    """Grabs a region of what a wlroots compositor shows."""

    def grab(region: str) -> bytes:
        asked = ["grim", "-t", "ppm", "-g", region, "-"]
        done = subprocess.run(asked, capture_output=True, timeout=5, check=True, env=dict(base))
        return done.stdout

    return grab


def wlr_randr(output: str, base: Mapping[str, str]) -> Callable[[bool], None]:
    """Switches `output` of a wlroots compositor on and off (DPMS)."""

    def power(on: bool) -> None:
        asked = ["wlr-randr", "--output", output, "--on" if on else "--off"]
        subprocess.run(asked, capture_output=True, timeout=5, check=True, env=dict(base))

    return power


def cec(base: Mapping[str, str]) -> Callable[[bool], None]:
    """Switches a television on HDMI on and off through CEC (`cec-client` of libcec)."""

    def power(on: bool) -> None:
        said = b"on 0\n" if on else b"standby 0\n"
        asked = ["cec-client", "-s", "-d", "1"]
        subprocess.run(asked, input=said, capture_output=True, timeout=15, check=True, env=dict(base))

    return power
