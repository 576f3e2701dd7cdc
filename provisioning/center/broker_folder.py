"""A folder that a broker runs from: its key, its certificates, its configuration."""

import os
import pwd
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from agent import durable
from agent.errors import OperatorFault
from provisioning.authority.authority import Authority, read_file
from provisioning.authority.certificates import LOOPBACK_NAMES
from provisioning.center.access import AccessRules, Pair, pair_text, parse_pair
from provisioning.center.broker_config import (
    ACCESS_FILE,
    CONFIG_FILE,
    PERSISTENCE,
    Listener,
    mosquitto_acl,
    mosquitto_conf,
)
from provisioning.fleet.identity_files import refuse_second_home, write_identity
from provisioning.fleet.toml_text import toml_text

BROKER = "broker"
EMBEDDED_FILE = "embedded.toml"
PAIRS_FILE = "pairs.txt"
ENGINES = ("mosquitto", "embedded")


@dataclass(frozen=True)
class BrokerOrder:
    """A broker to be configured; `engine` is one of `ENGINES`, `hosts` the names and addresses clients reach it by.
    `pairs` are recorders of two officers who go together, as `REC-0001:REC-0002`; those of earlier orders stay."""

    listener: Listener
    engine: str = "mosquitto"
    subject: str = "broker-1"
    hosts: tuple[str, ...] = LOOPBACK_NAMES
    pairs: tuple[str, ...] = ()


def write_broker_folder(authority: Authority, order: BrokerOrder, folder: Path, now: datetime) -> tuple[Path, bool]:
    """Write the broker's folder; returns the configuration file to start it with and whether anything changed.

    Running it again renews the access rules from the register: receivers added, subjects revoked.
    """
    if order.engine not in ENGINES:
        raise OperatorFault(f"不认识的消息服务器“{order.engine[:20]}”，--for 可用：{'、'.join(ENGINES)}。")
    refuse_second_home(authority, folder, order.subject, BROKER)
    durable.make_directory(folder, 0o700)
    durable.make_directory(folder / PERSISTENCE, 0o700)
    changed = write_identity(
        folder, BROKER, order.subject, lambda r: authority.certify_broker(r, order.subject, order.hosts, now)
    )
    register = authority.register()
    pairs = _pairs(folder / PAIRS_FILE, order)
    rules = AccessRules(register.district, register.receivers(), register.revoked_subjects(), pairs)
    files = {"root.pem": authority.root_pem} | _engine_files(order, rules, folder.absolute())
    files |= {PAIRS_FILE: "".join(f"{pair_text(pair)}\n" for pair in pairs).encode()} if pairs else {}
    stale = {name: text for name, text in files.items() if _current(folder / name) != text}
    for name, text in stale.items():
        durable.write_bytes(folder / name, text)
    entry = CONFIG_FILE if order.engine == "mosquitto" else EMBEDDED_FILE
    return folder / entry, changed or bool(stale)


def _pairs(path: Path, order: BrokerOrder) -> tuple[Pair, ...]:
    """The pairs that stand in the folder, with those of the order; a line taken out of the file ends a pair."""
    known = read_file(path).decode(errors="replace").split() if path.exists() else []
    return tuple(dict.fromkeys(parse_pair(text) for text in (*known, *order.pairs)))


def current_user() -> str:
    """The name of whoever runs this command, and so owns the folder it writes: a fitting `Listener.user`."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that no file names
        return str(os.getuid())


def _engine_files(order: BrokerOrder, rules: AccessRules, folder: Path) -> dict[str, bytes]:
    if order.engine == "mosquitto":
        conf = mosquitto_conf(order.listener, PurePosixPath(folder))
        return {CONFIG_FILE: conf.encode(), ACCESS_FILE: mosquitto_acl(rules).encode()}
    return {
        EMBEDDED_FILE: toml_text(
            {
                "bind": order.listener.bind,
                "port": order.listener.port,
                "district": rules.district,
                "receivers": " ".join(rules.receivers),
                "revoked": " ".join(rules.revoked),
                "pairs": " ".join(map(pair_text, rules.pairs)),
                "log": "broker.log",
            }
        )
    }


def _current(path: Path) -> bytes | None:
    return read_file(path) if path.exists() else None
