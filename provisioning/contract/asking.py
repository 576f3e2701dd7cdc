"""Asking a real centre every rule, as the device of a folder that the bench has made."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from agent.clock import system_clock
from agent.config import AgentConfig
from agent.config import read_config as read_device
from agent.errors import OperatorFault, SenderFault
from agent.key_files import read_signer
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import device_id, district
from agent.wire.signing import KeySigner, load_pem_certificates
from agent.wire.topics import RECEIPT, device_topic, receiver_state_topic
from provisioning.authority.authority import read_file
from provisioning.authority.keys import new_key
from provisioning.center.config import BrokerSettings
from provisioning.contract.rules import Outcome, run
from provisioning.contract.session import BrokerSession
from provisioning.contract.trial import Subject, Trial, state

SCHEME, PORT = "mqtts", 8883


def ask(folder: Path, broker: str, patience_s: float) -> Iterator[Outcome]:
    """Every rule's outcome, as it is found; raises `OperatorFault` for a folder or address of no use,
    `EnvironmentFault` when the broker cannot be reached."""
    config, clock = read_device(folder / "agent.toml"), system_clock()
    subject = _subject(config, folder)
    filters = (
        device_topic(subject.place, subject.device, RECEIPT),
        receiver_state_topic(subject.place, "+"),
    )
    farewell = state(subject, clock.read().wall, online=False)
    with BrokerSession(_settings(config, broker), subject.device, filters, farewell) as session:
        yield from run(Trial(subject, session, clock, patience_s))


def _subject(config: AgentConfig, folder: Path) -> Subject:
    try:
        root = load_pem_certificates(read_file(folder / "root.pem"))[0]
        trust = open_trust_list(read_file(folder / "trust.dsse"), root)
    except SenderFault as fault:
        raise OperatorFault(f"{fault}请检查 {folder} 中的 root.pem 与 trust.dsse。") from fault
    signer = read_signer(folder / "evidence.key", folder / "evidence.pem")
    return Subject(district(config.district), device_id(config.device), signer, KeySigner(new_key()), trust)


def _settings(config: AgentConfig, broker: str) -> BrokerSettings:
    given = config.broker
    host, port = _address(broker) if broker else (given.host, given.port)
    name = given.server_name if host == given.host else host
    return BrokerSettings(host, port, given.protocol, name, given.ca, given.certificate, given.key, given.keepalive_s)


def _address(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if parts.scheme != SCHEME or not host:
        raise OperatorFault(f"地址“{text[:80]}”不合格式，应形如 --broker mqtts://broker.example:8883。")
    return host, port
