"""Detached CMS signatures (RFC 5652) over a small file, for `openssl cms -verify -binary`; ES256 only.

Built by hand. `PKCS7SignatureBuilder` of cryptography 50 does sign through an `ec.EllipticCurvePrivateKey` that hands
the work to a `Signer` (tried, and `openssl cms -verify` accepts the result), but it was not taken: it writes a signing
time from the clock of the machine, which a device may have unset and which no caller can give it; without signed
attributes it writes none, but then the signature stands over the bare file, and nothing binds it to being a CMS. It
reads nothing either: there is no function that verifies, so the reader below would remain, and it needs the leaf first,
where the library sorts. The reader accepts the one shape that is written here.
"""

import hashlib
from collections.abc import Sequence

from cryptography import x509

from agent.errors import SenderFault
from agent.evidence.der import CONTEXT_0, INTEGER, OCTETS, SEQUENCE, SET, children, element, only
from agent.wire.signing import CertifiedSigner, certificate_key, der_from_raw, load_certificate, verify_der

MAX_BYTES = 16 * 1024  # ours; two certificates and a signature are 1.5 KiB
SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")  # 1.2.840.113549.1.7.2
_DATA = bytes.fromhex("06092a864886f70d010701")  # 1.2.840.113549.1.7.1
_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")  # 1.2.840.113549.1.9.3
MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")  # 1.2.840.113549.1.9.4
_SHA256 = bytes.fromhex("300b0609608648016503040201")  # RFC 5754 section 2.2: parameters absent
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")  # RFC 5758 section 3.2
_VERSION_1 = bytes.fromhex("020101")


def sign_detached(content: bytes, signer: CertifiedSigner) -> bytes:
    """The DER of a CMS SignedData over `content`, with the signer's chain and without a signing time."""
    attributes = _attributes(content)
    signature = der_from_raw(signer.sign(element(SET, attributes)))
    return _signed_data(signer.chain, attributes, signature)


def open_detached(data: bytes, content: bytes) -> tuple[bytes, ...]:
    """The DER certificates, leaf first, whose leaf signed `content`; raises `SenderFault` otherwise. Whether the
    leaf is to be trusted is for `agent.evidence.certificates`."""
    if len(data) > MAX_BYTES:
        raise SenderFault("签名文件过大，已拒绝。")
    try:
        chain, signature = _parts(data)
        key = certificate_key(load_certificate(chain[0]))
        written = _signed_data(chain, _attributes(content), signature)
    except (ValueError, IndexError, OverflowError) as error:
        raise SenderFault("签名文件无法读取，已拒绝。") from error
    if data != written:
        raise SenderFault("签名文件被改动，或与 SHA256SUMS 的内容不符，已拒绝。")
    verify_der(key, signature, element(SET, _attributes(content)))
    return chain


def _signed_data(chain: Sequence[bytes], attributes: bytes, signature: bytes) -> bytes:
    """The one form that is written, and so the one that is read: nothing in it can differ unseen."""
    signer_info = element(
        SEQUENCE,
        _VERSION_1,
        signer_identifier(load_certificate(chain[0])),
        _SHA256,
        element(CONTEXT_0, attributes),
        _ECDSA_SHA256,
        element(OCTETS, signature),
    )
    signed = element(
        SEQUENCE,
        _VERSION_1,
        element(SET, _SHA256),
        element(SEQUENCE, _DATA),
        element(CONTEXT_0, *chain),
        element(SET, signer_info),
    )
    return element(SEQUENCE, SIGNED_DATA, element(CONTEXT_0, signed))


def _parts(data: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """The certificates and the signature; everything else is compared by the caller."""
    content_info = list(children(only(data, SEQUENCE)))
    signed = list(children(only(only(content_info[1], CONTEXT_0), SEQUENCE)))
    chain = tuple(children(only(signed[3], CONTEXT_0)))
    info = list(children(only(only(signed[4], SET), SEQUENCE)))
    return chain, only(info[5], OCTETS)


def _attributes(content: bytes) -> bytes:
    """The signed attributes in DER's order of a SET OF: shorter encodings sort first here."""
    kind = element(SEQUENCE, _CONTENT_TYPE, element(SET, _DATA))
    digest = element(SEQUENCE, MESSAGE_DIGEST, element(SET, element(OCTETS, hashlib.sha256(content).digest())))
    return b"".join(sorted((kind, digest)))


def signer_identifier(leaf: x509.Certificate) -> bytes:
    """The IssuerAndSerialNumber of RFC 5652 section 10.2.4; raises `OverflowError` for a negative serial."""
    serial = leaf.serial_number
    number = element(INTEGER, serial.to_bytes(serial.bit_length() // 8 + 1))
    return element(SEQUENCE, leaf.issuer.public_bytes(), number)
