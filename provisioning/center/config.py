"""`center.toml`: read whole, checked whole, before anything starts. Paths are relative to the file's folder."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import OperatorFault, SenderFault
from agent.object_store import URL_PATTERN, URL_WORDS
from agent.settings import KEEPALIVES_S, PORTS, PROTOCOLS, Settings, read_toml
from agent.wire.identifiers import District, district, label
from provisioning.center.shard import WHOLE, Shard, parse_shard

WHERE = "center.toml"
RECEIPTS = "receipts"
DEFAULT_DATABASE = "sqlite:///center.db"


@dataclass(frozen=True)
class BrokerSettings:
    """How the receiver reaches the broker; `server_name` must stand in the broker's certificate."""

    host: str
    port: int
    protocol: str
    server_name: str
    ca: Path
    certificate: Path
    key: Path
    keepalive_s: int


@dataclass(frozen=True)
class OffloadSettings:
    """The store of objects to which recorders bring recordings; `ca` is None for one with a public certificate."""

    url: str
    credentials: Path
    ca: Path | None


@dataclass(frozen=True)
class CenterConfig:
    """A receiver's configuration; `database` is an SQLAlchemy URL, `released` the folder of released disclosures,
    `shard` the part of the devices that is this receiver's, `offload` where their recordings are fetched from."""

    folder: Path
    district: District
    receiver: str
    database: str
    released: Path
    root: Path
    trust_list: Path
    key: Path
    chain: Path
    broker: BrokerSettings
    shard: Shard = WHOLE
    offload: OffloadSettings | None = None

    @property
    def receipts(self) -> Path:
        """The folder of the list of receipts, which the receiver puts on the broker for every kiosk."""
        return self.folder / RECEIPTS


def read_config(path: Path) -> CenterConfig:
    """The configuration in `path`; raises `OperatorFault` naming file, key and what is allowed."""
    try:
        return parse_config(read_toml(path), path.absolute().parent)
    except SenderFault as fault:
        raise OperatorFault(f"{path}：{fault}") from fault


def parse_config(document: Mapping[str, Any], folder: Path) -> CenterConfig:
    """The configuration of a decoded document; raises `OperatorFault` or, for a malformed name, `SenderFault`."""
    names = ("district", "receiver", "database", "released", "shard", "identity", "broker", "offload")
    top = Settings(WHERE, document, names)
    identity = top.table("identity", ("root", "trust_list", "key", "chain"))
    return CenterConfig(
        folder,
        district(top.text("district")),
        label(top.text("receiver")),
        top.text("database", DEFAULT_DATABASE),
        top.path("released", folder, "released"),
        identity.path("root", folder),
        identity.path("trust_list", folder),
        identity.path("key", folder),
        identity.path("chain", folder),
        _broker(top, folder),
        parse_shard(top.text("shard", "1/1")),
        _offload(top, folder),
    )


def _offload(top: Settings, folder: Path) -> OffloadSettings | None:
    if not top.given("offload"):
        return None
    table = top.table("offload", ("url", "credentials", "ca"))
    url = table.matching("url", re.compile(URL_PATTERN), URL_WORDS)
    return OffloadSettings(
        url, table.path("credentials", folder), table.path("ca", folder) if table.given("ca") else None
    )


def _broker(top: Settings, folder: Path) -> BrokerSettings:
    names = ("host", "port", "protocol", "server_name", "ca", "certificate", "key", "keepalive_s")
    table = top.table("broker", names)
    host = table.host("host")
    return BrokerSettings(
        host,
        table.integer("port", PORTS, 8883),
        table.one_of("protocol", PROTOCOLS, PROTOCOLS[0]),
        table.host("server_name", host),
        table.path("ca", folder),
        table.path("certificate", folder),
        table.path("key", folder),
        table.integer("keepalive_s", KEEPALIVES_S, 30),
    )
