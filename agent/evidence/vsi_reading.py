"""Opening the signatures of a whole segment, one fragment after the other.

They are all alike: from one to the next only numbers, time, hash and signature change, which stand at the same places
in the same length. Such a one needs no parsing; every other is opened by `vsi.open_fragment`, which says what is right.
"""

from agent.evidence import cbor, cose, vsi
from agent.evidence.journal import DIGEST_BYTES
from agent.evidence.session import CertifiedSession
from agent.evidence.vsi import SegmentInfo
from agent.wire.signing import RAW_SIGNATURE_BYTES, verify_raw

_DURATION, _EVENT_ID = slice(vsi.MESSAGE_AT - 8, vsi.MESSAGE_AT - 4), slice(vsi.MESSAGE_AT - 4, vsi.MESSAGE_AT)
_PROTECTED = vsi.MESSAGE_AT + 2  # behind a tag, and an array of four
_SIGNED_HEAD = cbor.encode(["Signature1", b"", b"", b""])[:-3]  # RFC 9052 section 4.4
_SIGNATURE_HEAD = 2  # of a byte string of 64
_NO_BYTES = cbor.encode(b"")
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}  # of an integer, by its first byte (RFC 8949 section 3)


class SegmentInfoReader:
    """For the fragments of one session."""

    def __init__(self, session: CertifiedSession) -> None:
        self._session = session
        self._before: _Likeness | None = None

    def open(self, emsg: bytes) -> SegmentInfo:
        """As `vsi.open_fragment`."""
        before = self._before
        info = None if before is None else before.open(emsg, self._session)
        if info is None:
            info = vsi.open_fragment(emsg, self._session)
            self._before = _likeness(emsg, info, self._session)
        return info


class _Likeness:
    """An `emsg` as `vsi.sign_fragment` writes it: where its parts stand, and what the next one has in common with it.
    `protected` and `payload` are the lengths of those two, with their heads."""

    def __init__(self, emsg: bytes, info: SegmentInfo, issued: str | int, protected: int, payload: int) -> None:
        signature = len(emsg) - RAW_SIGNATURE_BYTES
        last = signature - _SIGNATURE_HEAD
        digest = last - len(cbor.encode("manifestId")) - len(cbor.encode(info.manifest)) - DIGEST_BYTES
        self._size, self._manifest = len(emsg), info.manifest
        self._protected, self._payload = slice(_PROTECTED, _PROTECTED + protected), slice(last - payload, last)
        self._digest, self._signature = slice(digest, digest + DIGEST_BYTES), slice(signature, len(emsg))
        self._sequence = _integer(emsg, self._payload, "sequenceNumber")
        time = _integer(emsg, self._protected, issued)
        changing = (_DURATION, _EVENT_ID, time, self._sequence, self._digest, self._signature)
        begins = (0, *(part.stop for part in changing))
        self._alike = [slice(begin, part.start) for begin, part in zip(begins, changing, strict=False)]
        self._common = self._common_of(emsg)

    def open(self, emsg: bytes, session: CertifiedSession) -> SegmentInfo | None:
        """What was signed in `emsg`; None where that is not told here: of another shape, or wrong. Raises
        `SenderFault` for another signature."""
        if len(emsg) != self._size or self._common_of(emsg) != self._common:
            return None
        sequence = int.from_bytes(emsg[self._sequence])
        if not vsi.is_plausible(sequence, session) or int.from_bytes(emsg[_EVENT_ID]) != sequence & vsi.MAX_EVENT_ID:
            return None
        signed = b"".join((_SIGNED_HEAD, emsg[self._protected], _NO_BYTES, emsg[self._payload]))
        verify_raw(session.public_key, emsg[self._signature], signed)
        return SegmentInfo(sequence, self._manifest, emsg[self._digest], int.from_bytes(emsg[_DURATION]))

    def _common_of(self, emsg: bytes) -> bytes:
        return b"".join([emsg[span] for span in self._alike])


def _likeness(emsg: bytes, info: SegmentInfo, session: CertifiedSession) -> _Likeness | None:
    """None unless `emsg`, which was opened, is to the byte what the writer makes of `info`."""
    found = cose.parse(emsg[vsi.MESSAGE_AT :])
    issued = session.profile.issued
    iat = found.protected.get(issued)
    if not isinstance(iat, int) or len(info.digest) != DIGEST_BYTES or info.sequence < min(_WIDTHS):
        return None  # an integer below that has no bytes of its own
    if vsi.unsigned(session, info, iat)[:-RAW_SIGNATURE_BYTES] != emsg[:-RAW_SIGNATURE_BYTES]:
        return None
    return _Likeness(emsg, info, issued, len(cbor.encode(found.protected_bytes)), len(cbor.encode(found.payload)))


def _integer(emsg: bytes, part: slice, key: str | int) -> slice:
    """Where the bytes of the first integer under `key` stand, after the one that tells how many they are."""
    name = cbor.encode(key)
    at = emsg.index(name, part.start, part.stop) + len(name) + 1
    return slice(at, at + _WIDTHS.get(emsg[at - 1], 0))
