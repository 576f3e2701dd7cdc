"""`[offload]` of `agent.toml`: where recordings go, when, and how fast."""

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from agent.config_fields import matching, within
from agent.control.offload_policy import OffloadPolicy, When
from agent.errors import OperatorFault
from agent.object_store import URL_PATTERN, URL_WORDS


@dataclass(frozen=True)
class OffloadConfig:
    """`[offload]`, for recorders: `url` of a bucket in an S3-compatible store, the file of `credentials`
    (`agent.object_store`), `ca` (PEM) where the store has a certificate of one's own. Sealed recordings go `when` the
    device is in its dock, on wireless, always, or never; with `live` the running one goes out while it grows.
    `limit_kbps` of the line at most, 0 for all of it."""

    url: str = field(metadata={"pattern": re.compile(URL_PATTERN), "words": URL_WORDS, "address": True})
    credentials: Path = field(metadata={"secret": True})
    ca: Path | None = None
    when: str = matching("|".join(When), "、".join(When), When.DOCK.value)
    live: bool = False
    limit_kbps: int = within(0, 10_000_000, 0)

    @property
    def policy(self) -> OffloadPolicy:
        """What it allows."""
        return OffloadPolicy(When(self.when), self.live, self.limit_kbps)


def check_offload(config: OffloadConfig | None) -> None:
    """Refuse a store that is spoken to in the clear over a network; raises `OperatorFault`."""
    if config is None or urlsplit(config.url).scheme == "https":
        return
    host = urlsplit(config.url).hostname or ""
    try:
        near = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        near = False
    if not near:
        raise OperatorFault("agent.toml：offload.url 在网络上须用 https://。请改正，自建存储用 ca 指明其证书。")
