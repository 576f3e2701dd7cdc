"""Whose keys may sign what: the trust list, itself signed by the district's root key.

A device, a kiosk and the centre pin one root certificate and accept keys only from the list that root signed. The
list carries credentials (certificate and role); revoking one sets `revoked_at`, so what it signed before stays good
where the time of signing can be shown.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import District, KeyId, district, key_id
from agent.wire.signing import certificate_key, key_id_of, load_pem_certificates

TRUST_TYPE = "application/vnd.liuhen.trust+json"
P256_INFO = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""How the SubjectPublicKeyInfo of every uncompressed P-256 key begins (RFC 5480, section 2.1.1); the point follows."""
POINT_BYTES = 65
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
UNKNOWN_KEY = "unknown-key"  # the code of a refusal: nobody on the list has that key


class Role(StrEnum):
    """What a key is for; a key has exactly one role. Editor and reviewer answer for what is published; handler (承办),
    examiner (法制审核) and leader (负责人) for one decision, by acts (`agent.wire.acts`)."""

    RECORDER = "recorder"
    KIOSK = "kiosk"
    RECEIVER = "receiver"
    COMMANDER = "commander"
    EDITOR = "editor"
    REVIEWER = "reviewer"
    HANDLER = "handler"
    EXAMINER = "examiner"
    LEADER = "leader"


@dataclass(frozen=True)
class Credential:
    """A public key, whose it is and what it may sign. `subject` is a device id, a receiver or a staff number. `key` is
    what a list calls it: a list of thousands is read without opening every certificate, and `certificate` compares."""

    subject: str
    role: Role
    certificate_pem: str
    revoked_at: datetime | None = None
    key: KeyId | None = field(default=None, compare=False, repr=False)

    @cached_property
    def certificate(self) -> x509.Certificate:
        """The certificate; raises `SenderFault` when the text is not one, or one of another key than the list says."""
        try:
            found = load_pem_certificates(self.certificate_pem.encode())[0]
        except SenderFault as error:
            raise SenderFault(f"信任清单中 {self.subject} 的证书无法读取，已拒绝。") from error
        if self.key is not None and key_id_of(certificate_key(found)) != self.key:
            raise SenderFault(f"信任清单中 {self.subject} 的密钥标识与证书不符，已拒绝。")
        return found

    @cached_property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The P-256 key of the certificate."""
        return certificate_key(self.certificate)

    @cached_property
    def key_id(self) -> KeyId:
        """The name of the public key."""
        return self.key or key_id_of(self.public_key)

    def valid_at(self, now: datetime) -> "Credential":
        """Return self when the certificate is in date and not revoked at `now`; raises `SenderFault` otherwise."""
        certificate = self.certificate
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise SenderFault(f"{self.subject} 的证书不在有效期内，已拒绝其签名。请联系技术人员换证。")
        if self.revoked_at is not None and now >= self.revoked_at:
            raise SenderFault(f"{self.subject} 的证书已被吊销，已拒绝其签名。")
        return self

    def as_json(self) -> dict[str, object]:
        """The entry as it stands in the list."""
        return {
            "certificate": self.certificate_pem,
            "key": self.key_id,
            "revoked_at": None if self.revoked_at is None else canonical.timestamp(self.revoked_at),
            "role": self.role.value,
            "subject": self.subject,
        }


@dataclass(frozen=True)
class TrustList:
    """Version `version` of the keys a district trusts, by key id."""

    district: District
    version: int
    issued_at: datetime
    credentials: Mapping[KeyId, Credential]

    def credential(self, key: KeyId, now: datetime) -> Credential:
        """The credential named `key`, valid at `now`; raises `SenderFault` when unknown, expired or revoked."""
        return self.listed(key).valid_at(now)

    def listed(self, key: KeyId) -> Credential:
        """The credential named `key`, whatever its dates; raises `SenderFault` when unknown."""
        if key not in self.credentials:
            raise SenderFault(f"签名密钥 {key[:16]}… 不在信任清单第 {self.version} 版中，已拒绝。", UNKNOWN_KEY)
        return self.credentials[key]

    def encode(self) -> bytes:
        """Canonical payload to be sealed by the root key."""
        entries = sorted(self.credentials.values(), key=lambda entry: (entry.subject, entry.role, entry.key_id))
        return canonical.encode(
            {
                "credentials": [entry.as_json() for entry in entries],
                "district": self.district,
                "issued_at": canonical.timestamp(self.issued_at),
                "version": self.version,
            }
        )


def trust_list(place: District, version: int, issued_at: datetime, credentials: list[Credential]) -> TrustList:
    """A list from its entries; raises `SenderFault` when one key would have two roles."""
    by_key = {entry.key_id: entry for entry in credentials}
    if len(by_key) != len(credentials):
        raise SenderFault("信任清单中同一密钥出现两次，已拒绝。")
    return TrustList(place, version, issued_at, by_key)


def parse_trust_list(payload: bytes) -> TrustList:
    """The list in an opened envelope's payload; raises `SenderFault` when malformed."""
    fields = Fields("信任清单", canonical.decode(payload))
    return trust_list(
        district(fields.text("district")),
        fields.integer("version", 1),
        fields.moment("issued_at"),
        [_credential(entry) for entry in fields.array("credentials")],
    )


def _credential(entry: object) -> Credential:
    fields = Fields("信任清单条目", entry)
    try:
        role = Role(fields.text("role"))
    except ValueError as error:
        raise SenderFault(f"信任清单中的角色“{fields.text('role')[:40]}”未知，已拒绝。") from error
    pem, listed = fields.text("certificate"), key_id(fields.text("key"))
    known = listed if _carries(pem, listed) else None
    found = Credential(fields.text("subject"), role, pem, fields.optional_moment("revoked_at"), known)
    if found.key_id != listed:
        raise SenderFault(f"信任清单中 {found.subject} 的密钥标识与证书不符，已拒绝。")
    return found


def _carries(pem: str, key: KeyId) -> bool:
    """Whether the bytes of the one certificate in `pem` hold a P-256 key of this name. That it is the certificate's
    own, and the rest of it sound, shows when it is used; what is not found here is opened at once."""
    try:
        der = base64.b64decode("".join(pem.strip().removeprefix(_BEGIN).removesuffix(_END).split()), validate=True)
    except (ValueError, binascii.Error):
        return False
    at = der.find(P256_INFO)
    while at >= 0:
        if hashlib.sha256(der[at : at + len(P256_INFO) + POINT_BYTES]).hexdigest() == key:
            return True
        at = der.find(P256_INFO, at + 1)
    return False
