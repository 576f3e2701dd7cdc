"""`center.toml`: read whole, checked whole, before anything starts. Paths are relative to the file's folder."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from agent.errors import OperatorFault, SenderFault
from agent.wire.identifiers import District, district, label

KEEPALIVE_RANGE = (5, 120)  # 120 is the broker's max_keepalive (reference: mqtt, section 4)
PORT_RANGE = (1, 65535)
PROTOCOLS = ("5", "3.1.1")
DEFAULT_DATABASE = "sqlite:///center.db"

_T = TypeVar("_T")


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
class CenterConfig:
    """A receiver's configuration; `database` is an SQLAlchemy URL, `released` the folder of released disclosures."""

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


def read_config(path: Path) -> CenterConfig:
    """The configuration in `path`; raises `OperatorFault` naming file, key and what is allowed."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror or error}。请检查 --config。") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorFault(f"{path} 不是有效的 TOML：{error}。请改正后重试。") from error
    try:
        return parse_config(document, path.absolute().parent)
    except (OperatorFault, SenderFault) as fault:
        raise OperatorFault(f"{path}：{fault}") from fault


def parse_config(document: Mapping[str, Any], folder: Path) -> CenterConfig:
    """The configuration of a decoded document; raises `OperatorFault` or, for a malformed name, `SenderFault`."""
    top = _Table("", document, ("district", "receiver", "database", "released", "identity", "broker"))
    identity = _Table("identity", top.value("identity", dict), ("root", "trust_list", "key", "chain"))
    return CenterConfig(
        folder,
        district(top.value("district", str)),
        label(top.value("receiver", str)),
        top.value("database", str, DEFAULT_DATABASE),
        folder / top.value("released", str, "released"),
        folder / identity.value("root", str),
        folder / identity.value("trust_list", str),
        folder / identity.value("key", str),
        folder / identity.value("chain", str),
        _broker(top.value("broker", dict), folder),
    )


def _broker(values: Mapping[str, Any], folder: Path) -> BrokerSettings:
    names = ("host", "port", "protocol", "server_name", "ca", "certificate", "key", "keepalive_s")
    table = _Table("broker", values, names)
    host = table.value("host", str)
    return BrokerSettings(
        host,
        table.ranged("port", PORT_RANGE, 8883),
        table.one_of("protocol", PROTOCOLS),
        table.value("server_name", str, host),
        folder / table.value("ca", str),
        folder / table.value("certificate", str),
        folder / table.value("key", str),
        table.ranged("keepalive_s", KEEPALIVE_RANGE, 30),
    )


class _Table:
    """One table of the file; refuses keys nobody knows."""

    def __init__(self, name: str, values: Mapping[str, Any], known: tuple[str, ...]) -> None:
        self._prefix, self._values = f"{name}." if name else "", values
        for key in values:
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                hint = f"是否想写 {close[0]}？" if close else f"可用：{'、'.join(known)}。"
                raise OperatorFault(f"不认识的配置项 {self._prefix}{key}，{hint}")

    def value(self, key: str, kind: type[_T], default: _T | None = None) -> _T:
        """The value of `key`, which must be of `kind`."""
        value = self._values.get(key, default)
        if value is None:
            raise OperatorFault(f"缺少配置项 {self._prefix}{key}，请补上。")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise OperatorFault(f"配置项 {self._prefix}{key} = {value!r} 类型不对，应为 {kind.__name__}。")
        return value

    def ranged(self, key: str, bounds: tuple[int, int], default: int) -> int:
        """An integer within `bounds`."""
        value = self.value(key, int, default)
        if not bounds[0] <= value <= bounds[1]:
            raise OperatorFault(f"配置项 {self._prefix}{key} = {value} 超出范围 {bounds[0]} 至 {bounds[1]}。")
        return value

    def one_of(self, key: str, allowed: tuple[str, ...]) -> str:
        """One of the allowed texts; the first is the default."""
        value = self.value(key, str, allowed[0])
        if value not in allowed:
            raise OperatorFault(f"配置项 {self._prefix}{key} = {value!r} 不可用，可用：{'、'.join(allowed)}。")
        return value
