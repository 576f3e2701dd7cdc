"""Runs the officer's page until SIGTERM."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path

from agent import durable
from agent.clock import Clock
from agent.config import PAGE, RECORDINGS, AgentConfig
from agent.errors import EnvironmentFault, OperatorFault
from agent.page.background import Background
from agent.page.gate import own_hosts
from agent.page.lockout import Lockout, Sessions
from agent.page.pages import Pages
from agent.page.paper_pages import PaperDrawer
from agent.page.pin import PinFile
from agent.page.server import Desk, application
from agent.page.web_server import web_server

STYLE = Path(__file__).with_name("static") / "page.css"


def serve_page(
    config_path: Path, config: AgentConfig, clock: Clock, announce: Callable[[str], None], ready_file: Path | None
) -> None:
    """Serve until SIGTERM; `announce` gets `listening http://ADDRESS:PORT/` once pages can be had. Raises
    `OperatorFault` for a configuration that will not do or a PIN that was never set, `EnvironmentFault` for a port."""
    if not config.records:
        raise OperatorFault("执法人员页面只用于执法记录仪；大厅终端请用 liuhen-kiosk serve。")
    pins = PinFile(config.state_dir / PAGE)
    pins.mark()
    with contextlib.closing(_listener(*listen_address(config.page.listen))) as listener:
        asyncio.run(_run(config_path, config, pins, clock, listener, announce, ready_file))


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of `listen`: loopback or a private network, as a USB cable makes one; never every address.
    Raises `OperatorFault`."""
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.IPv4Address(host)
        near = (address.is_loopback or address.is_private or address.is_link_local) and not address.is_unspecified
    except ValueError:
        near = False
    if not near or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise OperatorFault(
            f"agent.toml：page.listen 是 {text[:40]}，应为本机回环或 USB 网络地址与端口，如 127.0.0.1:8471。"
        )
    return host, int(port)


async def _run(
    config_path: Path,
    config: AgentConfig,
    pins: PinFile,
    clock: Clock,
    listener: socket.socket,
    announce: Callable[[str], None],
    ready_file: Path | None,
) -> None:
    background = Background(config_path, config, config.state_dir / PAGE, clock)
    lockout = Lockout(pins.tries(), clock.read().monotonic_ns)
    drawer = PaperDrawer(config_path, config)
    pages = Pages(config, background, clock, drawer)
    desk = Desk(pages, background, pins, lockout, Sessions(), clock, config.state_dir / RECORDINGS, drawer)
    host, port = listener.getsockname()[:2]
    server = web_server(application(desk, STYLE.read_bytes(), own_hosts(host, port)))
    serving, work = asyncio.create_task(server.serve(sockets=[listener])), asyncio.create_task(background.run())
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    _ready(f"http://{host}:{port}/", announce, ready_file)
    await asyncio.wait({serving, work}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work  # what ended it first is told here
    await serving


def _ready(url: str, announce: Callable[[str], None], ready_file: Path | None) -> None:
    if ready_file is not None:
        durable.write_bytes(ready_file, f"{url}\n".encode())
    announce(f"listening {url}")


def _listener(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise EnvironmentFault(
            f"无法监听 {host}:{port}：{error.strerror}。请检查 USB 网络是否接好、端口是否被占用。"
        ) from error
