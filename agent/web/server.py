"""The web server under our three pages. The only file that knows uvicorn.

A few slow connections must not shut anybody out: one whose head or body does not become whole in time is closed, one
that has not asked anything whole makes way for a new one, and no address has more than its share.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent import durable
from agent.errors import EnvironmentFault

GRACE_S = 2  # an open film gets this long at the end
# Seconds for what the other side still owes. Ours: a browser sends its head in one packet, and no form or request of
# ours is larger than 64 KiB.
PATIENCE: Mapping[Any, float] = {h11.IDLE: 5.0, h11.SEND_BODY: 20.0}
PEER = "peer"  # in the scope's state: the certificate (DER) that the other side has shown
MAX_CONNECTIONS = 32  # ours; a browser opens six at once
PER_ADDRESS = 16  # ours


class PatientConnection(H11Protocol):
    """A connection that knows whether a whole request stands on it."""

    since: float = 0.0
    _awaited: Any = None
    _due: asyncio.TimerHandle | None = None

    @property
    def owed(self) -> bool:
        """Whether it is the other side's turn: no request stands whole on it."""
        return self.conn.their_state in PATIENCE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It counts from now on; others make way for it."""
        super().connection_made(transport)
        line = transport.get_extra_info("socket")
        if line.family in (socket.AF_INET, socket.AF_INET6):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it where proto is given, not 0
        shown = transport.get_extra_info("ssl_object")
        if shown is not None:
            self.app_state = {**self.app_state, PEER: shown.getpeercert(binary_form=True)}
        self._await_more()
        others = [it for it in self.connections if isinstance(it, PatientConnection) and it is not self]
        same = [it for it in others if it.client and self.client and it.client[0] == self.client[0]]
        if len(same) >= PER_ADDRESS:
            self._make_way(same)
        elif len(others) >= MAX_CONNECTIONS:
            self._make_way(others)

    def data_received(self, data: bytes) -> None:
        """Bytes came: a head or a body is whole, or is still waited for."""
        super().data_received(data)
        self._await_more()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _make_way(self, others: "list[PatientConnection]") -> None:
        """The one that is silent for the longest goes; when all of them are being answered, this one."""
        silent = [it for it in others if it.owed]
        gone = min(silent, key=lambda it: it.since, default=self)
        self.connections.discard(gone)
        gone.transport.abort()

    def _await_more(self) -> None:
        """The time for a head or a body counts from when it was first waited for, whatever drips in."""
        part = self.conn.their_state
        if part is self._awaited:
            return
        self._stop_waiting()
        self._awaited = part
        if part in PATIENCE:
            self.since = self.loop.time()
            self._due = self.loop.call_later(PATIENCE[part], self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


class WebServer(uvicorn.Server):
    """SIGTERM and SIGINT are a request to stop, not a way to die."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Ask it to stop."""
        self.should_exit = True


def web_server(app: Callable[..., Any], context: ssl.SSLContext | None = None) -> WebServer:
    """A server for the ASGI application `app`, not yet serving; over TLS where a `context` is given."""
    return WebServer(
        uvicorn.Config(
            app,
            ssl_context_factory=None if context is None else lambda *_: context,
            http=PatientConnection,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )


def listen(host: str, port: int, advice: str) -> socket.socket:
    """A socket that listens there, port 0 for any free one; raises `EnvironmentFault` that ends with `advice`."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise EnvironmentFault(f"无法监听 {host}:{port}：{error.strerror}。{advice}") from error


async def up(server: WebServer, listener: socket.socket) -> "asyncio.Task[None]":
    """The task that serves on `listener`, once the first page can be had (or serving has ended at once)."""
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    return serving


def announce(
    listener: socket.socket, tell: Callable[[str], None], ready_file: Path | None, scheme: str = "http"
) -> None:
    """Say that pages can be had: the address goes into `ready_file`, where one is given, and to `tell`."""
    host, port = listener.getsockname()[:2]
    url = f"{scheme}://{host}:{port}/"
    if ready_file is not None:
        durable.write_bytes(ready_file, f"{url}\n".encode())
    tell(f"listening {url}")
