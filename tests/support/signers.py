"""Fixed and fresh keys with certificates, for tests of rooms that take them as values."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agent.wire.envelope import seal
from agent.wire.identifiers import District
from agent.wire.signing import KeySigner
from agent.wire.trust import TRUST_TYPE, Credential, Role, TrustList, trust_list

NOW = datetime(2026, 11, 22, 10, 6, 14, 123000, tzinfo=UTC)


@dataclass(frozen=True)
class Holder:
    """A key and its self-signed certificate, as one entry of a trust list."""

    signer: KeySigner
    credential: Credential


def holder(subject: str, role: Role, secret: int | None = None, *, days: int = 365) -> Holder:
    """A key holder; the same `secret` gives the same key."""
    curve = ec.SECP256R1()
    key = ec.generate_private_key(curve) if secret is None else ec.derive_private_key(secret, curve)
    return Holder(KeySigner(key), Credential(subject, role, self_signed(key, subject, days)))


def self_signed(key: ec.EllipticCurvePrivateKey, subject: str, days: int = 365) -> str:
    """A PEM certificate valid from two days before NOW for `days`."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=2))
        .not_valid_after(NOW + timedelta(days=days - 2))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()


def trusting(*holders: Holder) -> TrustList:
    """A trust list of exactly these."""
    return trust_list(District("xinghe"), 1, NOW, [entry.credential for entry in holders])


def sealed_trust_list(trust: TrustList, root: KeySigner) -> bytes:
    """The list as it lies in a device's folder."""
    return seal(TRUST_TYPE, trust.encode(), [root])
