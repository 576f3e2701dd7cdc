"""Slow and silent clients at the server under our pages: they wait for nobody's turn but their own."""

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import h11
import pytest

from agent.web import server as web

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
SHARE = web.PER_ADDRESS


async def echo(_: Any, receive: Any, send: Any) -> None:
    """Answers with the length of what came, when it is whole."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    told = str(length).encode()
    head = [(b"content-length", str(len(told)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": told})


@pytest.fixture
def port() -> Iterator[int]:
    sock = web.listen("127.0.0.1", 0, "")
    served = web.web_server(echo)
    thread = threading.Thread(target=lambda: asyncio.run(served.serve([sock])), daemon=True)
    thread.start()
    yield sock.getsockname()[1]
    served.should_exit = True
    thread.join(20)


def dialled(port: int, source: str, said: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), 10, (source, 0))
    with contextlib.suppress(OSError):  # it made way already
        line.sendall(said)
    return line


def drip(line: socket.socket) -> None:
    for _ in range(99):
        line.sendall(b"x")
        time.sleep(0.1)


def answered(port: int, source: str) -> bytes:
    with dialled(port, source, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as line:
        found = b""
        with contextlib.suppress(OSError):
            while more := line.recv(1000):
                found += more
        return found


@pytest.mark.parametrize("said", [b"", b"POST / HT", HEAD, HEAD + b"x"])
def test_connections_of_two_addresses_that_never_end_their_request_shut_nobody_out(port: int, said: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(4 * SHARE):
            stack.enter_context(dialled(port, f"127.0.0.{2 + number % 2}", said))
        for source in ("127.0.0.1", "127.0.0.2"):
            assert answered(port, source).endswith(b"0"), source


def test_a_body_that_drips_is_not_waited_for_longer_than_its_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(web.PATIENCE, h11.SEND_BODY, 0.4)  # type: ignore[arg-type]
    with dialled(port, "127.0.0.1", HEAD) as line:
        line.settimeout(10)
        with pytest.raises(OSError, match=r"reset|pipe|aborted"):
            drip(line)


def test_a_body_in_two_pieces_and_a_second_request_are_answered(port: int) -> None:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(2):
        line.request("POST", "/", iter([b"x" * 40, b"y" * 60]), {"Content-Length": "100"})
        assert line.getresponse().read() == b"100"
    line.close()
