"""Puts the screen's keeper together from the words of its command."""

import os
import signal
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from agent.clock import system_clock
from agent.errors import OperatorFault
from agent.settings import KIOSK_LISTEN
from kiosk.browser import MEMORY_CEILING, chosen, total_memory
from kiosk.screen import Screen, ScreenKeeper, cec, grim, wlr_randr
from kiosk.screen_guard import Limits

BROWSERS = ("auto", "chromium", "cog")


def server_address(url: str) -> str:
    """`url` of a server, with its closing slash; raises `OperatorFault`."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise OperatorFault(f"--url 是 {url[:60]}，应形如 http://{KIOSK_LISTEN}/。")
    return f"{url.rstrip('/')}/"


def keep_screen(
    url: str, wanted: str, output: str, width: int, profile: Path, extra: tuple[str, ...], *, cec_power: bool
) -> None:
    """Keep the board on the screen until SIGTERM. Raises `OperatorFault` for words that are wrong, `EnvironmentFault`
    when the browser cannot be started."""
    if wanted not in BROWSERS:
        raise OperatorFault(f"--browser 是 {wanted[:20]}，应为 {'、'.join(BROWSERS)} 之一。")
    browser = chosen(wanted, total_memory())
    base = dict(os.environ)
    power = cec(base) if cec_power else (wlr_randr(output, base) if output else None)
    look = grim(base) if "WAYLAND_DISPLAY" in base else None
    limits = Limits(MEMORY_CEILING.get(browser, MEMORY_CEILING["chromium"]))
    screen = Screen(server_address(url), browser, profile, limits, width, extra=extra, grab=look, power=power)
    keeper = ScreenKeeper(screen, system_clock(), base)

    def stop(_: int, __: FrameType | None) -> None:
        keeper.stopping = True

    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, stop)
    keeper.run()
