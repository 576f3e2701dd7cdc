"""Runs the kiosk process: verified documents in, pages out, until SIGTERM or until the feed dies."""

import asyncio
import socket
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from types import FrameType

import uvicorn

from agent import durable
from agent.clock import Clock
from agent.errors import EnvironmentFault
from kiosk.board import Site
from kiosk.config import KioskConfig
from kiosk.display import Display
from kiosk.feed import Feed
from kiosk.gate import local_hosts
from kiosk.page import Pages
from kiosk.receipt_folder import ReceiptFolder
from kiosk.server import STATIC_TYPES, application

CHECK_S = 1.0  # how often the observer and the calendar are looked after
RESCAN_TICKS = 30  # in that many checks the folder is read again, whatever inotify said
GRACE_S = 2  # open pages get this long at the end; the whole stop stays below 5 s
MAX_CONNECTIONS = 64  # ours: one browser holds a stream and a few requests


class _Server(uvicorn.Server):
    """SIGTERM and SIGINT are a request to stop, not a way to die."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.should_exit = True


def serve_kiosk(
    config: KioskConfig,
    clock: Clock,
    announce: Callable[[str], None],
    ready_file: Path | None = None,
) -> None:
    """Serve until SIGTERM; `announce` gets the line `listening http://127.0.0.1:PORT/` once pages can be had.

    Raises `EnvironmentFault` when the port is taken or the feed's observer dies, other faults for a bad configuration.
    """
    feed = make_feed(config)
    feed.open(clock.read().wall)
    listener = _listener(config)
    try:
        asyncio.run(run(config, feed, clock, listener, _ready(listener, announce, ready_file)))
    finally:
        listener.close()


def make_feed(config: KioskConfig) -> Feed:
    """The feed of a configuration, not yet opened."""
    return Feed(config.disclosed, config.root, config.trust_list, config.state, config.district, config.audience)


async def run(
    config: KioskConfig, feed: Feed, clock: Clock, listener: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve an opened feed on a bound socket; `ready` is called when the first page can be had."""
    display = make_display(config, feed, clock)
    hosts = local_hosts(*listener.getsockname()[:2])
    server = _Server(
        uvicorn.Config(
            application(display, _texts("static", STATIC_TYPES), hosts),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
    wake, loop = asyncio.Event(), asyncio.get_running_loop()
    feed.watch(lambda: _enqueue(loop, wake))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        ready()
        await _attend(server, feed, display, clock, wake)
    finally:
        server.should_exit = True
        display.close()
        await serving
        feed.stop()


def make_display(config: KioskConfig, feed: Feed, clock: Clock) -> Display:
    """The display of an opened feed, with the packaged templates."""
    site = Site(config.district, config.device, config.hall, config.audience, config.complaint_phone)
    folder = resources.files("kiosk") / "templates"
    templates = {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.is_file()}
    display = Display(site, Pages(templates), feed, clock, ReceiptFolder(config.receipts).part)
    display.refresh()
    return display


async def _attend(server: uvicorn.Server, feed: Feed, display: Display, clock: Clock, wake: asyncio.Event) -> None:
    ticks = 0
    while not server.should_exit:
        try:
            await asyncio.wait_for(wake.wait(), CHECK_S)
        except TimeoutError:
            ticks += 1
        if feed.check() or wake.is_set() or ticks >= RESCAN_TICKS:
            ticks = 0
            wake.clear()
            feed.reload(clock.read().wall)
        display.refresh()


def _enqueue(loop: asyncio.AbstractEventLoop, wake: asyncio.Event) -> None:
    loop.call_soon_threadsafe(wake.set)


def _ready(listener: socket.socket, announce: Callable[[str], None], ready_file: Path | None) -> Callable[[], None]:
    host, port = listener.getsockname()[:2]
    url = f"http://{host}:{port}/"

    def ready() -> None:
        if ready_file is not None:
            durable.write_bytes(ready_file, f"{url}\n".encode())
        announce(f"listening {url}")

    return ready


def _listener(config: KioskConfig) -> socket.socket:
    try:
        return socket.create_server((config.host, config.port))
    except OSError as error:
        place = f"{config.host}:{config.port}"
        raise EnvironmentFault(
            f"无法监听 {place}：{error.strerror}。请检查端口是否被占用，或改用 127.0.0.1:0。"
        ) from error


def _texts(folder: str, names: dict[str, str]) -> dict[str, bytes]:
    return {name: (resources.files("kiosk") / folder / name).read_bytes() for name in names}
