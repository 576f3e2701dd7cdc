"""Puts the screen's keeper together from the words of its command."""

import os
import signal
from pathlib import Path
from types import FrameType

from agent.clock import system_clock
from kiosk.browser import MEMORY_CEILING, chosen, total_memory
from kiosk.screen import Screen, ScreenKeeper, cec, grim, wlr_randr
from kiosk.screen_guard import Limits


def keep_screen(
    url: str, wanted: str, output: str, width: int, profile: Path, extra: tuple[str, ...], *, cec_power: bool
) -> None:
    """Keep the board on the screen until SIGTERM. Raises `EnvironmentFault` when the browser cannot be started."""
    browser = chosen(wanted, total_memory())
    base = dict(os.environ)
    power = cec(base) if cec_power else (wlr_randr(output, base) if output else None)
    look = grim(base) if "WAYLAND_DISPLAY" in base else None
    limits = Limits(MEMORY_CEILING.get(browser, MEMORY_CEILING["chromium"]))
    screen = Screen(url, browser, profile, limits, width, extra=extra, grab=look, power=power)
    keeper = ScreenKeeper(screen, system_clock(), base)

    def stop(_: int, __: FrameType | None) -> None:
        keeper.stopping = True

    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, stop)
    keeper.run()
