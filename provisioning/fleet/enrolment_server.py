"""`liuhen-provision serve`: HTTPS around `est.respond`. One request at a time: what takes time is the disk, and the
database is for one thread."""

import time
from datetime import datetime
from typing import Any

from agent import durable
from agent.clock import Clock
from agent.wire.enrolment import MAX_REQUEST_BYTES
from provisioning.authority.authority import Authority
from provisioning.fleet.enrolment import Desk, enrolment_desk
from provisioning.fleet.est import Answered, Asked, respond
from provisioning.fleet.identity_files import write_identity
from provisioning.web_server import PEER, ServerIdentity, run_app

FOLDER, NAME, SUBJECT = "enrolment-server", "server", "enrolment-1"
_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


def server_identity(authority: Authority, hosts: tuple[str, ...], now: datetime) -> ServerIdentity:
    """The server's key and certificate for `hosts`, in the authority's folder; made at the first time."""
    folder = durable.make_directory(authority.folder / FOLDER, 0o700)
    write_identity(folder, NAME, SUBJECT, lambda r: authority.certify_broker(r, SUBJECT, hosts, now))
    root = folder / "root.pem"
    if not root.exists():
        durable.write_bytes(root, authority.root_pem)
    return ServerIdentity(folder / f"{NAME}.pem", folder / f"{NAME}.key", root)


def serve(authority: Authority, identity: ServerIdentity, clock: Clock, sock: Any) -> None:
    """Serve on a bound socket until SIGTERM or Ctrl-C; the trust list is signed at the end at the latest."""
    with enrolment_desk(authority) as desk:
        run_app(Application(desk, clock), sock, identity)


class Application:
    """The ASGI application."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk, self._clock = desk, clock

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        body = await _body(receive)
        if body is None:
            answer = Answered(413, "申请过大，已拒绝。\n".encode())
        else:
            asked = Asked(scope["method"], scope["path"], body, scope.get("state", {}).get(PEER))
            answer = respond(asked, self._desk, self._clock.read().wall)
        headers = [(b"content-type", answer.kind.encode()), *_HEADERS]
        if answer.encoding:
            headers.append((b"content-transfer-encoding", answer.encoding.encode()))
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        self._desk.publish(time.monotonic())


async def _body(receive: Any) -> bytes | None:
    """What was sent, None when it is more than any request of ours."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > MAX_REQUEST_BYTES:
            return None
        if not message.get("more_body", False):
            return body
