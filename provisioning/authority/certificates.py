"""The district's certificates (RFC 5280), all P-256: root -> issuing CA -> leaves.

The root signs the issuing CA and the trust list, nothing else. A leaf's extensions come from its profile alone; what a
request asks for beyond its key and its common name is ignored. Every certificate begins `BACKDATING` before it is
made: a device whose clock lost power is often a day behind, and TLS refuses a certificate that is not yet valid
(a five-minute margin was measured to fail; reference: provisioning, section 2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from agent.errors import OperatorFault, SenderFault
from agent.wire.signing import certificate_key, load_pem_certificates

BACKDATING = timedelta(hours=48)  # reference: provisioning, section 2 "Clock": >= 48 h
ROOT_LIFETIME = timedelta(days=20 * 365)  # ours: outlives the longest retention of a recording
ISSUING_LIFETIME = timedelta(days=15 * 365)  # ours
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
COUNTRY = "CN"
# What cryptography raises for a request that is none, or says it is of a version or algorithm that does not exist.
UNREADABLE = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.InvalidVersion)
LOOPBACK_NAMES = ("localhost", "127.0.0.1")


class Profile(Enum):
    """What a leaf is for: name in the register, extended key usages, lifetime in days."""

    # emailProtection: `openssl cms -verify` and the default C2PA configuration ask for it beside documentSigning
    EVIDENCE = ("evidence", (DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION), 5 * 365)
    SIGNER = ("signer", (DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION), 3 * 365)
    TLS_CLIENT = ("tls-client", (ExtendedKeyUsageOID.CLIENT_AUTH,), 365)
    TLS_SERVER = ("tls-server", (ExtendedKeyUsageOID.SERVER_AUTH,), 365)
    # RFC 3161 section 2.3: this usage alone, and critical
    TIME_STAMPING = ("time-stamping", (ExtendedKeyUsageOID.TIME_STAMPING,), 5 * 365)
    # Takes the session of a revoked device over, to end it; made, used and forgotten within seconds.
    SESSION_TAKER = ("session-taker", (ExtendedKeyUsageOID.CLIENT_AUTH,), 10 / (24 * 60))

    def __init__(self, label: str, usages: tuple[ObjectIdentifier, ...], days: float) -> None:
        self.label, self.usages, self.lifetime = label, usages, timedelta(days=days)


@dataclass(frozen=True)
class Issuer:
    """A CA: its key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True)
class Bearer:
    """Whom a leaf names: common name, role (OU) and the district's name (O)."""

    common_name: str
    role: str
    organization: str


def root_certificate(key: ec.EllipticCurvePrivateKey, district: str, organization: str, now: datetime) -> Issuer:
    """The self-signed root "Liuhen {district} Evidence Root", path length 1."""
    name = _name(organization, f"Liuhen {district} Evidence Root")
    return Issuer(key, _ca(name, key, name, key, now + ROOT_LIFETIME, now, path_length=1))


def issuing_certificate(
    key: ec.EllipticCurvePrivateKey, root: Issuer, district: str, organization: str, now: datetime
) -> Issuer:
    """The issuing CA under `root`, path length 0."""
    name = _name(organization, f"Liuhen {district} Issuing CA")
    until = min(now + ISSUING_LIFETIME, root.certificate.not_valid_after_utc)
    return Issuer(key, _ca(name, key, root.certificate.subject, root.key, until, now, path_length=0))


def checked_request(pem: bytes, common_name: str) -> ec.EllipticCurvePublicKey:
    """The key of a PKCS#10 request that proves its possession and names `common_name`; raises `SenderFault`."""
    try:
        request = x509.load_pem_x509_csr(pem)
        proven = request.is_signature_valid
        key, subject = request.public_key(), request.subject
    except UNREADABLE as error:
        raise SenderFault("证书请求无法读取，请在设备上重新生成。") from error
    if not proven or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SenderFault("证书请求不能证明持有 P-256 私钥，已拒绝。请在设备上重新生成。")
    if subject != x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]):
        raise SenderFault(f"证书请求中的名称不是 {common_name}，已拒绝。")
    return key


def leaf_certificate(
    key: ec.EllipticCurvePublicKey,
    bearer: Bearer,
    profile: Profile,
    issuer: Issuer,
    now: datetime,
    hosts: Sequence[str] = (),
) -> x509.Certificate:
    """A leaf for `bearer`; `hosts` are the DNS names and addresses of a TLS server, and only of one. Raises
    `OperatorFault` when the issuer is over."""
    refuse_when_over(issuer, now)
    if bool(hosts) != (profile is Profile.TLS_SERVER):
        raise OperatorFault("只有服务器证书写明主机名，且必须写明。请检查 --host 参数。")
    until = min(now + profile.lifetime, issuer.certificate.not_valid_after_utc)
    name = _name(bearer.organization, bearer.common_name, bearer.role)
    builder = _builder(name, key, issuer.certificate.subject, issuer.key.public_key(), until, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    critical = profile is Profile.TIME_STAMPING
    builder = builder.add_extension(x509.ExtendedKeyUsage(profile.usages), critical=critical)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def refuse_when_over(issuer: Issuer, now: datetime) -> None:
    """Raise `OperatorFault` when nothing that `issuer` signs at `now` would be accepted."""
    over = issuer.certificate.not_valid_after_utc
    if now >= over:
        raise OperatorFault(
            f"签发机构的证书已于 {over:%Y-%m-%d} 过期，未签发。请先核对本机时钟；确已过期，请用新目录建机构，重新制卡。"
        )


def nearly_over(leaf: x509.Certificate, now: datetime) -> bool:
    """Whether a third of its life is left, or less: time for the next one."""
    return leaf.not_valid_after_utc - now <= (leaf.not_valid_after_utc - leaf.not_valid_before_utc) / 3


def chain_pem(leaf: x509.Certificate, issuing: x509.Certificate) -> bytes:
    """Leaf and issuing CA, leaf first; the root travels alone as `root.pem`."""
    return leaf.public_bytes(Encoding.PEM) + issuing.public_bytes(Encoding.PEM)


def parse_issuer(key: ec.EllipticCurvePrivateKey, pem: bytes) -> Issuer:
    """A CA from its key and PEM certificate; raises `OperatorFault` when they do not belong together."""
    try:
        certificate = load_pem_certificates(pem)[0]
        matches = certificate_key(certificate) == key.public_key()
    except SenderFault as error:
        raise OperatorFault("机构证书无法读取，请从备份恢复机构目录。") from error
    if not matches:
        raise OperatorFault("机构证书与其私钥不是一对，请从备份恢复机构目录。")
    return Issuer(key, certificate)


def _ca(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    until: datetime,
    now: datetime,
    *,
    path_length: int,
) -> x509.Certificate:
    builder = _builder(name, key.public_key(), issuer, issuer_key.public_key(), until, now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def _builder(
    name: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePublicKey,
    until: datetime,
    now: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATING)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _name(organization: str, common_name: str, unit: str | None = None) -> x509.Name:
    attributes = [(NameOID.COUNTRY_NAME, COUNTRY), (NameOID.ORGANIZATION_NAME, organization)]
    if unit is not None:
        attributes.append((NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    attributes.append((NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in attributes])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
