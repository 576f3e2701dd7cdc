"""What all three pages share: who may stay, what a form may bring, and whose answer carries which policy."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest

from agent.web.forms import read_form
from agent.web.gate import Doorway, Gate, Receive, Scope, Send, own_hosts, policy
from agent.web.server import listen, up, web_server
from agent.web.sessions import NANOSECONDS, Sessions

HOST = "127.0.0.1:8471"
OURS = Doorway(own_hosts("127.0.0.1", 8471), policy("style-src 'self'"), "不是这里。", re.compile("/form"))
Message = MutableMapping[str, Any]


def test_a_session_ends_when_nobody_uses_it_after_a_day_and_with_leaving() -> None:
    sessions = Sessions[str](10, 30, 2)
    sessions.admit("token", "somebody", 0)
    assert sessions.bearer("token", 10 * NANOSECONDS) == "somebody"
    assert sessions.bearer("token", 20 * NANOSECONDS) == "somebody"  # being seen kept it
    assert sessions.bearer("token", 31 * NANOSECONDS) is None  # not for ever
    sessions.admit("token", "somebody", 0)
    assert sessions.bearer("token", 11 * NANOSECONDS) is None
    sessions.admit("token", "somebody", 0)
    sessions.end("token")
    assert (sessions.bearer("token", 1), sessions.bearer("", 1)) == (None, None)


def test_too_many_sessions_cost_the_oldest_and_never_the_newest() -> None:
    sessions = Sessions[str](10, 30, 2)
    for at, name in enumerate("abc"):
        sessions.admit(name, name, at)
    assert [sessions.bearer(name, 5) for name in "abc"] == [None, "b", "c"]


def test_no_token_is_kept() -> None:
    sessions = Sessions[str](10, 30, 2)
    sessions.admit("the-token", "somebody", 0)
    assert "the-token" not in repr(sessions)


@pytest.mark.parametrize(
    ("body", "found"),
    [(b"pin=280417&pin=2", {"pin": "280417"}), (b"a=%E7%95%99", {"a": "留"}), (b"x" * 65, {}), (b"\xff\xfe", {})],
)
def test_a_form_is_read_as_far_as_it_is_one(body: bytes, found: dict[str, str]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 7):
            yield body[at : at + 7]

    assert asyncio.run(read_form(pieces(), 64)) == found


def ask(method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Through the gate to an application that says of itself that anything goes."""
    sent: list[Message] = []

    async def lax(scope: Scope, receive: Receive, send: Send) -> None:
        loose = [(b"Cache-Control", b"public"), (b"content-security-policy", b"default-src *")]
        await send({"type": "http.response.start", "status": 200, "headers": loose})
        await send({"type": "http.response.body", "body": b"inside"})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    asyncio.run(Gate(lax, OURS)(scope, receive, send))
    told = [(name.decode().lower(), value.decode()) for name, value in sent[0]["headers"]]
    assert len(told) == len(dict(told))  # a header that stands twice is a header of somebody else
    return sent[0]["status"], dict(told), sent[1]["body"]


def test_an_address_that_loosens_the_policy_gets_ours() -> None:
    status, headers, body = ask("GET", "/", host=HOST)
    assert (status, body) == (200, b"inside")
    assert headers["content-security-policy"] == OURS.policy
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {"host": "evil.example"}, 421),
        ("POST", "/form", {"host": HOST}, 403),
        ("POST", "/form", {"host": HOST, "origin": f"https://{HOST}"}, 403),
        ("POST", "/other", {"host": HOST, "origin": f"http://{HOST}"}, 405),
    ],
)
def test_what_is_refused_never_comes_inside(method: str, path: str, headers: dict[str, str], status: int) -> None:
    refused, told, body = ask(method, path, **headers)
    assert (refused, body) == (status, OURS.refused.encode())
    assert told["content-security-policy"] == OURS.policy


def test_an_answer_in_two_parts_does_not_wait_for_the_first_ones_acknowledgement() -> None:
    """Bites without TCP_NODELAY on the accepted connection: each answer but the first waited 40 ms (RFC 1122, delayed
    acknowledgement), for a listener made without a protocol number is passed over by asyncio."""

    async def asked() -> int:
        with listen("127.0.0.1", 0, "") as listener:
            server = web_server(lambda *_: None)
            serving = await up(server, listener)
            _, writer = await asyncio.open_connection(*listener.getsockname())
            while not server.server_state.connections:
                await asyncio.sleep(0)
            (connection,) = server.server_state.connections
            line = connection.transport.get_extra_info("socket")
            found = int(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()
            server.should_exit = True
            await serving
            return found

    assert asyncio.run(asked()) != 0
