"""`kiosk.toml`: what one screen shows and where it finds it. Paths are relative to the file's folder."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from agent.errors import OperatorFault, SenderFault
from agent.settings import KIOSK_LISTEN, Settings, read_toml
from agent.wire.identifiers import DeviceId, District, device_id, district, label
from kiosk.hours import Hours, parse_hours

WHERE = "kiosk.toml"
_T = TypeVar("_T")
KEYS = (
    "district", "device", "hall", "audience", "listen", "disclosed", "receipts", "state", "root", "trust_list",
    "complaint_phone", "window", "hours", "closed_days", "outgoing", "heard", "content", "complaint_key",
    "evidence_key", "evidence_chain",
)  # fmt: skip


@dataclass(frozen=True)
class KioskConfig:
    """`hall` is the hall's name as shown; `audience` its label in topics; port 0 asks for any free port; `receipts` is
    the folder of the receipts' list; `state` the screen's own, which nobody else writes to; `window` pins the board to
    one window; `outgoing` takes what the agent sends, `heard` says when it last heard the centre; `content` holds
    verified files by hash. Without `complaint_key` no complaints are taken, without `evidence_key` there is no log."""

    district: District
    device: DeviceId
    hall: str
    audience: str
    host: str
    port: int
    disclosed: Path
    receipts: Path
    state: Path
    root: Path
    trust_list: Path
    complaint_phone: str
    window: str
    hours: Hours
    outgoing: Path
    heard: Path
    content: Path
    complaint_key: Path
    evidence_key: Path
    evidence_chain: Path


def read_config(path: Path) -> KioskConfig:
    """The configuration in `path`; raises `OperatorFault` naming key and value."""
    return parse_config(read_toml(path), path.resolve().parent)


def parse_config(table: Mapping[str, Any], folder: Path) -> KioskConfig:
    """The configuration in a TOML table whose paths are relative to `folder`; raises as `read_config`."""
    settings = Settings(WHERE, table, KEYS)
    host, port = _listen(settings.text("listen", KIOSK_LISTEN))
    return KioskConfig(
        _named(settings, "district", district),
        _named(settings, "device", device_id),
        settings.text("hall"),
        _named(settings, "audience", label),
        host,
        port,
        settings.path("disclosed", folder, "state/disclosed"),
        settings.path("receipts", folder, "state/receipts"),
        settings.path("state", folder, "kiosk-state"),
        settings.path("root", folder, "root.pem"),
        settings.path("trust_list", folder, "trust.dsse"),
        settings.text("complaint_phone"),
        settings.text("window", ""),
        parse_hours(settings.text("hours", ""), settings.text("closed_days", "")),
        settings.path("outgoing", folder, "state/outgoing"),
        settings.path("heard", folder, "state/heard.json"),
        settings.path("content", folder, "state/content"),
        settings.path("complaint_key", folder, "complaint.pub"),
        settings.path("evidence_key", folder, "evidence.key"),
        settings.path("evidence_chain", folder, "evidence.pem"),
    )


def _named(settings: Settings, key: str, read: Callable[[str], _T]) -> _T:
    """The id under `key`; here a malformed one is the fault of who wrote the file."""
    try:
        return read(settings.text(key))
    except SenderFault as fault:
        raise OperatorFault(f"{WHERE} 的 {key}：{fault}请改正。") from fault


def _listen(value: str) -> tuple[str, int]:
    """Only a loopback address: the screen's browser runs on this device, nobody else may ask."""
    host, _, port = value.rpartition(":")
    try:
        loopback = ipaddress.ip_address(host).is_loopback and ":" not in host
    except ValueError:
        loopback = False
    if not loopback or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise OperatorFault(
            f"{WHERE}中的 listen 是 {value}，应为本机回环地址与端口，如 {KIOSK_LISTEN} 或 127.0.0.1:0。"
        )
    return host, int(port)
