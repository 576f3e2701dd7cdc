"""The doorkeeper before every address of the officer's page: our own address only, three methods, a strict policy for
what a page loads. Pure.

A page on the internet can reach a server on loopback or on the USB network under its own name (DNS rebinding) and can
post forms to it; so Host, and Origin where there is one, must be ours, and a form must have one.
"""

import re
from collections.abc import Mapping

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; media-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer a browser sends a form with Origin: null
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}
READING = ("GET", "HEAD")
FORMS = re.compile(r"/(login|logout|receipt|confirm|print/[a-z-]+-[0-9]+)")


def own_hosts(host: str, port: int) -> frozenset[str]:
    """The values of Host that are ours."""
    return frozenset({f"{host}:{port}", f"localhost:{port}"})


def refusal(method: str, path: str, host: str | None, origin: str | None, hosts: frozenset[str]) -> int | None:
    """The HTTP status that refuses a request, None for one of ours. `host` and `origin` are empty when they stand in a
    request more than once, None when they do not."""
    if method not in READING and not (method == "POST" and FORMS.fullmatch(path)):
        return 405
    if host not in hosts:
        return 421
    ours = {f"http://{name}" for name in hosts}
    if origin not in ours and (origin is not None or method not in READING):
        return 403
    return None
