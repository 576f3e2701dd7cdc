"""`center.toml`: read whole, checked whole, before anything starts. Paths are relative to the file's folder."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.errors import OperatorFault, SenderFault
from agent.object_store import URL_PATTERN, URL_WORDS
from agent.settings import KEEPALIVES_S, PORTS, PROTOCOLS, Settings, read_toml
from agent.wire.identifiers import District, district, label
from provisioning.center.shard import WHOLE, Shard, parse_shard

WHERE = "center.toml"
RECEIPTS = "receipts"
LOOPBACK, PAGE_PORT = "127.0.0.1", 8490
PEOPLE = {"operator": "operators", "reviewer": "reviewers", "auditor": "auditors"}
"""The lists of `[page]`, by the role whose people they name."""
DEFAULT_DATABASE = "sqlite:///center.db"


@dataclass(frozen=True)
class BrokerSettings:
    """How the receiver reaches the broker; `server_name` must stand in the broker's certificate. `revocation_list` is
    the broker's own file, where this computer can read it: looked at, never used."""

    host: str
    port: int
    protocol: str
    server_name: str
    ca: Path
    certificate: Path
    key: Path
    keepalive_s: int
    revocation_list: Path | None = None


@dataclass(frozen=True)
class OffloadSettings:
    """The store of objects to which recorders bring recordings; `ca` is None for one with a public certificate."""

    url: str
    credentials: Path
    ca: Path | None


@dataclass(frozen=True)
class PageSettings:
    """`[page]`: where the centre's page is served. With `certificate` and `key` it is served over TLS, and `people`,
    staff numbers by role, come in with their certificates; `names` are further names the page is reached by."""

    host: str = LOOPBACK
    port: int = PAGE_PORT
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class CenterConfig:
    """A receiver's configuration; `database` is an SQLAlchemy URL, `released` the folder of released disclosures,
    `shard` the part of the devices that is this receiver's, `offload` where their recordings are fetched from,
    `tsa_root` the roots of the time-stamping authorities whose word counts."""

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
    page: PageSettings = PageSettings()
    tsa_root: Path | None = None

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
    names = ("district", "receiver", "database", "released", "shard", "identity", "broker", "offload", "page")
    top = Settings(WHERE, document, names)
    identity = top.table("identity", ("root", "trust_list", "key", "chain", "tsa_root"))
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
        _page(top, folder),
        identity.path("tsa_root", folder) if identity.given("tsa_root") else None,
    )


def _page(top: Settings, folder: Path) -> PageSettings:
    if not top.given("page"):
        return PageSettings()
    table = top.table("page", ("listen", "names", "certificate", "key", *PEOPLE.values()))
    files = [table.path(name, folder) if table.given(name) else None for name in ("certificate", "key")]
    if (files[0] is None) is not (files[1] is None):
        raise OperatorFault(f"{WHERE}：page.certificate 与 page.key 须同时写明。请补填。")
    host, port = _listen(table.text("listen", f"{LOOPBACK}:{PAGE_PORT}"), tls=files[0] is not None)
    people = {role: table.texts(key) for role, key in PEOPLE.items()}
    if any(people.values()) and files[0] is None:
        raise OperatorFault(f"{WHERE}：[page] 列了人员而没有 certificate，证书无从核验。请写明 certificate 与 key。")
    return PageSettings(host, port, table.texts("names"), files[0], files[1], people)


def _listen(text: str, *, tls: bool) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.IPv4Address(host)
        fits = address.is_loopback or (tls and not address.is_unspecified and not address.is_multicast)
    except ValueError:
        fits = False
    if not fits or not (port.isascii() and port.isdigit() and int(port) <= PORTS[1]):
        wanted = "一个 IPv4 地址与端口" if tls else "本机回环地址与端口（有 certificate 时可用其他地址）"
        raise OperatorFault(f"{WHERE}：page.listen 是 {text[:40]}，应为{wanted}，如 {LOOPBACK}:{PAGE_PORT}。")
    return host, int(port)


def _offload(top: Settings, folder: Path) -> OffloadSettings | None:
    if not top.given("offload"):
        return None
    table = top.table("offload", ("url", "credentials", "ca"))
    url = table.matching("url", re.compile(URL_PATTERN), URL_WORDS)
    return OffloadSettings(
        url, table.path("credentials", folder), table.path("ca", folder) if table.given("ca") else None
    )


def _broker(top: Settings, folder: Path) -> BrokerSettings:
    names = ("host", "port", "protocol", "server_name", "ca", "certificate", "key", "keepalive_s", "revocation_list")
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
        table.path("revocation_list", folder) if table.given("revocation_list") else None,
    )
