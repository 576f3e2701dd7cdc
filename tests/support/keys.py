"""A tiny authority for tests: the certificates of the device folder, made in memory. Nothing here is for production."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from agent.wire.envelope import seal
from agent.wire.identifiers import District
from agent.wire.signing import KeySigner
from agent.wire.trust import TRUST_TYPE, Credential, Role, TrustList, trust_list

DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A key and its chain, leaf first."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]

    @property
    def signer(self) -> KeySigner:
        return KeySigner(self.key, tuple(certificate.public_bytes(Encoding.DER) for certificate in self.chain))

    @property
    def chain_pem(self) -> bytes:
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.chain)

    def credential(self, role: Role, revoked_at: datetime.datetime | None = None) -> Credential:
        leaf = self.chain[0]
        subject = str(leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        return Credential(subject, role, leaf.public_bytes(Encoding.PEM).decode(), revoked_at)

    def write(self, key: Path, chain: Path) -> None:
        key.touch(0o600)
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        chain.write_bytes(self.chain_pem)


class TestAuthority:
    """Root, issuing CA, leaves and trust lists of one invented district."""

    __test__ = False

    def __init__(self, district: str = "xinghe") -> None:
        self.district = District(district)
        self.root = _issue("Liuhen xinghe Evidence Root", None, 1, None)
        self.issuing = _issue("Liuhen xinghe Issuing CA", None, 0, self.root)

    @property
    def root_pem(self) -> bytes:
        return self.root.chain[0].public_bytes(Encoding.PEM)

    def evidence(self, subject: str, role: Role) -> Issued:
        usage = [DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION]
        return _issue(subject, usage, None, self.issuing, unit=role.value)

    def client(self, subject: str) -> Issued:
        return _issue(subject, [ExtendedKeyUsageOID.CLIENT_AUTH], None, self.issuing)

    def server(self, name: str = "localhost") -> Issued:
        return _issue(name, [ExtendedKeyUsageOID.SERVER_AUTH], None, self.issuing, server=name)

    def revocation_list(self) -> bytes:
        """Nobody is revoked; a broker that is told to read a list does not start without one."""
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateRevocationListBuilder().issuer_name(self.issuing.chain[0].subject)
        made = made.last_update(now - DAY).next_update(now + 30 * DAY)
        return made.sign(self.issuing.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def trust(self, *credentials: Credential, version: int = 1) -> TrustList:
        return trust_list(self.district, version, datetime.datetime.now(datetime.UTC), list(credentials))

    def seal_trust(self, trust: TrustList) -> bytes:
        return seal(TRUST_TYPE, trust.encode(), [self.root.signer])


def _issue(
    name: str,
    usages: list[ObjectIdentifier] | None,
    path_length: int | None,
    parent: Issued | None,
    unit: str = "test",
    server: str | None = None,
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    parent_key = key if parent is None else parent.key
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    authority = usages is None
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if parent is None else parent.chain[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + 365 * DAY)
        .add_extension(x509.BasicConstraints(authority, path_length), critical=True)
        .add_extension(_usage(authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(parent_key.public_key()), critical=False)
    )
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if server is not None:
        names = [x509.DNSName(server), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(parent_key, hashes.SHA256())
    above = () if parent is None or parent.chain[0].issuer == parent.chain[0].subject else parent.chain
    chain = (certificate, *above) if usages is not None else (certificate,)
    return Issued(key, chain)


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
