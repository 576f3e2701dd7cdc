"""Runs the officer's page until SIGTERM."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path

from agent.clock import Clock
from agent.config import PAGE, RECORDINGS, AgentConfig
from agent.errors import OperatorFault
from agent.page.background import Background
from agent.page.lockout import Lockout
from agent.page.pages import Pages
from agent.page.paper_pages import PaperDrawer
from agent.page.pin import PinFile
from agent.page.server import Desk, application
from agent.web.gate import own_hosts
from agent.web.server import announce, listen, up, web_server
from agent.web.sessions import Sessions

IDLE_S, LONGEST_S = 15 * 60, 8 * 3600  # ours: of a session; a shift has 8 hours
MAX_SESSIONS = 8  # ours; one officer has a phone and the recorder's own screen
ADVICE = "请检查 USB 网络是否接好、端口是否被占用。"
STYLE = Path(__file__).with_name("static") / "page.css"


def serve_page(
    config_path: Path, config: AgentConfig, clock: Clock, tell: Callable[[str], None], ready_file: Path | None
) -> None:
    """Serve until SIGTERM; `tell` gets `listening http://ADDRESS:PORT/` once pages can be had. Raises
    `OperatorFault` for a configuration that will not do or a PIN that was never set, `EnvironmentFault` for a port."""
    if not config.records:
        raise OperatorFault("执法人员页面只用于执法记录仪；大厅终端请用 liuhen-kiosk serve。")
    pins = PinFile(config.state_dir / PAGE)
    pins.mark()
    with contextlib.closing(listen(*listen_address(config.page.listen), ADVICE)) as listener:
        asyncio.run(_run(config_path, config, pins, clock, listener, tell, ready_file))


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
    tell: Callable[[str], None],
    ready_file: Path | None,
) -> None:
    background = Background(config_path, config, config.state_dir / PAGE, clock)
    lockout = Lockout(pins.tries(), clock.read().monotonic_ns)
    drawer = PaperDrawer(config_path, config)
    pages = Pages(config, background, clock, drawer)
    sessions = Sessions[str](IDLE_S, LONGEST_S, MAX_SESSIONS)
    desk = Desk(pages, background, pins, lockout, sessions, clock, config.state_dir / RECORDINGS, drawer)
    server = web_server(application(desk, STYLE.read_bytes(), own_hosts(*listener.getsockname()[:2])))
    serving, work = await up(server, listener), asyncio.create_task(background.run())
    announce(listener, tell, ready_file)
    await asyncio.wait({serving, work}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work  # what ended it first is told here
    await serving
