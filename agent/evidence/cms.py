"""Detached CMS signatures (RFC 5652) over a small file, for `openssl cms -verify -binary`; ES256 only.

Built by hand. `PKCS7SignatureBuilder` of cryptography 50 does sign through an `ec.EllipticCurvePrivateKey` that hands
the work to a `Signer` (tried, and `openssl cms -verify` accepts the result), but it was not taken: it writes a signing
time from the clock of the machine, which a device may have unset and which no caller can give it; without signed
attributes it writes none, but then the signature stands over the bare file, and nothing binds it to being a CMS. It
reads nothing either: there is no function that verifies, so the reader below would remain, and it needs the leaf first,
where the library sorts. The reader accepts the one shape that is written here.
"""

import hashlib
from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from agent.errors import SenderFault
from agent.wire.signing import CertifiedSigner, certificate_key, der_from_raw, verify_der

MAX_BYTES = 16 * 1024  # ours; two certificates and a signature are 1.5 KiB
SEQUENCE, SET, INTEGER, OCTETS, CONTEXT_0 = 0x30, 0x31, 0x02, 0x04, 0xA0
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")  # 1.2.840.113549.1.7.2
_DATA = bytes.fromhex("06092a864886f70d010701")  # 1.2.840.113549.1.7.1
_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")  # 1.2.840.113549.1.9.3
_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")  # 1.2.840.113549.1.9.4
_SHA256 = bytes.fromhex("300b0609608648016503040201")  # RFC 5754 section 2.2: parameters absent
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")  # RFC 5758 section 3.2
_VERSION_1 = bytes.fromhex("020101")


def sign_detached(content: bytes, signer: CertifiedSigner) -> bytes:
    """The DER of a CMS SignedData over `content`, with the signer's chain and without a signing time."""
    attributes = _attributes(content)
    signature = der_from_raw(signer.sign(_tlv(SET, attributes)))
    leaf = x509.load_der_x509_certificate(signer.chain[0])
    signer_info = _tlv(
        SEQUENCE,
        _VERSION_1,
        _identifier(leaf),
        _SHA256,
        _tlv(CONTEXT_0, attributes),
        _ECDSA_SHA256,
        _tlv(OCTETS, signature),
    )
    signed = _tlv(
        SEQUENCE,
        _VERSION_1,
        _tlv(SET, _SHA256),
        _tlv(SEQUENCE, _DATA),
        _tlv(CONTEXT_0, *signer.chain),
        _tlv(SET, signer_info),
    )
    return _tlv(SEQUENCE, _SIGNED_DATA, _tlv(CONTEXT_0, signed))


def open_detached(data: bytes, content: bytes) -> tuple[bytes, ...]:
    """The DER certificates, leaf first, whose leaf signed `content`; raises `SenderFault` otherwise. Whether the
    leaf is to be trusted is for `agent.evidence.certificates`."""
    if len(data) > MAX_BYTES:
        raise SenderFault("签名文件过大，已拒绝。")
    try:
        chain, identifier, attributes, signature = _parts(data)
        leaf = x509.load_der_x509_certificate(chain[0])
        key, known = certificate_key(leaf), identifier == _identifier(leaf)
    except (ValueError, IndexError, UnsupportedAlgorithm) as error:
        raise SenderFault("签名文件无法读取，已拒绝。") from error
    if not known or attributes != _attributes(content):
        raise SenderFault("签名文件与 SHA256SUMS 的内容不符，已拒绝。")
    verify_der(key, signature, _tlv(SET, attributes))
    return chain


def _parts(data: bytes) -> tuple[tuple[bytes, ...], bytes, bytes, bytes]:
    content_info = list(_children(_only(data, SEQUENCE)))
    signed = list(_children(_only(_only(content_info[1], CONTEXT_0), SEQUENCE)))
    if content_info[0] != _SIGNED_DATA or len(content_info) != 2 or len(signed) != 5:
        raise ValueError("not a SignedData")
    chain = tuple(_children(_only(signed[3], CONTEXT_0)))
    info = list(_children(_only(_only(signed[4], SET), SEQUENCE)))
    if len(info) != 6 or info[2] != _SHA256 or info[4] != _ECDSA_SHA256:
        raise ValueError("not a SignerInfo of ours")
    return chain, info[1], _only(info[3], CONTEXT_0), _only(info[5], OCTETS)


def _attributes(content: bytes) -> bytes:
    """The signed attributes in DER's order of a SET OF: shorter encodings sort first here."""
    kind = _tlv(SEQUENCE, _CONTENT_TYPE, _tlv(SET, _DATA))
    digest = _tlv(SEQUENCE, _MESSAGE_DIGEST, _tlv(SET, _tlv(OCTETS, hashlib.sha256(content).digest())))
    return b"".join(sorted((kind, digest)))


def _identifier(leaf: x509.Certificate) -> bytes:
    serial = leaf.serial_number
    number = _tlv(INTEGER, serial.to_bytes(serial.bit_length() // 8 + 1))
    return _tlv(SEQUENCE, leaf.issuer.public_bytes(), number)


def _tlv(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + body


def _only(data: bytes, tag: int) -> bytes:
    """The content of the one element of type `tag` that fills `data`."""
    begin, end = _bounds(data, 0)
    if data[0] != tag or end != len(data):
        raise ValueError("unexpected DER element")
    return data[begin:end]


def _children(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        _, end = _bounds(data, position)
        yield data[position:end]
        position = end


def _bounds(data: bytes, position: int) -> tuple[int, int]:
    length, begin = data[position + 1], position + 2
    if length >= 0x80:
        size = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + size]), begin + size
    if begin + length > len(data):
        raise ValueError("DER element runs over its end")
    return begin, begin + length
