"""`liuhen-provision serve`: HTTPS around `est.respond`. One request at a time: what takes time is the disk, and the
database is for one thread."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from agent import durable
from agent.clock import Clock
from agent.web.server import PEER
from agent.wire.enrolment import MAX_REQUEST_BYTES
from provisioning.authority.authority import Authority, read_file
from provisioning.authority.session import ISSUING
from provisioning.fleet.enrolment import Desk, enrolment_desk
from provisioning.fleet.est import respond
from provisioning.fleet.est_messages import Answered, Asked
from provisioning.fleet.identity_files import nearly_over_at, write_identity
from provisioning.web_server import Beside, ServerIdentity, run_app

FOLDER, NAME, SUBJECT = "enrolment-server", "server", "enrolment-1"
NO_CONTENT = 204
KEEP_S = 15.0  # ours: a device that has enrolled is soon known at the centre, a revoked one at a broker nobody named
_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


def server_identity(authority: Authority, hosts: tuple[str, ...], now: datetime) -> ServerIdentity:
    """The server's key and certificate for `hosts`, in the authority's folder; made at the first time."""
    folder = durable.make_directory(authority.folder / FOLDER, 0o700)
    write_identity(
        folder, NAME, SUBJECT, lambda r: authority.certify_broker(r, SUBJECT, hosts, now), nearly_over_at(now)
    )
    clients = folder / "clients.pem"  # the issuing CA too: an EST client shows its leaf alone
    if not clients.exists():
        durable.write_bytes(clients, authority.root_pem + read_file(authority.folder / ISSUING))
    return ServerIdentity(folder / f"{NAME}.pem", folder / f"{NAME}.key", clients)


def serve(
    authority: Authority, identity: ServerIdentity, clock: Clock, sock: Any, keep: Callable[[datetime], object]
) -> None:
    """Serve on a bound socket until SIGTERM or Ctrl-C; the trust list is signed at the end at the latest. `keep` is
    called every `KEEP_S` with the time, between requests."""
    beside = Beside(lambda: keep(clock.read().wall), KEEP_S)
    with enrolment_desk(authority) as desk:
        run_app(Application(desk, clock), sock, identity, beside)


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
            answer = respond(_asked(scope, body), self._desk, self._clock.read().wall)
        await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer)})
        await send({"type": "http.response.body", "body": answer.body})
        self._desk.publish(time.monotonic())


def _asked(scope: Any, body: bytes) -> Asked:
    told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    kind = told.get("content-type", "").partition(";")[0].strip().lower()
    shown = scope.get("state", {}).get(PEER)
    return Asked(scope["method"], scope["path"], body, shown, kind, told.get("authorization", ""))


def _headers(answer: Answered) -> list[tuple[bytes, bytes]]:
    told = {"content-transfer-encoding": answer.encoding, "www-authenticate": answer.challenge}
    if answer.status != NO_CONTENT:
        told |= {"content-type": answer.kind, "content-length": str(len(answer.body))}
    return [*_HEADERS, *((name.encode(), value.encode()) for name, value in told.items() if value)]


async def _body(receive: Any) -> bytes | None:
    """What was sent, None when it is more than any request of ours."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += bytes(message.get("body", b""))
        if len(body) > MAX_REQUEST_BYTES:
            return None
        if not message.get("more_body", False):
            return body
