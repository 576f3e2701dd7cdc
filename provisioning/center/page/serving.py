"""`liuhen-center serve` as a process."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from agent.clock import Clock
from agent.errors import OperatorFault
from agent.key_files import read_private
from agent.web.gate import own_hosts
from agent.web.server import WebServer, announce, listen, up, web_server
from provisioning.center.config import CenterConfig, PageSettings
from provisioning.center.page.door import Role, sessions
from provisioning.center.page.frame import TEMPLATES, Frame, Shelves
from provisioning.center.page.links import FOLDER, LinkFolder
from provisioning.center.page.server import Desk, application
from provisioning.center.store import open_store

STYLE = TEMPLATES / "sheet.css"
ADVICE = "请用 --port 换一个端口，或检查 center.toml 的 [page]。"


def links_of(config: CenterConfig) -> LinkFolder:
    """Where the one-time links of a centre lie."""
    return LinkFolder(config.folder / FOLDER)


def people_of(settings: PageSettings) -> dict[str, Role]:
    """Who may come in with a certificate, and as what; raises `OperatorFault` for one who is named twice."""
    named = [(name, Role(role)) for role, names in settings.people.items() for name in names]
    if len(dict(named)) != len(named):
        raise OperatorFault("center.toml：[page] 中同一人员列在两个角色下。请只留一处。")
    return dict(named)


def serve(
    config: CenterConfig,
    clock: Clock,
    shelves: Shelves,
    tell: Callable[[str], None],
    port: int | None = None,
    ready_file: Path | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, on the address of `[page]`, or on `port` of it; `tell` gets `listening URL` once
    pages can be had, and the URL stands in `ready_file`."""
    settings = config.page
    context = None if settings.certificate is None else _context(config, settings)
    shelves.archive()  # a key that is of no use is told now
    with (
        closing(open_store(config.database, config.folder, create=False)) as store,
        closing(listen(settings.host, settings.port if port is None else port, ADVICE)) as listener,
    ):
        frame = Frame(config, store, clock, shelves)
        desk = Desk(frame, links_of(config), sessions(), people_of(settings), STYLE.read_bytes())
        bound = listener.getsockname()[1]
        hosts = own_hosts(settings.host, bound) | {f"{name}:{bound}" for name in settings.names}
        app = application(desk, hosts, tls=context is not None)
        scheme = "http" if context is None else "https"
        asyncio.run(_run(web_server(app, context), listener, lambda: announce(listener, tell, ready_file, scheme)))


async def _run(server: WebServer, listener: socket.socket, ready: Callable[[], None]) -> None:
    serving = await up(server, listener)
    ready()
    await serving


def _context(config: CenterConfig, settings: PageSettings) -> ssl.SSLContext:
    """TLS 1.2 or later; a certificate is asked for, and one that is shown must lead to the district's root."""
    if settings.certificate is None or settings.key is None:
        raise OperatorFault("center.toml：[page] 的 certificate 与 key 须同时写明。")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    read_private(settings.key)
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        context.load_verify_locations(config.root)
    except (OSError, ssl.SSLError) as error:
        raise OperatorFault(
            f"页面证书不能使用（{error}）。请用 liuhen-provision page-certificate 重新发放，或改正 [page]。"
        ) from error
    return context
