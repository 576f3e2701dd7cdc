"""DSSE 1.0.2 envelopes: the bytes that are signed are the bytes that are sent. Verify first, then parse.

Pre-authentication encoding: `DSSEv1 SP LEN(type) SP type SP LEN(payload) SP payload`, lengths in bytes, decimal.
Signatures are ES256 in DER form and are named by key id.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields, parse_loose
from agent.wire.identifiers import KeyId, key_id
from agent.wire.signing import Signer, certificate_key, der_from_raw, key_id_of, verify_der
from agent.wire.trust import TRUST_TYPE, Credential, Role, TrustList, parse_trust_list

MAX_ENVELOPE_BYTES = 256 * 1024  # the broker's max_packet_size (reference/mqtt.md section 4)
MAX_TRUST_LIST_BYTES = 4 * 1024 * 1024  # ours: some 3,300 credentials; it travels as a file, not through the broker
MAX_SIGNATURES = 8  # ours; a disclosure carries two


@dataclass(frozen=True)
class Signature:
    """One signature of an envelope, not yet verified; `der` is the ECDSA-Sig-Value."""

    key: KeyId
    der: bytes


@dataclass(frozen=True)
class Envelope:
    """A parsed envelope, not yet verified."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class Opened:
    """A payload and the credentials whose signatures over it were verified."""

    payload: bytes
    signers: tuple[Credential, ...]

    def signer(self, role: Role) -> Credential:
        """The one verified signer in `role`; raises `SenderFault` when there is none."""
        for credential in self.signers:
            if credential.role is role:
                return credential
        raise SenderFault(f"缺少 {role.value} 的有效签名，已拒绝。")


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes a DSSE signature covers."""
    name = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def seal(payload_type: str, payload: bytes, signers: Sequence[Signer]) -> bytes:
    """Sign `payload` with every signer and return the envelope's JSON bytes."""
    signed = pre_authentication_encoding(payload_type, payload)
    return _written(Envelope(payload_type, payload, tuple(_sign(signer, signed) for signer in signers)))


def add_signature(data: bytes, signer: Signer) -> bytes:
    """The same envelope with one more signature; what was signed before is untouched."""
    envelope = parse_envelope(data)
    signed = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    return _written(replace(envelope, signatures=(*envelope.signatures, _sign(signer, signed))))


def parse_envelope(data: bytes, limit: int = MAX_ENVELOPE_BYTES) -> Envelope:
    """Read an envelope without believing it; raises `SenderFault` when malformed or over `limit` bytes."""
    if len(data) > limit:
        raise SenderFault(f"信封超过 {limit // 1024} KiB，已拒绝。")
    try:
        fields = Fields("信封", parse_loose(data))
    except ValueError as error:
        raise SenderFault("收到的数据不是签名信封，已拒绝。") from error
    entries = fields.array("signatures")
    if not 1 <= len(entries) <= MAX_SIGNATURES:
        raise SenderFault(f"信封应有 1 至 {MAX_SIGNATURES} 个签名，已拒绝。")
    signatures = tuple(_signature(entry) for entry in entries)
    return Envelope(fields.text("payloadType"), _unbase64(fields.text("payload")), signatures)


def open_envelope(data: bytes, payload_type: str, trust: TrustList, now: datetime) -> Opened:
    """Verify every signature of an envelope and return its payload.

    One bad, unknown, expired or revoked signature refuses the whole (`SenderFault`); so does one key signing twice.
    """
    return _open(data, payload_type, lambda key: trust.credential(key, now))


def open_archived(data: bytes, payload_type: str, trust: TrustList, limit: int = MAX_ENVELOPE_BYTES) -> Opened:
    """As `open_envelope` for what was signed at another time than now: dates and revocations of the signers are left
    to the caller, who learns from the payload which moment counts (`Credential.valid_at`). `limit` in bytes: what
    travels as a file may be longer."""
    return _open(data, payload_type, trust.listed, limit)


def open_trust_list(data: bytes, root: x509.Certificate) -> TrustList:
    """The trust list in an envelope that the pinned root's key signed; raises `SenderFault` otherwise."""
    key = certificate_key(root)
    envelope = _typed(data, TRUST_TYPE, MAX_TRUST_LIST_BYTES)
    signed = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    for signature in envelope.signatures:
        if signature.key == key_id_of(key):
            verify_der(key, signature.der, signed)
            return parse_trust_list(envelope.payload)
    raise SenderFault("信任清单没有本区根密钥的签名，已拒绝。")


def _open(
    data: bytes, payload_type: str, find: Callable[[KeyId], Credential], limit: int = MAX_ENVELOPE_BYTES
) -> Opened:
    envelope = _typed(data, payload_type, limit)
    signed = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    signers = []
    for signature in envelope.signatures:
        credential = find(signature.key)
        verify_der(credential.public_key, signature.der, signed)
        signers.append(credential)
    if len({credential.key_id for credential in signers}) != len(signers):
        raise SenderFault("同一密钥在一个信封上签了两次，已拒绝。")
    return Opened(envelope.payload, tuple(signers))


def _typed(data: bytes, payload_type: str, limit: int = MAX_ENVELOPE_BYTES) -> Envelope:
    envelope = parse_envelope(data, limit)
    if envelope.payload_type != payload_type:
        raise SenderFault(f"信封类型是 {envelope.payload_type[:80]}，此处只接受 {payload_type}。")
    return envelope


def _sign(signer: Signer, signed: bytes) -> Signature:
    return Signature(signer.key_id, der_from_raw(signer.sign(signed)))


def _written(envelope: Envelope) -> bytes:
    signatures = [{"keyid": it.key, "sig": _base64(it.der)} for it in envelope.signatures]
    payload = _base64(envelope.payload)
    return canonical.encode({"payload": payload, "payloadType": envelope.payload_type, "signatures": signatures})


def _signature(entry: object) -> Signature:
    fields = Fields("签名", entry)
    return Signature(key_id(fields.text("keyid")), _unbase64(fields.text("sig")))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SenderFault("信封中的 base64 无法读取，已拒绝。") from error
