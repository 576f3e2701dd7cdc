"""One-time links as files: whoever may write into the centre's folder may invite, and a link opens once."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.wire.canonical import Fields, parse_timestamp, timestamp
from provisioning.authority.authority import read_file
from provisioning.center.page.door import LINK_S, Role, Visitor

FOLDER = "page-links"
MAX_NAME = 60


@dataclass(frozen=True)
class LinkFolder:
    """The links that nobody has used yet, in `folder`, by the hash of their secret."""

    folder: Path

    def invite(self, visitor: Visitor, now: datetime) -> str:
        """A fresh secret that lets `visitor` in once; raises `OperatorFault` for a name that is none."""
        if not visitor.name or len(visitor.name) > MAX_NAME or not visitor.name.isprintable():
            raise OperatorFault("请用 --name 写明受邀人的代号，如 示例-000003。")
        durable.make_directory(self.folder, 0o700)
        secret = secrets.token_urlsafe(32)
        until = timestamp(now + timedelta(seconds=LINK_S))
        facts = {"name": visitor.name, "role": visitor.role.value, "until": until}
        durable.write_bytes(self._place(secret), json.dumps(facts, ensure_ascii=False).encode(), durable.PRIVATE)
        return secret

    def redeem(self, secret: str, now: datetime) -> Visitor | None:
        """Whom the link lets in, and its end; None for one that is used, over or unknown."""
        place = self._place(secret)
        if not place.is_file():
            return None
        data = read_file(place)
        durable.remove(place)
        try:
            fields = Fields("邀请", json.loads(data))
            visitor, until = (
                Visitor(fields.text("name"), Role(fields.text("role"))),
                parse_timestamp(fields.any("until")),
            )
        except (ValueError, SenderFault):
            return None
        return visitor if now <= until else None

    def _place(self, secret: str) -> Path:
        return self.folder / f"{hashlib.sha256(secret.encode()).hexdigest()}.json"
