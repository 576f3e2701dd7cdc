"""COSE_Sign1 (RFC 9052 section 4.2) with ES256, the only signature form inside a recording."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import SenderFault
from agent.evidence import cbor
from agent.wire.signing import RAW_SIGNATURE_BYTES, Signer, verify_raw

ALGORITHM, KEY_ID, X5CHAIN = 1, 4, 33  # RFC 9052 section 3.1, RFC 9360 section 2
ES256 = -7  # RFC 9053 section 2.1
KEY_TYPE, CURVE, X, Y = 1, -1, -2, -3  # RFC 9052 section 7, RFC 9053 section 7.1.1
EC2, P_256 = 2, 1
COORDINATE_BYTES = 32
NO_SIGNATURE = bytes(RAW_SIGNATURE_BYTES)


@dataclass(frozen=True)
class Sign1:
    """A parsed COSE_Sign1, not yet verified; `payload` is None where it is detached."""

    protected_bytes: bytes
    protected: Mapping[Any, Any]
    unprotected: Mapping[Any, Any]
    payload: bytes | None
    signature: bytes

    def verify(self, key: ec.EllipticCurvePublicKey, payload: bytes) -> bytes:
        """Return `payload` when this is its ES256 signature by `key`; raises `SenderFault` otherwise."""
        if self.protected.get(ALGORITHM) != ES256:
            raise SenderFault("签名算法不是 ES256，已拒绝。")
        verify_raw(key, self.signature, to_be_signed(self.protected_bytes, payload))
        return payload


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """The Sig_structure of RFC 9052 section 4.4 without external data."""
    return cbor.encode(["Signature1", protected, b"", payload])


def protected_header(extra: Mapping[Any, Any]) -> bytes:
    """The bytes of a protected header that names ES256 and `extra`."""
    return cbor.encode({ALGORITHM: ES256, **extra})


def encode(protected: bytes, unprotected: Mapping[Any, Any], payload: bytes | None, signature: bytes) -> bytes:
    """A COSE_Sign1 from its parts."""
    return cbor.encode(cbor.tagged(cbor.COSE_SIGN1, [protected, dict(unprotected), payload, signature]))


def sign_attached(signer: Signer, extra: Mapping[Any, Any], unprotected: Mapping[Any, Any], payload: bytes) -> bytes:
    """A COSE_Sign1 that carries its payload."""
    protected = protected_header(extra)
    return encode(protected, unprotected, payload, signer.sign(to_be_signed(protected, payload)))


def parse(data: bytes) -> Sign1:
    """The COSE_Sign1 in `data`; raises `SenderFault` when malformed."""
    return parsed(cbor.decode(data))


def parsed(value: Any) -> Sign1:
    """The COSE_Sign1 in an already decoded CBOR item; raises `SenderFault` when malformed."""
    parts = cbor.untagged(value, cbor.COSE_SIGN1)
    if not isinstance(parts, list | tuple) or len(parts) != 4:
        raise SenderFault("COSE 签名结构不对，已拒绝。")
    protected, unprotected, payload, signature = parts
    if not isinstance(protected, bytes) or not isinstance(unprotected, Mapping) or not isinstance(signature, bytes):
        raise SenderFault("COSE 签名字段类型不对，已拒绝。")
    if payload is not None and not isinstance(payload, bytes):
        raise SenderFault("COSE 签名内容类型不对，已拒绝。")
    return Sign1(protected, cbor.decode_map(protected), unprotected, payload, signature)


def encode_key(key: ec.EllipticCurvePublicKey, key_id: bytes) -> dict[int, Any]:
    """A P-256 public key as a COSE_Key map."""
    numbers = key.public_numbers()
    x, y = numbers.x.to_bytes(COORDINATE_BYTES), numbers.y.to_bytes(COORDINATE_BYTES)
    return {KEY_TYPE: EC2, 2: key_id, 3: ES256, CURVE: P_256, X: x, Y: y}


def parse_key(value: Any) -> ec.EllipticCurvePublicKey:
    """The P-256 public key in a COSE_Key map; raises `SenderFault` for anything else."""
    fields = value if isinstance(value, Mapping) else {}
    x, y = fields.get(X), fields.get(Y)
    if (fields.get(KEY_TYPE), fields.get(CURVE), fields.get(3)) != (EC2, P_256, ES256):
        raise SenderFault("会话密钥不是 P-256，已拒绝。")
    if not isinstance(x, bytes) or not isinstance(y, bytes):
        raise SenderFault("会话密钥的坐标无法读取，已拒绝。")
    try:
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()).public_key()
    except ValueError as error:
        raise SenderFault("会话密钥无法读取，已拒绝。") from error
