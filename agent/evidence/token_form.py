"""The form of an RFC 3161 token that is accepted: everything in it signed, or the only thing that can stand there.

A token is put in after the device has signed, so nothing but its own authority vouches for it, and a reader that takes
what it knows and passes over the rest lets anything ride along. So it is taken apart, and from its signed parts, the
certificates on the signer's path and the algorithms it may name it is written again: it must be that, byte for byte.
Whether the authority is known is for whoever holds roots.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from agent.errors import SenderFault
from agent.evidence.cms import MESSAGE_DIGEST, SIGNED_DATA, signer_identifier
from agent.evidence.der import CONTEXT_0, OCTETS, SEQUENCE, SET, children, element, only
from agent.wire.signing import UNREADABLE, load_certificate

MAX_CERTIFICATES = 5  # ours; a token with its whole path has three
_TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")  # 1.2.840.113549.1.9.16.1.4
_VERSION_1, _VERSION_3 = bytes.fromhex("020101"), bytes.fromhex("020103")  # RFC 5652 sections 5.1, 5.3
_SHA2: tuple[tuple[str, hashes.HashAlgorithm], ...] = (
    ("01", hashes.SHA256()),
    ("02", hashes.SHA384()),
    ("03", hashes.SHA512()),
)
_DIGESTS = {  # RFC 5754 section 2: parameters absent, or NULL
    bytes.fromhex(form.format(last)): algorithm
    for last, algorithm in _SHA2
    for form in ("300b06096086480165030402{}", "300d06096086480165030402{}0500")
}
_RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")  # RFC 3370 section 3.2: the digest is named apart
_RSA = {  # RFC 5754 section 3.2
    bytes.fromhex("300d06092a864886f70d01010b0500"): hashes.SHA256(),
    bytes.fromhex("300d06092a864886f70d01010c0500"): hashes.SHA384(),
    bytes.fromhex("300d06092a864886f70d01010d0500"): hashes.SHA512(),
}
_ECDSA = {  # RFC 5754 section 3.3
    bytes.fromhex("300a06082a8648ce3d040302"): hashes.SHA256(),
    bytes.fromhex("300a06082a8648ce3d040303"): hashes.SHA384(),
    bytes.fromhex("300a06082a8648ce3d040304"): hashes.SHA512(),
}


@dataclass(frozen=True)
class _Parts:
    content: bytes
    certificates: tuple[bytes, ...]
    identifier: bytes
    digest: bytes
    attributes: bytes
    algorithm: bytes
    signature: bytes

    def written(self) -> bytes:
        """The token that these make, with nothing else in it."""
        signer = element(
            SEQUENCE,
            _VERSION_1,
            self.identifier,
            self.digest,
            element(CONTEXT_0, self.attributes),
            self.algorithm,
            element(OCTETS, self.signature),
        )
        signed = element(
            SEQUENCE,
            _VERSION_3,
            element(SET, self.digest),
            element(SEQUENCE, _TST_INFO, element(CONTEXT_0, element(OCTETS, self.content))),
            element(CONTEXT_0, *self.certificates),
            element(SET, signer),
        )
        return element(SEQUENCE, SIGNED_DATA, element(CONTEXT_0, signed))


def token_path(token: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates in `token`, the signer's first, each issued by the next; raises `SenderFault` unless the first
    signed the token, and nothing stands in it that is neither signed nor known."""
    try:
        parts = _parts(token)
        path = _path(parts)
        if parts.written() != token or parts.digest not in _DIGESTS:
            raise ValueError("something else stands in it")
        _verify(parts, path[0])
    except (InvalidSignature, IndexError, OverflowError, *UNREADABLE) as error:
        raise SenderFault(f"时间戳被改动、损坏或夹带了别的内容（{str(error)[:80]}），已拒绝。") from error
    return path


def _parts(token: bytes) -> _Parts:
    signed = tuple(children(only(only(tuple(children(only(token, SEQUENCE)))[1], CONTEXT_0), SEQUENCE)))
    content = only(only(tuple(children(only(signed[2], SEQUENCE)))[1], CONTEXT_0), OCTETS)
    certificates = tuple(children(only(signed[3], CONTEXT_0)))
    signer = tuple(children(only(only(signed[4], SET), SEQUENCE)))
    attributes, signature = only(signer[3], CONTEXT_0), only(signer[5], OCTETS)
    return _Parts(content, certificates, signer[1], signer[2], attributes, signer[4], signature)


def _path(parts: _Parts) -> tuple[x509.Certificate, ...]:
    if not 1 <= len(parts.certificates) <= MAX_CERTIFICATES:
        raise ValueError("not the certificates of one path")
    rest = [load_certificate(entry) for entry in parts.certificates]
    path = [_taken(rest, [it for it in rest if signer_identifier(it) == parts.identifier])]
    while rest:
        path.append(_taken(rest, [it for it in rest if it.subject == path[-1].issuer]))
        path[-2].verify_directly_issued_by(path[-1])
    return tuple(path)


def _taken(rest: list[x509.Certificate], found: Sequence[x509.Certificate]) -> x509.Certificate:
    if len(found) != 1:
        raise ValueError("a certificate that is not on the signer's path, or none")
    rest.remove(found[0])
    return found[0]


def _verify(parts: _Parts, signer: x509.Certificate) -> None:
    digest, signed, key = _DIGESTS[parts.digest], element(SET, parts.attributes), signer.public_key()
    told = hashlib.new(digest.name, parts.content).digest()
    if element(SEQUENCE, MESSAGE_DIGEST, element(SET, element(OCTETS, told))) not in children(parts.attributes):
        raise ValueError("signed about something else")
    if isinstance(key, ec.EllipticCurvePublicKey) and parts.algorithm in _ECDSA:
        key.verify(parts.signature, signed, ec.ECDSA(_ECDSA[parts.algorithm]))
    elif isinstance(key, rsa.RSAPublicKey) and parts.algorithm in {_RSA_ENCRYPTION, *_RSA}:
        named = digest if parts.algorithm == _RSA_ENCRYPTION else _RSA[parts.algorithm]
        key.verify(parts.signature, signed, padding.PKCS1v15(), named)
    else:
        raise ValueError("an algorithm that is not known here")
