"""`liuhen-center serve` as a process; the only file of the package that knows uvicorn."""

import asyncio
import socket
from types import FrameType

import uvicorn

from agent.clock import Clock
from agent.errors import EnvironmentFault
from provisioning.center.config import CenterConfig
from provisioning.center.page.door import Sessions, own_hosts
from provisioning.center.page.links import FOLDER, LinkFolder
from provisioning.center.page.room import PageRoom
from provisioning.center.page.server import Desk, application
from provisioning.center.store import open_store

LOOPBACK = "127.0.0.1"
GRACE_S = 2


class WebServer(uvicorn.Server):
    """SIGTERM and SIGINT are a request to stop, not a way to die."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Ask it to stop."""
        self.should_exit = True


def links_of(config: CenterConfig) -> LinkFolder:
    """Where the one-time links of a centre lie."""
    return LinkFolder(config.folder / FOLDER)


def listen(port: int) -> socket.socket:
    """A socket on loopback; raises `EnvironmentFault` when the port is taken."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((LOOPBACK, port))
    except OSError as error:
        sock.close()
        raise EnvironmentFault(f"端口 {port} 不能使用（{error.strerror}）。请用 --port 换一个。") from error
    return sock


def serve(config: CenterConfig, clock: Clock, sock: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    store = open_store(config.database, config.folder, create=False)
    try:
        desk = Desk(PageRoom(config, store, clock), links_of(config), Sessions(), clock)
        app = application(desk, own_hosts(LOOPBACK, sock.getsockname()[1]))
        settings = uvicorn.Config(
            app,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        asyncio.run(WebServer(settings).serve([sock]))
    finally:
        store.close()
