"""Signing one segment while it is recorded, and sealing it: the live C2PA emitter.

    ftyp | uuid C2PA (16 384 B) | moov | { styp | emsg | uuid journal | moof | mdat }*

The device key signs twice (opening and seal), the session key once per fragment. Sealing overwrites the reserved box
and nothing else, whatever the length of the recording.
"""

import hashlib
from collections import deque
from dataclasses import dataclass, replace

from agent.evidence import bmff, journal, manifest, session, statements, vsi
from agent.evidence.flat_hash import FlatHash
from agent.evidence.journal import FragmentMoment, JournalEntry, JournalRecord
from agent.evidence.manifest import Assertion
from agent.evidence.manifest_reading import read_manifest
from agent.evidence.session import SessionKey
from agent.evidence.statements import Closing, Opening, Seal, SegmentOrigin
from agent.evidence.vsi_profiles import CONTEXT_VSI, DEFAULT_VSI, VsiProfile
from agent.wire.identifiers import Digest
from agent.wire.instant import Instant
from agent.wire.signing import CertifiedSigner

__all__ = ["Closing", "Patch", "SegmentEmitter", "SegmentOrigin", "SessionKey", "SignedFragment"]


@dataclass(frozen=True)
class SignedFragment:
    """`boxes` are to be appended at `offset`, one after the other; `head` is the recording's head after them. `record`
    is what the sidecar `journal.jsonl` says of them."""

    boxes: tuple[bytes | memoryview, ...]
    sequence: int
    head: Digest
    offset: int
    size: int
    record: JournalRecord

    @property
    def data(self) -> bytes:
        """The boxes in one piece."""
        return b"".join(self.boxes)


@dataclass(frozen=True)
class Patch:
    """`data` (16 384 bytes) is to be written in place at `offset`. A write cut in half leaves no readable manifest:
    keep the patch durably beside the segment until it is written and synced, and write it again after a restart."""

    offset: int
    data: bytes


class SegmentEmitter:
    """Signs one segment. Call `opening` once, `fragment` for every fragment in order, `seal` once; each result is to be
    written before the next call. Not to be used further once a write failed: what is on the disk is recovered.

    What `fragment` returned is held for the seal's hash until `catch_up`, which another thread may call meanwhile."""

    def __init__(self, origin: SegmentOrigin, signer: CertifiedSigner, key: SessionKey) -> None:
        self._origin, self._signer, self._key = _written(origin, key.profile), signer, key
        self._flat = FlatHash()
        self._unhashed: deque[tuple[int, bytes | memoryview]] = deque()
        self._head, self._fragments, self._size = origin.prior_head, 0, 0
        self._first: Instant | None = None
        self._last: Instant | None = None
        self._assertions: tuple[Assertion, ...] = ()
        self._label, self._manifest_at, self._signature = "", 0, b""

    @property
    def size(self) -> int:
        """The length of the file so far, in bytes."""
        return self._size

    @property
    def head(self) -> Digest:
        """The recording's head so far."""
        return self._head

    def opening(self, init_segment: bytes) -> bytes:
        """The beginning of the file from the muxer's `ftyp` and `moov`; raises `ValueError` for any other boxes."""
        ftyp, moov = _split(init_segment, b"ftyp", b"moov")
        self._manifest_at = len(ftyp)
        moov_at = len(ftyp) + manifest.RESERVED_BYTES
        self._flat.add(moov_at, moov)
        self._assertions = self._opening_assertions(ftyp, moov)
        draft = opening_draft(self._origin, self._assertions)
        self._label = draft.label
        box = manifest.build_manifest_box(draft, self._flat.digest(), self._signer)
        self._signature = read_manifest(box).signature
        data = b"".join((ftyp, box, moov))
        self._size = len(data)
        return data

    def fragment(self, media: bytes | memoryview, moment: FragmentMoment) -> SignedFragment:
        """The signed fragment around `media`, exactly one `moof` and one `mdat`; raises `ValueError` otherwise."""
        moof, mdat = _split(media, b"moof", b"mdat")
        sequence = self._origin.first_sequence + self._fragments
        entry = self._entry(sequence, moment, media, moof)
        encoded = entry.encode()
        noted = journal.encode_entry_box(encoded)
        iat = int(moment.signed.wall.timestamp())
        emsg = vsi.sign_fragment(self._key, self._label, sequence, moment.duration_ms, iat, [noted, moof, mdat])
        return self._appended(entry, journal.head_of(encoded), (vsi.STYP, emsg, noted, moof, mdat))

    def catch_up(self) -> None:
        """Hash the fragments made so far for the seal; from one thread at a time."""
        while self._unhashed:
            self._flat.add(*self._unhashed.popleft())

    def seal(self, closing: Closing) -> Patch:
        """The final manifest, to overwrite the opening one."""
        self.catch_up()
        seal = Seal(
            closing,
            self._label,
            self._fragments,
            self._head,
            self._size,
            self._first,
            self._last,
            opening_signature=self._signature,
        )
        return sealing_patch(self._origin, self._assertions, seal, self._flat.digest(), self._signer, self._manifest_at)

    def _opening_assertions(self, ftyp: memoryview, moov: memoryview) -> tuple[Assertion, ...]:
        origin = self._origin
        opening = Opening(origin, _digest(ftyp), _digest(moov))
        keys = session.encode_session_keys(self._key, self._signer.chain[0], origin.opened.wall, origin.first_sequence)
        return (
            manifest.actions(origin.synthetic, from_file=bool(origin.source_file)),
            Assertion(statements.RECORDING_LABEL, opening.encode()),
            Assertion(session.SESSION_KEYS_LABEL, keys),
        )

    def _entry(
        self, sequence: int, moment: FragmentMoment, media: bytes | memoryview, moof: memoryview
    ) -> JournalEntry:
        locator = hashlib.sha256(moof).digest()[: journal.LOCATOR_BYTES]
        origin = self._origin
        return JournalEntry(self._head, origin.recording, origin.segment, sequence, moment, _digest(media), locator)

    def _appended(self, entry: JournalEntry, head: Digest, boxes: tuple[bytes | memoryview, ...]) -> SignedFragment:
        start = self._size
        for box in boxes:
            self._unhashed.append((self._size, box))
            self._size += len(box)
        self._head, self._fragments = head, self._fragments + 1
        self._first, self._last = self._first or entry.moment.captured, entry.moment.captured
        size, media = self._size - start, len(boxes[-1]) + len(boxes[-2])
        record = JournalRecord(entry, head, start, size, self._size - media, media)
        return SignedFragment(boxes, entry.sequence, head, start, size, record)


def _written(origin: SegmentOrigin, profile: VsiProfile) -> SegmentOrigin:
    """`origin` saying how the fragments are signed, where that is not as usual."""
    named = {} if profile == DEFAULT_VSI else {CONTEXT_VSI: profile.name}
    return replace(origin, context={**origin.context, **named})


def opening_draft(origin: SegmentOrigin, assertions: tuple[Assertion, ...]) -> manifest.Draft:
    """The manifest that stands in the file while it is recorded."""
    label, instance = manifest.manifest_names(b"open", *(entry.content for entry in assertions))
    return manifest.Draft(label, instance, _title(origin), origin.version, assertions)


def sealing_patch(
    origin: SegmentOrigin,
    assertions: tuple[Assertion, ...],
    seal: Seal,
    flat_hash: bytes,
    signer: CertifiedSigner,
    offset: int,
) -> Patch:
    """The final manifest: the opening's `assertions` again, and the seal."""
    sealed = (*assertions, Assertion(statements.SEAL_LABEL, seal.encode()))
    label, instance = manifest.manifest_names(b"seal", *(entry.content for entry in sealed))
    draft = manifest.Draft(label, instance, _title(origin), origin.version, sealed)
    return Patch(offset, manifest.build_manifest_box(draft, flat_hash, signer))


def _title(origin: SegmentOrigin) -> str:
    return f"{origin.recording}/segment-{origin.segment:04d}.mp4"


def _split(data: bytes | memoryview, *kinds: bytes) -> list[memoryview]:
    data = memoryview(data)
    boxes = list(bmff.walk(bmff.Source(len(data), lambda offset, length: bytes(data[offset : offset + length]))))
    if tuple(box.kind for box in boxes) != kinds:
        raise ValueError(f"expected {kinds}, found {[box.kind for box in boxes]}")
    return [data[box.offset : box.end] for box in boxes]


def _digest(data: bytes | memoryview) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest())
