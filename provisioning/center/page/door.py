"""Who may look at what on the centre's page (pure): one-time links, sessions, three roles, our own address only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SESSION_NS = 8 * 3600 * 1_000_000_000  # ours: a working day
LINK_S = 600  # ours: long enough to carry it to another desk
READING = ("GET", "HEAD")
FORMS = frozenset({"/enter", "/leave"})
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer a browser sends a form with Origin: null
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}


class Role(StrEnum):
    """What somebody may look at: each more than the one before."""

    OPERATOR = "operator"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"

    def may(self, needed: "Role") -> bool:
        """Whether this role includes `needed`."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class Visitor:
    """Who has been let in; `name` is a pseudonym."""

    name: str
    role: Role


@dataclass
class Sessions:
    """Visitors by the token of their cookie; times are monotonic nanoseconds."""

    _open: dict[str, tuple[Visitor, int]] = field(default_factory=dict)

    def admit(self, token: str, visitor: Visitor, now_ns: int) -> None:
        """Begin a session; those that are over are forgotten."""
        self._open = {key: it for key, it in self._open.items() if it[1] > now_ns}
        self._open[token] = visitor, now_ns + SESSION_NS

    def visitor(self, token: str, now_ns: int) -> Visitor | None:
        """Whose session it is, None for none that runs."""
        visitor, until = self._open.get(token, (None, 0))
        return visitor if until > now_ns else None

    def end(self, token: str) -> None:
        """End a session."""
        self._open.pop(token, None)


def own_hosts(host: str, port: int) -> frozenset[str]:
    """The values of Host that are ours."""
    return frozenset({f"{host}:{port}", f"localhost:{port}"})


def refusal(method: str, path: str, host: str | None, origin: str | None, hosts: frozenset[str]) -> int | None:
    """The HTTP status that refuses a request, None for one of ours: a page on the internet can reach a server on
    loopback under its own name (DNS rebinding) and post forms to it, so Host and a form's Origin must be ours."""
    if method not in READING and not (method == "POST" and path in FORMS):
        return 405
    if host not in hosts:
        return 421
    if origin not in {f"http://{name}" for name in hosts} and (origin is not None or method not in READING):
        return 403
    return None
