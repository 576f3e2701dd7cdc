"""Our web server behind TLS, where a client may show a certificate, and chores between its requests."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.web.server import web_server


@dataclass(frozen=True)
class ServerIdentity:
    """Files of a server that speaks TLS: its chain, its key, and the root that client certificates must come from."""

    chain: Path
    key: Path
    root: Path


def run_app(app: Any, sock: socket.socket, identity: ServerIdentity, beside: "Beside | None" = None) -> None:
    """Serve the ASGI application on a bound socket until SIGTERM or Ctrl-C; `beside` is done between requests."""
    asyncio.run(_serve(web_server(app, server_context(identity)).serve([sock]), beside))


@dataclass(frozen=True)
class Beside:
    """What is done at the start and every `every_s` seconds, in the server's own thread."""

    work: Callable[[], object]
    every_s: float


async def _serve(serving: Coroutine[Any, Any, None], beside: Beside | None) -> None:
    chores = None if beside is None else asyncio.create_task(_repeat(beside))
    try:
        await serving
    finally:
        if chores is not None:
            chores.cancel()


async def _repeat(beside: Beside) -> None:
    while True:
        beside.work()
        await asyncio.sleep(beside.every_s)


def server_context(identity: ServerIdentity) -> ssl.SSLContext:
    """TLS 1.2 or later; a client may show a certificate of our root, and then it must be a good one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity.chain, identity.key)
    context.load_verify_locations(identity.root)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
