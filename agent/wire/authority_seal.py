"""What the district's authority says on paper: envelopes that its issuing CA signed, checked from the pinned root.

A device that is being made has no trust list yet: it has the root and the issuing CA's certificate, and that is enough
for these documents. Nobody but the authority can sign one; what a receiver or a person signs is `envelope.py`'s.
"""

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes

from agent.errors import SenderFault
from agent.wire.envelope import MAX_ENVELOPE_BYTES, parse_envelope, pre_authentication_encoding
from agent.wire.signing import certificate_key, key_id_of, verify_der


def open_by_authority(
    data: bytes, payload_type: str, issuing: x509.Certificate, root: x509.Certificate, now: datetime
) -> bytes:
    """The payload of an envelope that `issuing`, a CA directly under `root`, signed; raises `SenderFault` otherwise.

    A certificate that is past at `now` is refused, one that is not yet valid is taken: a device without a battery for
    its clock begins in 1970, and learns from these very documents that it is later.
    """
    envelope = parse_envelope(data, MAX_ENVELOPE_BYTES)
    if envelope.payload_type != payload_type:
        raise SenderFault(f"文件类型是 {envelope.payload_type[:80]}，此处只接受 {payload_type}。", "type")
    key = certificate_key(_authority(issuing, root, now))
    signed = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    if [signature.key for signature in envelope.signatures] != [key_id_of(key)]:
        raise SenderFault("文件不是本区发证机构签的，已拒绝。请向发证处重新领取。", "signature")
    verify_der(key, envelope.signatures[0].der, signed)
    return envelope.payload


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate's DER, lower-case hex: what a sticker and a card bundle name the root by."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def _authority(issuing: x509.Certificate, root: x509.Certificate, now: datetime) -> x509.Certificate:
    try:
        issuing.verify_directly_issued_by(root)
        constraints = issuing.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise SenderFault(
            "签发机构的证书不属于本区根证书，已拒绝。请检查 root.pem 与 issuing.pem。", "issuer"
        ) from error
    if not constraints.ca:
        raise SenderFault("签名者不是发证机构，已拒绝。", "issuer")
    if now > min(issuing.not_valid_after_utc, root.not_valid_after_utc):
        raise SenderFault("发证机构的证书已过期，已拒绝。请核对本机时钟，或让机构换证。", "expired")
    return issuing
