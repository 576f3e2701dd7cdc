"""The session key of a recording and how the device key certifies it (C2PA 2.4 section 19.4, "c2pa.session-keys").

The key lives in RAM for one recording. The device certificate's word for it stands in every manifest of the recording;
the key's own signature over that certificate (`signerBinding`) shows that the two meant each other.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import SenderFault
from agent.evidence import cbor, cose
from agent.evidence.vsi_profiles import DEFAULT_VSI, VsiProfile
from agent.wire.signing import KeySigner, key_id_of, load_certificate

SESSION_KEYS_LABEL = "c2pa.session-keys"
KEY_ID_BYTES = 8  # ours; names the key inside one recording
LEAST_VALIDITY = timedelta(days=365)  # live validators compare with today: not shorter than the device certificate


class SessionKey:
    """A P-256 key in RAM; `signer` signs with it, `key_id` names it in every fragment, `profile` is how that is
    written."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, profile: VsiProfile = DEFAULT_VSI) -> None:
        self.signer, self.profile = KeySigner(key), profile
        self.public_key = key.public_key()
        self.key_id = bytes.fromhex(self.signer.key_id)[:KEY_ID_BYTES]

    @classmethod
    def generate(cls, profile: VsiProfile = DEFAULT_VSI) -> "SessionKey":
        """A fresh key."""
        return cls(ec.generate_private_key(ec.SECP256R1()), profile)


@dataclass(frozen=True)
class CertifiedSession:
    """A session key as a verified manifest certifies it."""

    public_key: ec.EllipticCurvePublicKey
    key_id: bytes
    minimum_sequence: int
    profile: VsiProfile = DEFAULT_VSI


def encode_session_keys(session: SessionKey, leaf: bytes, created: datetime, minimum_sequence: int) -> bytes:
    """The CBOR of the assertion; `leaf` is the device certificate in DER."""
    expiry = load_certificate(leaf).not_valid_after_utc
    validity = max(expiry - created, LEAST_VALIDITY)
    key = {
        "key": cose.encode_key(session.public_key, session.key_id),
        "minSequenceNumber": minimum_sequence,
        "createdAt": created.replace(microsecond=0),
        "validityPeriod": int(validity.total_seconds()),
        "signerBinding": cbor.decode(_binding(session, leaf)),
    }
    return cbor.encode({"keys": [key]})


def _binding(session: SessionKey, leaf: bytes) -> bytes:
    bound = session.profile.bound(leaf)
    if session.profile.attached:
        return cose.sign_attached(session.signer, {}, {}, bound)
    protected = cose.protected_header({})
    return cose.encode(protected, {}, None, session.signer.sign(cose.to_be_signed(protected, bound)))


def parse_session_keys(data: bytes, leaf: bytes, profile: VsiProfile = DEFAULT_VSI) -> CertifiedSession:
    """The one key in the assertion, with its binding to `leaf`, as `profile` has it, verified; raises `SenderFault`
    otherwise."""
    keys = cbor.decode_map(data).get("keys")
    if not isinstance(keys, list) or len(keys) != 1 or not isinstance(keys[0], dict):
        raise SenderFault("凭证中应恰有一把会话密钥，已拒绝。")
    fields: dict[Any, Any] = keys[0]
    public_key = cose.parse_key(fields.get("key"))
    binding, bound = cose.parsed(fields.get("signerBinding")), profile.bound(leaf)
    if binding.payload != (bound if profile.attached else None):
        raise SenderFault(f"会话密钥与证书的绑定不是 {profile.name} 的写法，已拒绝。")
    binding.verify(public_key, bound)
    minimum = fields.get("minSequenceNumber")
    if not isinstance(minimum, int):
        raise SenderFault("会话密钥缺少起始序号，已拒绝。")
    return CertifiedSession(public_key, bytes.fromhex(key_id_of(public_key))[:KEY_ID_BYTES], minimum, profile)
