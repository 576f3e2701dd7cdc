"""A folder that a broker runs from: its key, its certificates, its configuration."""

import hashlib
import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from cryptography import x509

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.evidence.certificates import common_name
from agent.wire.signing import load_pem_certificates
from agent.wire.topics import ROOT
from provisioning.authority import cert_book
from provisioning.authority.authority import Authority, read_file
from provisioning.authority.certificates import LOOPBACK_NAMES
from provisioning.authority.register import Register
from provisioning.authority.revocation_list import current_list, verify_list
from provisioning.authority.session import ISSUING
from provisioning.center import emqx_config
from provisioning.center.access import AccessRules, Pair, pair_text, parse_pair
from provisioning.center.broker_config import (
    ACCESS_FILE,
    BRIDGE_CA,
    BRIDGE_CERTIFICATE,
    BRIDGE_KEY,
    CONFIG_FILE,
    CRL_FILE,
    PERSISTENCE,
    Bridge,
    Listener,
    mosquitto_acl,
    mosquitto_conf,
)
from provisioning.center.shut_out import CANARY_GOOD, CANARY_REVOKED, IN_FORCE
from provisioning.fleet.identity_files import Spent, nearly_over_at, refuse_second_home, write_identity
from provisioning.fleet.toml_text import toml_text

BROKER = "broker"
EMBEDDED_FILE = "embedded.toml"
PAIRS_FILE, BRIDGE_FILE = "pairs.txt", "bridge.txt"
MOSQUITTO = {"mosquitto": "2.0", "mosquitto-2.0": "2.0", "mosquitto-2.1": "2.1"}
EMQX = "emqx-5"
ENGINES = (*MOSQUITTO, EMQX, "embedded")


@dataclass(frozen=True)
class BridgeOrder:
    """A bridge to be made: the platform's broker, its root, and the identity that it has given us (files)."""

    to: Bridge
    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True)
class BrokerOrder:
    """A broker to be configured; `engine` is one of `ENGINES`, `hosts` the names and addresses clients reach it by.
    `pairs` are recorders of two officers who go together, as `REC-0001:REC-0002`; those of earlier orders stay, and so
    does an earlier `bridge`."""

    listener: Listener
    engine: str = "mosquitto"
    subject: str = "broker-1"
    hosts: tuple[str, ...] = LOOPBACK_NAMES
    pairs: tuple[str, ...] = ()
    bridge: BridgeOrder | None = None


def write_broker_folder(authority: Authority, order: BrokerOrder, folder: Path, now: datetime) -> tuple[Path, bool]:
    """Write the broker's folder; returns the configuration file to start it with and whether anything changed.

    Running it again renews the access rules from the register: receivers added, subjects revoked.
    """
    if order.engine not in ENGINES:
        raise OperatorFault(f"不认识的消息服务器“{order.engine[:20]}”，--for 可用：{'、'.join(ENGINES)}。")
    if order.bridge is not None and order.engine not in MOSQUITTO:
        raise OperatorFault(f"--bridge 只用于 Mosquitto，不用于 {order.engine}。请在该服务器上另行配置桥接。")
    refuse_second_home(authority, folder, order.subject, BROKER)
    durable.make_directory(folder, 0o700)
    durable.make_directory(folder / PERSISTENCE, 0o700)
    changed = _identities(authority, folder, order.subject, order.hosts, now)
    if order.engine in MOSQUITTO:
        changed = _canaries(authority, folder, order.subject, now) or changed
    register = authority.register()
    pairs = _pairs(folder / PAIRS_FILE, order)
    rules = _rules(register, pairs)
    bridge = _bridge(folder, order.bridge)
    files = {"root.pem": authority.root_pem} | _engine_files(order, rules, folder.absolute(), bridge)
    if order.engine in MOSQUITTO:
        files |= _in_force(authority, folder, rules, now)
    files |= {PAIRS_FILE: "".join(f"{pair_text(pair)}\n" for pair in pairs).encode()} if pairs else {}
    stale = {name: text for name, text in files.items() if _current(folder / name) != text}
    for name, text in stale.items():
        durable.write_bytes(folder / name, text)
    entry = EMBEDDED_FILE if order.engine == "embedded" else CONFIG_FILE
    entry = emqx_config.CONFIG_FILE if order.engine == EMQX else entry
    return folder / entry, changed or bool(stale)


def force_files(authority: Authority, folder: Path, now: datetime) -> dict[str, bytes]:
    """The access rules and the revocation list that follow from the register now, for the Mosquitto in `folder`."""
    return _in_force(authority, folder, _rules(authority.register(), _known_pairs(folder)), now)


def renew_identities(authority: Authority, folder: Path, now: datetime) -> bool:
    """Give the Mosquitto in `folder` the next certificates where its own are nearly over or revoked: without canaries
    that are good no revocation can be put in force. Returns whether anything was written."""
    leaf = load_pem_certificates(read_file(folder / f"{BROKER}.pem"))[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    hosts = tuple(str(name.value) for name in names)
    subject = common_name(leaf)
    renewed = _identities(authority, folder, subject, hosts, now)
    return _canaries(authority, folder, subject, now) or renewed


def _known_pairs(folder: Path) -> tuple[Pair, ...]:
    known = read_file(folder / PAIRS_FILE).decode(errors="replace").split() if (folder / PAIRS_FILE).exists() else []
    return tuple(parse_pair(text) for text in known)


def behind(authority: Authority, folder: Path, now: datetime) -> str:
    """Why the Mosquitto in `folder` would not follow the register if it started now, in Chinese; empty if it would."""
    with authority.sit() as desk:
        serials = cert_book.revoked_serials(desk.records, now)
    issuing = load_pem_certificates(read_file(authority.folder / ISSUING))[0]
    try:
        verify_list(read_file(folder / CRL_FILE), issuing, now, serials, [])
        text, _ = _rules_text(folder, _rules(authority.register(), _known_pairs(folder)))
        current = read_file(folder / ACCESS_FILE).decode(errors="replace").startswith(text)
    except (OperatorFault, SenderFault) as fault:
        return str(fault)
    return (
        ""
        if current
        else f"{folder / ACCESS_FILE} 的规则落后于登记簿。请启动消息服务器，运行 revoke 或 broker-config。"
    )


def _in_force(authority: Authority, folder: Path, rules: AccessRules, now: datetime) -> dict[str, bytes]:
    """Access rules and revocation list, and in the rules one topic that the good canary may write to, named after both:
    once it may, the broker has read them. It may do nothing else."""
    crl = fresh_list(authority, now)
    text, canary = _rules_text(folder, rules)
    server = read_file(folder / f"{BROKER}.pem")  # what it shows to clients is read anew with the rules
    named = hashlib.sha256(text.encode() + crl + server).hexdigest()[:32]
    text += f"\nuser {canary}\ntopic deny {ROOT}/#\ntopic write {IN_FORCE}{named}\n"
    return {ACCESS_FILE: text.encode(), CRL_FILE: crl}


def _rules_text(folder: Path, rules: AccessRules) -> tuple[str, str]:
    """The rules as they are written, without those of the good canary, and its name."""
    leaf = load_pem_certificates(read_file(folder / f"{CANARY_GOOD}.pem"))[0]
    canary = common_name(leaf)
    return mosquitto_acl(replace(rules, revoked=tuple(name for name in rules.revoked if name != canary))), canary


def fresh_list(authority: Authority, now: datetime) -> bytes:
    """The revocation list (PEM) that is in force."""
    with authority.sit() as desk:
        return current_list(desk, now).pem


def _rules(register: Register, pairs: tuple[Pair, ...]) -> AccessRules:
    shut = tuple(sorted({*register.revoked_subjects(), *register.canaries()}))
    return AccessRules(register.district, register.receivers(), shut, pairs)


def _identities(authority: Authority, folder: Path, subject: str, hosts: Sequence[str], now: datetime) -> bool:
    return write_identity(
        folder, BROKER, subject, lambda r: authority.certify_broker(r, subject, hosts, now), _spent(authority, now)
    )


def _canaries(authority: Authority, folder: Path, broker: str, now: datetime) -> bool:
    """Two certificates for probes: one that must be let in, one that is revoked as soon as it is made."""
    good, revoked = f"{broker}-{CANARY_GOOD}", f"{broker}-{CANARY_REVOKED}"
    changed = write_identity(
        folder, CANARY_GOOD, good, lambda r: authority.certify_canary(r, good, now), _spent(authority, now)
    )
    again = write_identity(
        folder, CANARY_REVOKED, revoked, lambda r: authority.certify_canary(r, revoked, now), nearly_over_at(now)
    )
    authority.revoke(revoked, "canary", now)
    return changed or again


def _spent(authority: Authority, now: datetime) -> Spent:
    return lambda leaf: nearly_over_at(now)(leaf) or authority.is_revoked(leaf)


def parse_bridge(text: str) -> Bridge:
    """`host:port`; raises `OperatorFault`."""
    host, _, port = text.rpartition(":")
    if not host or not host.isprintable() or " " in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise OperatorFault(f"上级平台地址“{text[:60]}”应形如 host:8883。请改正 --bridge。")
    return Bridge(host, int(port))


def _bridge(folder: Path, order: BridgeOrder | None) -> Bridge | None:
    """The bridge that was ordered now, whose files are taken over, or the one that stands in the folder."""
    known = folder / BRIDGE_FILE
    if order is None:
        return parse_bridge(read_file(known).decode(errors="replace").strip()) if known.exists() else None
    for name, source in ((BRIDGE_CA, order.ca), (BRIDGE_CERTIFICATE, order.certificate), (BRIDGE_KEY, order.key)):
        durable.write_bytes(folder / name, read_file(source), durable.PRIVATE)
    durable.write_bytes(known, f"{order.to.host}:{order.to.port}\n".encode())
    return order.to


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


def _engine_files(
    order: BrokerOrder, rules: AccessRules, folder: Path, bridge: Bridge | None = None
) -> dict[str, bytes]:
    place = PurePosixPath(folder)
    if order.engine == EMQX:
        conf = emqx_config.emqx_conf(order.listener, place)
        return {emqx_config.CONFIG_FILE: conf.encode(), emqx_config.ACCESS_FILE: emqx_config.emqx_acl(rules).encode()}
    if order.engine in MOSQUITTO:
        conf = mosquitto_conf(order.listener, place, MOSQUITTO[order.engine], bridge, rules.base)
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
