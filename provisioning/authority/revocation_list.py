"""The certificate revocation list (RFC 5280, section 5) of the issuing CA: made, and judged before it is relied on.

A broker whose list is broken lets the revoked in, one whose list is over lets nobody in (both measured; reference:
provisioning, 0.3 and 0.4). So a list is renewed long before it is over, and `verify_list` reads it again from its
bytes, by the library that the broker uses (OpenSSL) as well, before it is put in place.
"""

import hashlib
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from agent.errors import SenderFault
from agent.wire.canonical import parse_timestamp, timestamp
from agent.wire.signing import certificate_key
from provisioning.authority.audit_chain import Act
from provisioning.authority.certificates import Profile
from provisioning.authority.records import Records
from provisioning.authority.session import Sitting

LIFETIME = timedelta(days=60)  # ours: a district's bench may stand idle over a long holiday
RENEW_BEFORE = timedelta(days=30)  # ours: half of it
SUPERSEDED_GRACE = timedelta(days=30)  # ours: three times the longest that a recorder lies in its drawer


@dataclass(frozen=True)
class RevocationList:
    """A list as it was signed; `number` never goes down."""

    pem: bytes
    number: int
    next_at: datetime
    entries: int


def current_list(desk: Sitting, now: datetime) -> RevocationList:
    """The list that follows from the register: the one there is, or a new one when it says something else or is over
    half of its life."""
    with desk.records.transaction():
        revoked = _revoked(desk.records, now)
        content = hashlib.sha256(repr(revoked).encode()).hexdigest()
        held = desk.records.rows("SELECT * FROM crl ORDER BY number DESC LIMIT 1")
        if held and held[0]["content"] == content and now < parse_timestamp(held[0]["next_at"]) - RENEW_BEFORE:
            row = held[0]
            return RevocationList(row["pem"].encode(), row["number"], parse_timestamp(row["next_at"]), row["entries"])
        number = held[0]["number"] + 1 if held else 1
        made = _signed(desk, revoked, number, now)
        told = {"number": number, "made_at": timestamp(now), "next_at": timestamp(made.next_at)}
        desk.records.insert("crl", told | {"entries": made.entries, "content": content, "pem": made.pem.decode()})
        desk.records.audit(Act(now, desk.by, "crl-signed", "crl", {"number": number, "entries": made.entries}))
        return made


def verify_list(
    pem: bytes, issuing: x509.Certificate, now: datetime, listed: Sequence[int], free: Sequence[int]
) -> int:
    """The number of a list that a broker may be given: readable, complete, signed by `issuing`, in force at `now`, with
    every serial of `listed` and none of `free`, without a scope that would exempt anybody.

    Raises `SenderFault` (code `crl`) otherwise.
    """
    try:
        found = x509.load_pem_x509_crl(pem)
        signed = found.is_signature_valid(certificate_key(issuing)) and found.issuer == issuing.subject
        number = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise _unfit("无法读取") from error
    if not signed:
        raise _unfit("不是本区签发机构签署的")
    if any(isinstance(extension.value, x509.IssuingDistributionPoint) for extension in found.extensions):
        raise _unfit("带有限定范围，消息服务器会拒绝所有设备")
    until = found.next_update_utc
    if until is None or not found.last_update_utc <= now < until:
        raise _unfit("不在有效期内，消息服务器会拒绝所有设备")
    serials = {entry.serial_number for entry in found}
    if not serials.issuperset(listed):
        raise _unfit("没有列出应吊销的证书")
    if not serials.isdisjoint(free):
        raise _unfit("误列了有效的证书")
    _read_by_openssl(pem)
    return number


def _revoked(records: Records, now: datetime) -> list[tuple[str, str]]:
    """Serial number and moment of each certificate to be listed; those that are over by themselves are left out."""
    sql = (
        "SELECT serial, revoked_at, superseded_at FROM cert"
        " WHERE not_after > ? AND (revoked_at IS NOT NULL OR (superseded_at < ? AND profile = ?))"
    )
    rows = records.rows(sql, timestamp(now), timestamp(now - SUPERSEDED_GRACE), Profile.TLS_CLIENT.label)
    return sorted((row["serial"], row["revoked_at"] or row["superseded_at"]) for row in rows)


def _signed(desk: Sitting, revoked: list[tuple[str, str]], number: int, now: datetime) -> RevocationList:
    issuer, until = desk.issuer, now + LIFETIME
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    # A broker whose clock is behind would refuse everybody until the list begins.
    builder = builder.last_update(now - timedelta(hours=1)).next_update(until)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
    )
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for serial, moment in revoked:
        entry: Any = x509.RevokedCertificateBuilder().serial_number(int(serial, 16))
        builder = builder.add_revoked_certificate(entry.revocation_date(parse_timestamp(moment)).build())
    signed = builder.sign(issuer.key, hashes.SHA256())
    return RevocationList(signed.public_bytes(Encoding.PEM), number, until, len(revoked))


def _read_by_openssl(pem: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(pem)
        file.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(file.name)
        except ssl.SSLError as error:
            raise _unfit("OpenSSL 无法读取") from error


def _unfit(why: str) -> SenderFault:
    return SenderFault(f"吊销列表不能使用：{why}。消息服务器的文件未改动；请重新运行 revoke 或 broker-config。", "crl")
