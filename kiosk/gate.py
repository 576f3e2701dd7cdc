"""The doorkeeper in front of every page: only this device's browser, only GET, and a strict policy for what it loads.

DNS rebinding lets a foreign page reach a loopback server under its own name; so the Host, and the Origin where there
is one, must be ours (reference/kiosk.md 3.5).
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
)
REFUSED = "此屏只供本机浏览器访问。"


def local_hosts(host: str, port: int) -> frozenset[str]:
    """The values of Host that are ours."""
    return frozenset({f"{host}:{port}", f"localhost:{port}"})


def refusal(method: str, host: str | None, origin: str | None, hosts: frozenset[str]) -> int | None:
    """The HTTP status that refuses a request, or None for one of ours."""
    if method not in ("GET", "HEAD"):
        return 405
    if host not in hosts:
        return 421
    if origin is not None and origin not in {f"http://{name}" for name in hosts}:
        return 403
    return None


class Gate:
    """ASGI middleware that applies `refusal` and adds `HEADERS` to every response."""

    def __init__(self, app: Application, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        headers = scope["headers"]
        status = refusal(scope["method"], _header(headers, b"host"), _header(headers, b"origin"), self._hosts)
        if status is None:
            await self._app(scope, receive, send_guarded)
            return
        kind = [(b"content-type", b"text/plain; charset=utf-8")]
        await send_guarded({"type": "http.response.start", "status": status, "headers": kind})
        await send({"type": "http.response.body", "body": REFUSED.encode()})


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    values = [value.decode("latin-1") for key, value in headers if key == name]
    return values[0] if len(values) == 1 else ("" if values else None)
