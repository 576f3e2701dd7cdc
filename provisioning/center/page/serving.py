"""`liuhen-center serve` as a process."""

import asyncio
import socket

from agent.clock import Clock
from agent.web.gate import own_hosts
from agent.web.server import listen, web_server
from provisioning.center.config import CenterConfig
from provisioning.center.page.door import sessions
from provisioning.center.page.links import FOLDER, LinkFolder
from provisioning.center.page.room import PageRoom
from provisioning.center.page.server import Desk, application
from provisioning.center.store import open_store

LOOPBACK = "127.0.0.1"


def links_of(config: CenterConfig) -> LinkFolder:
    """Where the one-time links of a centre lie."""
    return LinkFolder(config.folder / FOLDER)


def listen_here(port: int) -> socket.socket:
    """A socket on loopback; raises `EnvironmentFault` when the port is taken."""
    return listen(LOOPBACK, port, "请用 --port 换一个端口。")


def serve(config: CenterConfig, clock: Clock, sock: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    store = open_store(config.database, config.folder, create=False)
    try:
        desk = Desk(PageRoom(config, store, clock), links_of(config), sessions(), clock)
        app = application(desk, own_hosts(LOOPBACK, sock.getsockname()[1]))
        asyncio.run(web_server(app).serve([sock]))
    finally:
        store.close()
