"""Who may look at what on the centre's page (pure): one-time links, sessions, three roles, our own address only."""

import re
from dataclasses import dataclass
from enum import StrEnum

from agent.web.gate import Doorway, policy
from agent.web.sessions import Sessions

SESSION_S = 8 * 3600  # ours: a working day
MAX_SESSIONS = 256  # ours
LINK_S = 600  # ours: long enough to carry it to another desk
POLICY = policy("style-src 'unsafe-inline'")
FORMS = re.compile(r"/(enter|leave)")
REFUSED = "此页面只供本机访问，请用命令行显示的网址打开。"


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


def sessions() -> Sessions[Visitor]:
    """Nobody has been let in yet."""
    return Sessions(SESSION_S, SESSION_S, MAX_SESSIONS)


def doorway(hosts: frozenset[str]) -> Doorway:
    """What may come in."""
    return Doorway(hosts, POLICY, REFUSED, FORMS)
