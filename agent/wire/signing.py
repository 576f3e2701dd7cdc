"""What a signing key looks like from the pure rooms, and ES256 as every signature of ours uses it.

ES256 is ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4). `Signer.sign` returns the 64-byte r || s form that COSE
uses; DSSE envelopes carry the DER form, so that `openssl dgst -sha256 -verify` checks them by hand.
"""

import hashlib
from collections.abc import Callable
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.errors import SenderFault
from agent.wire.identifiers import KeyId

RAW_SIGNATURE_BYTES = 64
MAX_CHAIN = 4  # ours; certificates with a signature: a district's authority makes leaf and issuing CA
_ES256 = ec.ECDSA(hashes.SHA256())  # RFC 7518 section 3.4
UNREADABLE = (ValueError, TypeError, KeyError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension,
              x509.UnsupportedGeneralNameType)  # fmt: skip
"""What `cryptography` raises for a damaged certificate, sooner or later; `InvalidVersion` is no `ValueError`."""


class Signer(Protocol):
    """A private P-256 key somewhere: a file, a token, a firmware. It signs twice per segment and once per recording
    (the sums), besides envelopes; every fragment in between is signed by a session key in RAM."""

    @property
    def key_id(self) -> KeyId:
        """Names the public half; see `key_id_of`."""

    def sign(self, data: bytes) -> bytes:
        """ES256 over `data`: 64 bytes r || s. Raises `EnvironmentFault` when the key cannot be used."""


class CertifiedSigner(Signer, Protocol):
    """A signer with the certificates that say whose it is."""

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER certificates, leaf first, without the root."""


class KeySigner:
    """A signer over a private key already in memory."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, chain: tuple[bytes, ...] = ()) -> None:
        self._key = key
        self.key_id = key_id_of(key.public_key())
        self.chain = chain

    def sign(self, data: bytes) -> bytes:
        """ES256 over `data`: 64 bytes r || s."""
        return raw_from_der(self._key.sign(data, _ES256))


def key_id_of(public_key: ec.EllipticCurvePublicKey) -> KeyId:
    """Lower-case hex SHA-256 of the DER SubjectPublicKeyInfo."""
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyId(hashlib.sha256(spki).hexdigest())


def load_certificate(der: bytes) -> x509.Certificate:
    """The certificate in `der`, whose names, dates and version can be read; raises `SenderFault`."""
    [found] = _loaded(x509.load_der_x509_certificate, der)
    if not der.endswith(b"\0" + found.signature):  # the count of unused bits before it, which nothing else looks at
        raise SenderFault("证书的签名编码不对，已拒绝。")
    return found


def load_pem_certificates(pem: bytes) -> list[x509.Certificate]:
    """The certificates in `pem`, at least one, in their order; raises `SenderFault`."""
    return _loaded(x509.load_pem_x509_certificates, pem)


def _loaded(load: Callable[[bytes], x509.Certificate | list[x509.Certificate]], data: bytes) -> list[x509.Certificate]:
    try:
        loaded = load(data)
        found = loaded if isinstance(loaded, list) else [loaded]
        for it in found:  # these are parsed when they are asked for, and may be damaged like everything else
            _ = (it.version, it.subject, it.issuer, it.serial_number, it.not_valid_before_utc, it.not_valid_after_utc)
    except UNREADABLE as error:
        raise SenderFault(f"证书无法读取（{str(error)[:80]}），已拒绝。") from error
    return found


def certificate_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The P-256 key of `certificate`; raises `SenderFault` for any other kind of key."""
    try:
        key = certificate.public_key()
    except UNREADABLE as error:
        raise SenderFault("证书中的公钥无法读取，已拒绝。") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SenderFault("证书使用的不是 P-256 密钥，已拒绝。")
    return key


def verify_raw(public_key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bytes:
    """Return `data` when `signature` (64 bytes r || s) is its ES256 signature; raises `SenderFault` otherwise."""
    if len(signature) != RAW_SIGNATURE_BYTES:
        raise SenderFault("签名长度不对，已拒绝。")
    return verify_der(public_key, der_from_raw(signature), data)


def verify_der(public_key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bytes:
    """Return `data` when `signature` (DER) is its ES256 signature; raises `SenderFault` otherwise."""
    try:
        public_key.verify(signature, data, _ES256)
    except (InvalidSignature, ValueError) as error:
        raise SenderFault("签名与内容不符，已拒绝。") from error
    return data


def der_from_raw(signature: bytes) -> bytes:
    """r || s to the DER ECDSA-Sig-Value of RFC 3279 section 2.2.3."""
    half = RAW_SIGNATURE_BYTES // 2
    return encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))


def raw_from_der(signature: bytes) -> bytes:
    """The DER ECDSA-Sig-Value to r || s."""
    half = RAW_SIGNATURE_BYTES // 2
    r, s = decode_dss_signature(signature)
    return r.to_bytes(half) + s.to_bytes(half)
