"""Who may see what on the centre's page (pure): roles, people with a certificate, sessions, our own address only.

The roles are parts, not ranks: an operator keeps the machines running and sees no case, a reviewer works on cases and
does not see who looks at what, an auditor sees everything and enters nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from agent.errors import SenderFault
from agent.evidence.certificates import common_name
from agent.web.gate import Doorway, policy
from agent.web.sessions import Sessions
from agent.wire.signing import load_certificate
from agent.wire.trust import TrustList

SESSION_S = 8 * 3600  # ours: a working day
MAX_SESSIONS = 256  # ours
LINK_S = 600  # ours: long enough to carry it to another desk
FORMS = re.compile(r"/(enter|leave|review/[0-9A-Za-z-]{1,64}/(draft|act))")
REFUSED = "此页面只供本中心访问，请用命令行显示的网址打开。"


class Role(StrEnum):
    """Whose part somebody has."""

    OPERATOR = "operator"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"


ROLE_WORDS: Mapping[Role, str] = {Role.OPERATOR: "值守", Role.REVIEWER: "审核", Role.AUDITOR: "审计"}


class Page(StrEnum):
    """What there is to see, and one thing to do: `ACT` enters an act into a review."""

    FLEET = "设备"
    RECORDINGS = "录像"
    REVIEW = "审核"
    REPORTS = "运用"
    LEDGER = "台账"
    LOOKS = "调阅记录"
    PROOF = "证明"
    ACT = "办理"


ALLOWED: Mapping[Page, frozenset[Role]] = {
    Page.FLEET: frozenset(Role),
    Page.LEDGER: frozenset(Role),
    Page.RECORDINGS: frozenset({Role.REVIEWER, Role.AUDITOR}),
    Page.REVIEW: frozenset({Role.REVIEWER, Role.AUDITOR}),
    Page.REPORTS: frozenset({Role.REVIEWER, Role.AUDITOR}),
    Page.LOOKS: frozenset({Role.AUDITOR}),
    Page.PROOF: frozenset({Role.AUDITOR}),
    Page.ACT: frozenset({Role.REVIEWER}),
}
"""The one table of who may see and do what."""


@dataclass(frozen=True)
class Visitor:
    """Who has been let in; `name` is a staff number or another pseudonym."""

    name: str
    role: Role

    def may(self, page: Page) -> bool:
        """Whether this role sees `page`."""
        return self.role in ALLOWED[page]

    @property
    def role_words(self) -> str:
        """The role for people."""
        return ROLE_WORDS[self.role]


def sessions() -> Sessions[Visitor]:
    """Nobody has been let in yet."""
    return Sessions(SESSION_S, SESSION_S, MAX_SESSIONS)


def doorway(hosts: frozenset[str], styles: Iterable[str] = (), *, tls: bool = False) -> Doorway:
    """What may come in; `styles` are the hashes of style sheets that stand inside a page."""
    allowed = " ".join(("style-src 'self'", *(f"'sha256-{style}'" for style in styles)))
    return Doorway(hosts, policy(allowed, "media-src 'self'"), REFUSED, FORMS, "https" if tls else "http")


def certified(der: bytes, people: Mapping[str, Role], trust: TrustList) -> Visitor | None:
    """Whom a certificate lets in, whose path TLS has verified against the district's root: somebody whom the centre's
    configuration names. None for anybody else, and for whom the trust list has only revoked keys of."""
    try:
        name = common_name(load_certificate(der))
    except SenderFault:
        return None
    own = [credential for credential in trust.credentials.values() if credential.subject == name]
    if name not in people or (own and all(credential.revoked_at is not None for credential in own)):
        return None
    return Visitor(name, people[name])
