"""The doorkeeper before every address of our three pages (officer's, centre's, kiosk's): our own address only, forms
only where they are expected, and a strict policy for what a page loads. Pure.

A page on the internet can reach a server on loopback or on the USB network under its own name (DNS rebinding) and can
post forms to it; so Host, and Origin where there is one, must be ours, and a form must have one
(reference/kiosk.md 3.5).
"""

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

READING = ("GET", "HEAD")
NO_FORMS = re.compile(r"(?!)")
STANDING = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),  # with no-referrer a browser sends a form with Origin: null
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
)


def policy(*sources: str) -> str:
    """A content security policy that allows `sources`, such as `style-src 'self'`, and nothing else."""
    return "; ".join(("default-src 'none'", *sources, STANDING))


def own_hosts(host: str, port: int) -> frozenset[str]:
    """The values of Host that are ours."""
    return frozenset({f"{host}:{port}", f"localhost:{port}"})


@dataclass(frozen=True)
class Doorway:
    """What may come in: `hosts` are ours, `forms` matches the addresses that take a POST, `policy` is what a page may
    load, `refused` is said to everybody else."""

    hosts: frozenset[str]
    policy: str
    refused: str
    forms: re.Pattern[str] = NO_FORMS
    scheme: str = "http"

    def refusal(self, method: str, path: str, host: str | None, origin: str | None) -> int | None:
        """The HTTP status that refuses a request, None for one of ours. `host` and `origin` are empty when they stand
        in a request more than once, None when they do not."""
        if method not in READING and not (method == "POST" and self.forms.fullmatch(path)):
            return 405
        if host not in self.hosts:
            return 421
        ours = {f"{self.scheme}://{name}" for name in self.hosts}
        if origin not in ours and (origin is not None or method not in READING):
            return 403
        return None


class Gate:
    """ASGI middleware that applies a `Doorway` and puts the policy and `HEADERS` on every response."""

    def __init__(self, app: Application, doorway: Doorway) -> None:
        self._app, self._doorway = app, doorway
        self._headers = ((b"content-security-policy", doorway.policy.encode()), *HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with(message.get("headers", ()), self._headers)
            await send(message)

        given = scope["headers"]
        status = self._doorway.refusal(scope["method"], scope["path"], _one(given, b"host"), _one(given, b"origin"))
        if status is None:
            await self._app(scope, receive, guarded)
            return
        kind = [(b"content-type", b"text/plain; charset=utf-8")]
        await guarded({"type": "http.response.start", "status": status, "headers": kind})
        await send({"type": "http.response.body", "body": self._doorway.refused.encode()})


def _with(headers: Iterable[Header], ours: tuple[Header, ...]) -> list[Header]:
    names = {name for name, _ in ours}
    return [*(it for it in headers if it[0].lower() not in names), *ours]


def _one(headers: Iterable[Header], name: bytes) -> str | None:
    values = [value.decode("latin-1") for key, value in headers if key == name]
    return values[0] if len(values) == 1 else ("" if values else None)
