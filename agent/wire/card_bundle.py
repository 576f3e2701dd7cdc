"""What a technician's bench puts on a card for one device: who it is to become, where it reports, and a secret that
works once and on one computer only.

The bundle is sealed by the issuing CA (`authority_seal.py`). Beside it the card has `root.pem` and `issuing.pem`; the
bundle names the root by its fingerprint, and so does the sticker on the casing.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.authority_seal import fingerprint, open_by_authority
from agent.wire.canonical import Fields
from agent.wire.identifiers import DeviceId, DeviceKind, Digest, District, device_id, device_kind, digest, district
from agent.wire.trust import Role

CARD_TYPE = "application/vnd.liuhen.card+json"
TOKEN_BYTES = 32  # ours: 256 bits, nothing to guess
HARDWARE_PATTERN = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{3,63}")  # a Pi's is 16 hexadecimal digits
URL_PATTERN = re.compile(r"https://[0-9A-Za-z.\-\[\]:]{1,253}(/[0-9A-Za-z._~/-]{0,200})?")
MAX_TEXT = 200  # ours: a unit's full name
ROLES = {DeviceKind.RECORDER: Role.RECORDER, DeviceKind.KIOSK: Role.KIOSK}
_BINDING = b"liuhen enrolment token 1\0"


@dataclass(frozen=True)
class Site:
    """Where a device reports. `enrol` is the address of the enrolment server, empty where cards are enrolled by cable
    or USB stick only; its certificate is of the same root and carries the name `enrol_name`."""

    broker_host: str
    broker_port: int
    broker_name: str
    protocol: str = "5"
    enrol: str = ""
    enrol_name: str = ""


@dataclass(frozen=True)
class CardBundle:
    """One card. `hardware` is the serial number of the one computer that it is for; `clock_floor` a moment that is
    surely past; `root` the root certificate's fingerprint; `token` 32 secret bytes in hex, good until `expires_at`."""

    device: DeviceId
    role: Role
    hardware: str
    unit: str
    district: District
    district_name: str
    root: Digest
    site: Site
    clock_floor: datetime
    expires_at: datetime
    token: str

    def encode(self) -> bytes:
        """Canonical payload for the authority to seal."""
        return canonical.encode(
            {
                "clock_floor": canonical.timestamp(self.clock_floor),
                "device": self.device,
                "district": self.district,
                "district_name": self.district_name,
                "expires_at": canonical.timestamp(self.expires_at),
                "hardware": self.hardware,
                "role": self.role.value,
                "root": self.root,
                "site": _site_json(self.site),
                "token": self.token,
                "unit": self.unit,
            }
        )

    def bound_token(self) -> bytes:
        """What the authority keeps of the token, see `bound_token`."""
        return bound_token(self.token, self.device, self.hardware)


def bound_token(token: str, device: str, hardware: str) -> bytes:
    """The token as it works for `device` on `hardware` alone (HMAC-SHA256): requests are proven with this key, and the
    authority keeps nothing else. Without the token on the card it cannot be made for another computer."""
    return hmac.digest(bytes.fromhex(digest(token)), _BINDING + device.encode() + b"\0" + hardware.encode(), "sha256")


def token_name(bound: bytes) -> Digest:
    """What a token is called in registers and logs: says nothing about it."""
    return Digest(hashlib.sha256(b"liuhen token name 1\0" + bound).hexdigest())


def open_card(data: bytes, issuing: x509.Certificate, root: x509.Certificate, now: datetime) -> CardBundle:
    """The verified bundle of a card with these two certificates; raises `SenderFault` for a forged, damaged or foreign
    one, and for one that expired before `now` (code `expired`)."""
    card = parse_card(open_by_authority(data, CARD_TYPE, issuing, root, now))
    if card.root != fingerprint(root):
        raise SenderFault("卡上的根证书不是发卡时的那一张，已拒绝。请重新写卡。", "issuer")
    if now > card.expires_at:
        raise SenderFault(f"{card.device} 的卡已过期，已拒绝。请用 write-card 重新写卡。", "expired")
    return card


def for_hardware(card: CardBundle, hardware: str) -> CardBundle:
    """Return `card` when it is for the computer with the serial number `hardware`; raises `SenderFault` (code
    `hardware`) otherwise: a copied card is worth nothing in another device."""
    if hardware.lower() != card.hardware.lower():
        raise SenderFault(
            f"这张卡是给序列号 {card.hardware} 的设备的，本机是 {hardware[:64]}，已拒绝。请换上本机自己的卡。",
            "hardware",
        )
    return card


def parse_card(payload: bytes) -> CardBundle:
    """The bundle in an opened envelope's payload; raises `SenderFault` when malformed."""
    fields = Fields("写卡文件", canonical.decode(payload))
    device = device_id(fields.text("device"))
    if fields.text("role") != ROLES[device_kind(device)].value:
        raise SenderFault(f"写卡文件中 {device} 的角色不对，已拒绝。请重新写卡。")
    return CardBundle(
        device,
        ROLES[device_kind(device)],
        hardware_serial(fields.text("hardware")),
        short_text(fields, "unit"),
        district(fields.text("district")),
        short_text(fields, "district_name"),
        digest(fields.text("root")),
        _site(fields.object("site")),
        fields.moment("clock_floor"),
        fields.moment("expires_at"),
        digest(fields.text("token")),
    )


def hardware_serial(text: str) -> str:
    """Return `text` as a computer's serial number; raises `SenderFault` when it cannot be one."""
    if not HARDWARE_PATTERN.fullmatch(text):
        raise SenderFault(f"硬件序列号“{text[:80]}”不合规定格式，应形如 10000000abcdef01。", "hardware")
    return text


def short_text(fields: Fields, name: str, limit: int = MAX_TEXT) -> str:
    """A text of one printable line, at most `limit` characters; raises `SenderFault`."""
    text = fields.text(name)
    if len(text) > limit or not text.isprintable():
        raise SenderFault(f"字段 {name} 过长或含有控制字符，已拒绝。")
    return text


def _site_json(site: Site) -> dict[str, object]:
    return {
        "broker_host": site.broker_host,
        "broker_name": site.broker_name,
        "broker_port": site.broker_port,
        "enrol": site.enrol,
        "enrol_name": site.enrol_name,
        "protocol": site.protocol,
    }


def _site(value: object) -> Site:
    fields = Fields("站点", value)
    enrol = fields.text("enrol")
    if enrol and not URL_PATTERN.fullmatch(enrol):
        raise SenderFault("入网地址不是 https:// 开头的网址，已拒绝。请改正站点设置后重新写卡。")
    port = fields.integer("broker_port", 1)
    if port > 65_535:
        raise SenderFault("消息服务器端口不对，已拒绝。请改正站点设置后重新写卡。")
    names = (short_text(fields, name, 253) for name in ("broker_host", "broker_name", "protocol", "enrol_name"))
    host, name, protocol, enrol_name = names
    return Site(host, port, name, protocol, enrol, enrol_name)
