"""Runs the kiosk process: verified documents in, pages out, until SIGTERM or until the feed dies."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from agent.clock import Clock
from agent.systemd_notify import ALIVE, systemd_notify
from agent.web.gate import own_hosts
from agent.web.server import WebServer, announce, listen, up, web_server
from kiosk.board import Site
from kiosk.config import KioskConfig
from kiosk.display import Display
from kiosk.feed import Feed
from kiosk.furnishing import furnish
from kiosk.page import Pages
from kiosk.server import STATIC_TYPES, application

HERE = Path(__file__).parent
CHECK_S = 1.0  # how often the observer and the calendar are looked after
RESCAN_TICKS = 30  # in that many checks the folder is read again, whatever inotify said
log = logging.getLogger(__name__)
ADVICE = "请检查端口是否被占用，或改用 127.0.0.1:0。"


def serve_kiosk(
    config: KioskConfig,
    clock: Clock,
    tell: Callable[[str], None],
    ready_file: Path | None = None,
) -> None:
    """Serve until SIGTERM; `tell` gets the line `listening http://127.0.0.1:PORT/` once pages can be had.

    Raises `EnvironmentFault` when the port is taken or the feed's observer dies, other faults for a bad configuration.
    """
    feed = make_feed(config)
    feed.observe(clock.read())
    feed.open(clock.read().wall)
    with contextlib.closing(listen(config.host, config.port, ADVICE)) as listener:
        asyncio.run(run(config, feed, clock, listener, lambda: announce(listener, tell, ready_file)))


def make_feed(config: KioskConfig) -> Feed:
    """The feed of a configuration, not yet opened."""
    return Feed(config.disclosed, config.root, config.trust_list, config.state, config.district, config.audience)


async def run(
    config: KioskConfig, feed: Feed, clock: Clock, listener: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve an opened feed on a bound socket; `ready` is called when the first page can be had."""
    display = make_display(config, feed, clock)
    hosts = own_hosts(*listener.getsockname()[:2])
    server = web_server(application(display, _texts("static", STATIC_TYPES), hosts))
    wake, loop = asyncio.Event(), asyncio.get_running_loop()
    feed.folder.watch(lambda: _enqueue(loop, wake))
    serving = await up(server, listener)
    try:
        ready()
        await _attend(server, feed, display, clock, wake)
    finally:
        server.should_exit = True
        display.close()
        await serving
        display.painted.stopped(clock.read())
        feed.folder.stop()


def make_display(config: KioskConfig, feed: Feed, clock: Clock) -> Display:
    """The display of an opened feed, with the packaged templates."""
    place = (config.district, config.device, config.hall, config.audience)
    site = Site(*place, config.complaint_phone, config.window)
    templates = {it.name: it.read_text(encoding="utf-8") for it in (HERE / "templates").iterdir() if it.is_file()}
    hall = furnish(config, clock)
    if hall.log is not None and hall.log.ended is not None:
        feed.latest.note(hall.log.ended)
    display = Display(site, Pages(templates), feed, clock, hall)
    display.refresh()
    return display


async def _attend(server: WebServer, feed: Feed, display: Display, clock: Clock, wake: asyncio.Event) -> None:
    ticks, systemd = 0, systemd_notify()
    while not server.should_exit:
        systemd.tell(ALIVE)  # from the loop that answers: one that hangs is replaced
        try:
            await asyncio.wait_for(wake.wait(), CHECK_S)
        except TimeoutError:
            ticks += 1
        if feed.check() or wake.is_set() or ticks >= RESCAN_TICKS:
            ticks = 0
            wake.clear()
            feed.reload(clock.read().wall)
        look_after(display)


def look_after(display: Display) -> None:
    """Every second: look at the clock and what it ends, hand over complaints whose ten minutes are past, see that the
    browser paints, tell the log's head; a full disk ends no display."""
    display.feed.observe(display.instant())
    display.refresh()
    display.hall.complaints.release(display.now())
    display.painted.watch(display.instant())
    if display.hall.log is not None:
        display.hall.log.tell(display.condition.state.value, display.instant())


def _enqueue(loop: asyncio.AbstractEventLoop, wake: asyncio.Event) -> None:
    loop.call_soon_threadsafe(wake.set)


def _texts(folder: str, names: dict[str, str]) -> dict[str, bytes]:
    return {name: (HERE / folder / name).read_bytes() for name in names}
