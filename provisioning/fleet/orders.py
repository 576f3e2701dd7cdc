"""What a technician orders, and the configuration files that follow from it (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.errors import OperatorFault, SenderFault
from agent.settings import KIOSK_LISTEN, PROTOCOLS
from agent.wire.identifiers import District, label
from provisioning.authority.certificates import LOOPBACK_NAMES
from provisioning.fleet.toml_text import toml_text

SM2_KEY_NAME, SM2_PUBLIC_NAME = "sm2.key", "sm2.pub"
ARCHIVE_NAME = "archive.pub"


@dataclass(frozen=True)
class BrokerAddress:
    """Where a broker is reached; `protocol` is the MQTT version, `3.1.1` only as a stated fallback; `name` what its
    certificate says, "" for `host` itself."""

    host: str
    port: int
    protocol: str = "5"
    name: str = ""

    def as_table(self) -> dict[str, str | int]:
        """The `[broker]` table of every configuration file. A loopback broker is checked by the name `localhost`."""
        return {
            "host": self.host,
            "port": self.port,
            "protocol": self.protocol,
            "server_name": self.name or (LOOPBACK_NAMES[0] if self.host in LOOPBACK_NAMES else self.host),
            "ca": "root.pem",
            "certificate": "tls.pem",
            "key": "tls.key",
            "keepalive_s": 30,
        }


@dataclass(frozen=True)
class KioskOrder:
    """What a kiosk host shows and where: `hall` is its name on the screen, `audience` its label in topics,
    `complaint_phone` the number that citizens are told to call."""

    hall: str
    audience: str
    complaint_phone: str
    listen: str = KIOSK_LISTEN


@dataclass(frozen=True)
class DeviceOrder:
    """A device folder to be made. `kiosk` is there for a KSK- device and only for one; `camera` is the key of the
    `[capture]` table, `mcu` that of `[hooks]`, `partner` one of `[duty]`; `gm` adds an SM2 key for SM3 sums.
    `own_sensors`: the battery and the heat of the computer it runs on are this device's; not so in a rehearsal.
    `archive` is the PEM public key that recordings and documents' texts are encrypted for; with `clear` the texts
    alone, and without a key recordings are in the clear and texts stay on the device. `renewal` is where
    the TLS certificate is renewed (https), `lines` are further serial devices of `[hooks]`, by key."""

    device: str
    unit: str
    broker: BrokerAddress
    camera: str = "auto"
    mcu: str = ""
    kiosk: KioskOrder | None = None
    partner: str = ""
    gm: bool = False
    own_sensors: bool = True
    archive: bytes | None = None
    clear: bool = False
    lines: Mapping[str, str] = field(default_factory=dict)
    renewal: str = ""


@dataclass(frozen=True)
class ReceiverOrder:
    """A receiver's folder to be made; `released` is the office's folder of released disclosures."""

    receiver: str
    broker: BrokerAddress
    released: str = "released"


def broker_address(text: str, protocol: str = "5") -> BrokerAddress:
    """`host:port` as an address; raises `OperatorFault` when it is not one."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise OperatorFault(f"消息服务器地址“{text[:80]}”不合格式，应形如 --broker broker.example:8883。")
    if protocol not in PROTOCOLS:
        raise OperatorFault(f"协议“{protocol[:20]}”不支持，请用 5 或 3.1.1。")
    return BrokerAddress(host, int(port), protocol)


def agent_toml(order: DeviceOrder, place: District) -> bytes:
    """`agent.toml` of a device folder."""
    document: dict[str, str | int | dict[str, str | int]] = {
        "district": place,
        "device": order.device,
        "unit": order.unit,
        "state_dir": "state",
        "identity": {
            "root": "root.pem",
            "trust_list": "trust.dsse",
            "evidence_key": "evidence.key",
            "evidence_chain": "evidence.pem",
        },
        "broker": order.broker.as_table(),
    }
    if order.renewal:
        document["identity"] = {**_table(document["identity"]), "renewal": order.renewal}
    evidence: dict[str, str | int] = {"profile": "gm", "sm2_key": SM2_KEY_NAME} if order.gm else {}
    if order.archive is not None:
        evidence |= {"papers_key" if order.clear else "archive_key": ARCHIVE_NAME}
    if evidence:
        document |= {"evidence": evidence}
    if order.kiosk is None:
        document |= {"capture": {"camera": order.camera}, "hooks": {"mcu": order.mcu, **order.lines}}
        duty: dict[str, str | int] = {"partner": order.partner} if order.partner else {}
        duty |= {} if order.own_sensors else {"sensors": "none"}
        document |= {"duty": duty} if duty else {}
    else:
        document |= {"disclosure": {"audience": _audience(order.kiosk)}}
    return toml_text(document)


def kiosk_toml(order: DeviceOrder, kiosk: KioskOrder, place: District) -> bytes:
    """`kiosk.toml` of a kiosk host's folder."""
    return toml_text(
        {
            "district": place,
            "device": order.device,
            "hall": kiosk.hall,
            "audience": _audience(kiosk),
            "listen": kiosk.listen,
            "disclosed": "state/disclosed",
            "root": "root.pem",
            "trust_list": "trust.dsse",
            "complaint_phone": kiosk.complaint_phone,
        }
    )


def center_toml(order: ReceiverOrder, place: District) -> bytes:
    """`center.toml` of a receiver's folder."""
    return toml_text(
        {
            "district": place,
            "receiver": order.receiver,
            "database": "sqlite:///center.db",
            "released": order.released,
            "identity": {
                "root": "root.pem",
                "trust_list": "trust.dsse",
                "key": "receiver.key",
                "chain": "receiver.pem",
            },
            "broker": order.broker.as_table(),
        }
    )


def _table(value: str | int | dict[str, str | int]) -> dict[str, str | int]:
    return value if isinstance(value, dict) else {}


def _audience(kiosk: KioskOrder) -> str:
    try:
        return label(kiosk.audience)
    except SenderFault as fault:
        raise OperatorFault(f"{fault}请改正 --audience。") from fault
