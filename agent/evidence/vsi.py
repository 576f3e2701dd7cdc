"""Verifiable segment info (C2PA 2.4 section 19.4): the session key's signature over one fragment, in an `emsg` box.

A signed fragment is `styp | emsg | uuid journal | moof | mdat`. The signature covers every box but the `emsg` itself,
each preceded by its offset from the start of the fragment, so a fragment verifies wherever it is moved to and the
numbers show where it belongs. What differs between the profiles of `vsi_profiles` comes with the session.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.errors import SenderFault
from agent.evidence import cbor, cose
from agent.evidence.bmff import HEADER, encode_box
from agent.evidence.flat_hash import NewHash
from agent.evidence.journal import MAX_NUMBER
from agent.evidence.session import CertifiedSession, SessionKey
from agent.evidence.vsi_profiles import VSI_PROFILES, VsiProfile
from agent.wire.signing import Signer

SCHEME = b"urn:c2pa:verifiable-segment-info"
TIMESCALE = 1000
VERSION_AND_FLAGS = 4
NUMBERS_BYTES = 16  # timescale, presentation delta, duration, id (ISO/IEC 23009-1 section 5.10.3.3.2)
MAX_EVENT_ID = 2**32 - 1  # the id is 32 bits wide
STYP = encode_box(b"styp", b"msdh", bytes(4), b"msdh", b"iso6", b"cmfs")
_EXCLUSIONS = [{"xpath": "/emsg", "data": [{"offset": HEADER + VERSION_AND_FLAGS, "value": SCHEME}]}]
_VALUE = {profile.value for profile in VSI_PROFILES.values()}
NAMES_BYTES = VERSION_AND_FLAGS + len(SCHEME) + 1 + max(map(len, _VALUE)) + 1  # the same for every profile
MESSAGE_AT = HEADER + NAMES_BYTES + NUMBERS_BYTES  # where in an emsg box the COSE_Sign1 begins


class FragmentHash:
    """SHA-256 over (offset, box) pairs of one fragment; `skip` passes over the emsg."""

    def __init__(self, new_hash: NewHash = hashlib.sha256) -> None:
        self._hash, self._offset = new_hash(), 0

    def skip(self, size: int) -> None:
        """A box that is not covered."""
        self._offset += size

    def begin(self, size: int) -> None:
        """A covered box of `size` bytes; its bytes follow by `update`."""
        self._hash.update(self._offset.to_bytes(8))
        self._offset += size

    def update(self, chunk: bytes | memoryview) -> None:
        """Bytes of the box begun last."""
        self._hash.update(chunk)

    def add(self, box: bytes | memoryview) -> None:
        """A covered box held whole."""
        self.begin(len(box))
        self.update(box)

    def digest(self) -> bytes:
        """The hash of everything so far."""
        return self._hash.digest()


@dataclass(frozen=True)
class SegmentInfo:
    """What the session key signed of a fragment, and the duration that stands unsigned before it."""

    sequence: int
    manifest: str
    digest: bytes
    duration_ms: int = 0


def sign_fragment(
    session: SessionKey, manifest: str, sequence: int, duration_ms: int, iat: int, boxes: Sequence[bytes | memoryview]
) -> bytes:
    """The `emsg` box for a fragment made of STYP, this box and `boxes`; `iat` is seconds since 1970."""
    blank = unsigned(session, SegmentInfo(sequence, manifest, bytes(32), duration_ms), iat)
    covered = FragmentHash()
    covered.add(STYP)
    covered.skip(len(blank))
    for box in boxes:
        covered.add(box)
    info = SegmentInfo(sequence, manifest, covered.digest())
    return _emsg(_message(session.signer, session, info, iat), session.profile, sequence, duration_ms)


def open_fragment(emsg: bytes, session: CertifiedSession) -> SegmentInfo:
    """What the certified session key signed in an `emsg` box; raises `SenderFault` when it did not sign it, or when
    anything but what `sign_fragment` writes stands in the box."""
    duration, message = _message_of(emsg, session.profile)
    signed = cose.parse(message)
    if signed.payload is None or dict(signed.unprotected) != {cose.KEY_ID: session.key_id}:
        raise SenderFault("片段签名没有指明本次录制的会话密钥，已拒绝。")
    if set(signed.protected) != {cose.ALGORITHM, session.profile.issued}:
        raise SenderFault(f"片段签名的时间不是 {session.profile.name} 的写法，已拒绝。")
    fields = cbor.decode_map(signed.verify(session.public_key, signed.payload))
    try:
        sequence, manifest, digest = fields["sequenceNumber"], fields["manifestId"], fields["bmffHash"]["hash"]
    except (KeyError, TypeError) as error:
        raise SenderFault("片段签名内容无法读取，已拒绝。") from error
    if not isinstance(sequence, int) or not is_plausible(sequence, session) or not isinstance(digest, bytes):
        raise SenderFault("片段签名内容不合规定，已拒绝。")
    again = cose.encode(signed.protected_bytes, signed.unprotected, signed.payload, signed.signature)
    if _emsg(again, session.profile, sequence, duration) != emsg:
        raise SenderFault("片段签名盒含有签名之外的内容，已拒绝。")
    return SegmentInfo(sequence, str(manifest), digest, duration)


def unsigned(session: SessionKey | CertifiedSession, info: SegmentInfo, iat: int) -> bytes:
    """The box with zeros for the signature."""
    return _emsg(_message(None, session, info, iat), session.profile, info.sequence, info.duration_ms)


def is_plausible(sequence: int, session: CertifiedSession) -> bool:
    """Whether the session may sign a fragment of that number."""
    return session.minimum_sequence <= sequence <= MAX_NUMBER


def _message(signer: Signer | None, session: SessionKey | CertifiedSession, info: SegmentInfo, iat: int) -> bytes:
    hashed: dict[str, Any] = {"exclusions": _EXCLUSIONS, "alg": "sha256", "hash": info.digest}
    payload = cbor.encode({"sequenceNumber": info.sequence, "bmffHash": hashed, "manifestId": info.manifest})
    issued, named = {session.profile.issued: iat}, {cose.KEY_ID: session.key_id}
    if signer is None:
        return cose.encode(cose.protected_header(issued), named, payload, cose.NO_SIGNATURE)
    return cose.sign_attached(signer, issued, named, payload)


def _names(profile: VsiProfile) -> bytes:
    return b"".join((bytes(VERSION_AND_FLAGS), SCHEME, b"\0", profile.value, b"\0"))


def _emsg(message: bytes, profile: VsiProfile, sequence: int, duration_ms: int) -> bytes:
    numbers = b"".join(number.to_bytes(4) for number in (TIMESCALE, 0, duration_ms, sequence & MAX_EVENT_ID))
    return encode_box(b"emsg", _names(profile), numbers, message)


def _message_of(emsg: bytes, profile: VsiProfile) -> tuple[int, bytes]:
    body = emsg[HEADER:]
    numbers = body[NAMES_BYTES : NAMES_BYTES + NUMBERS_BYTES]
    if not body.startswith(_names(profile)) or len(numbers) < NUMBERS_BYTES:
        raise SenderFault(f"片段签名盒不是 {profile.name} 的写法，已拒绝。")
    return int.from_bytes(numbers[8:12]), body[NAMES_BYTES + NUMBERS_BYTES :]
