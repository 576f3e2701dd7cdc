"""The web server under our three pages. The only file that knows uvicorn.

A few silent connections must not shut anybody out: one that has sent no whole head is closed after `HEAD_S`, one
that asks for nothing makes way for a new one, and no address has more than its share.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent import durable
from agent.errors import EnvironmentFault

GRACE_S = 2  # an open film gets this long at the end
HEAD_S = 5.0  # ours; a browser sends its head in one packet
PEER = "peer"  # in the scope's state: the certificate (DER) that the other side has shown
MAX_CONNECTIONS = 32  # ours; a browser opens six at once
PER_ADDRESS = 16  # ours


class PatientConnection(H11Protocol):
    """A connection that knows whether anything is asked on it."""

    since: float = 0.0
    _head_due: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether no request is being answered on it."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It counts from now on; others make way for it."""
        super().connection_made(transport)
        line = transport.get_extra_info("socket")
        if line.family in (socket.AF_INET, socket.AF_INET6):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it where proto is given, not 0
        shown = transport.get_extra_info("ssl_object")
        if shown is not None:
            self.app_state = {**self.app_state, PEER: shown.getpeercert(binary_form=True)}
        self._await_head()
        others = [it for it in self.connections if isinstance(it, PatientConnection) and it is not self]
        same = [it for it in others if it.client and self.client and it.client[0] == self.client[0]]
        if len(same) >= PER_ADDRESS:
            self._make_way(same)
        elif len(others) >= MAX_CONNECTIONS:
            self._make_way(others)

    def data_received(self, data: bytes) -> None:
        """Bytes came: a head is whole, or is still waited for."""
        super().data_received(data)
        if self.idle:
            self._await_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _make_way(self, others: "list[PatientConnection]") -> None:
        """The one that is silent for the longest goes; when all of them are being answered, this one."""
        silent = [it for it in others if it.idle]
        gone = min(silent, key=lambda it: it.since, default=self)
        self.connections.discard(gone)
        gone.transport.abort()

    def _await_head(self) -> None:
        if self._head_due is None:
            self.since = self.loop.time()
            self._head_due = self.loop.call_later(HEAD_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None


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
