"""Examining a segment in one pass and flat memory, sealed or not, damaged or not; and sealing one that was cut off.

A fragment verifies by itself (session key, certified by the manifest), so damage inside a file is stepped over: the
next fragment is searched for by its first bytes. What follows the last fragment that verifies is the torn tail; what
stands before it and does not verify is damage, which is kept and flagged, never trimmed.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from agent.errors import SenderFault
from agent.evidence import bmff, manifest, segment, session, statements
from agent.evidence.bmff import Box, BrokenBox, Source
from agent.evidence.flat_hash import FlatHash, NewHash
from agent.evidence.fragment_walk import Damage, walk_fragments
from agent.evidence.fragments import find_fragment
from agent.evidence.journal import JournalEvent, JournalRecord, Reason
from agent.evidence.manifest_reading import Manifest, read_manifest
from agent.evidence.segment import Patch
from agent.evidence.statements import Closing, Seal, SegmentOrigin
from agent.evidence.vsi_profiles import UnknownDialect
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest
from agent.wire.instant import Instant
from agent.wire.signing import CertifiedSigner, key_id_of

MANIFEST = "manifest"


@dataclass(frozen=True)
class Examination:
    """What stands in a segment file. `fragments` are those that verify, in file order; `intact_bytes` is where the
    last of them (or the head) ends and where an unsealed file is to be cut; `damage` lies before it; `tail` is the
    run of damage after it. `flat_hash` covers the intact bytes, `whole_hash` everything. `manifest` is None when it
    is missing or does not verify; nothing else is then read. `recognised`: the file looks like one of ours.
    `unsupported` says, in words, that this version cannot judge it; `foreign`: a C2PA film in which nothing is ours."""

    size: int
    manifest: Manifest | None
    manifest_at: int
    recognised: bool
    fragments: tuple[JournalRecord, ...]
    intact_bytes: int
    damage: tuple[Damage, ...]
    tail: tuple[Damage, ...]
    flat_hash: bytes
    whole_hash: bytes
    unsupported: str = ""
    foreign: bool = False

    @property
    def sealed(self) -> bool:
        """Whether the final manifest stands in the file."""
        return self.manifest is not None and self.manifest.seal is not None

    @property
    def origin(self) -> SegmentOrigin | None:
        """The signed origin, None without a readable manifest."""
        return None if self.manifest is None else self.manifest.opening.origin

    @property
    def torn_bytes(self) -> int:
        """How much follows the intact bytes."""
        return self.size - self.intact_bytes

    @property
    def head(self) -> Digest:
        """The recording's head after the last fragment that verifies."""
        if self.fragments:
            return self.fragments[-1].head
        return GENESIS if self.origin is None else self.origin.prior_head


def examine(
    source: Source, progress: Callable[[int], None] | None = None, new_hash: NewHash = hashlib.sha256
) -> Examination:
    """Read `source` once, twice when a fragment was changed in place. `progress` is told the bytes behind us now and
    then. Never raises for damaged content.

    `new_hash` makes the three SHA-256 that every byte goes through: over the whole file, over what the signature of
    each fragment covers, and over its media. They are compared some fragments later, so that a shell can hand in one
    that works on other processors meanwhile. When one does not agree, where the next fragment begins was a guess:
    everything is read again, and each is compared before the next is looked for.
    """
    head = _read_head(source, new_hash)
    if head.manifest is None:
        ours = find_fragment(source, 0) < source.size
        foreign = head.manifest_at > 0 and not head.reserved and not ours
        nothing = b"", b"", head.unsupported, foreign
        known = head.manifest_at > 0 or ours
        return Examination(source.size, None, head.manifest_at, known, (), head.end, head.damage, (), *nothing)
    body = walk_fragments(source, head.manifest, head.end, head.flat, progress, new_hash)
    damage, tail = head.damage + tuple(body.damage), tuple(body.pending)
    return Examination(
        source.size,
        head.manifest,
        head.manifest_at,
        True,
        tuple(body.records),
        body.intact_end,
        damage,
        tail,
        body.intact_flat.digest(),
        body.flat.digest(),
    )


def seal_recovered(
    examination: Examination,
    signer: CertifiedSigner,
    at: Instant,
    reason: Reason = Reason.DEVICE_RESTART,
    gaps: tuple[JournalEvent, ...] = (),
) -> Patch:
    """The seal of a segment that was cut off, once its torn tail is cut away: `recovered`, with the `reason` why it was
    cut off and with the events no fragment carries.

    Raises `SenderFault` when the file is sealed already, has no readable manifest, or was not opened by the key of
    `signer`: a device does not put its name to what another began.
    """
    found = examination.manifest
    if found is None or found.seal is not None:
        raise SenderFault("此文件没有可读的开头凭证，或已经封存，不能恢复封存；请原样保留。")
    if key_id_of(found.leaf_key) != signer.key_id:
        raise SenderFault("此文件不是由本机密钥开始录制的，不予封存；请原样保留并交技术人员核查。")
    records = examination.fragments
    closing = Closing(at, reason, recovered=True, discarded_bytes=examination.torn_bytes, gaps=gaps)
    seal = Seal(
        closing,
        found.label,
        len(records),
        examination.head,
        examination.intact_bytes,
        records[0].entry.moment.captured if records else None,
        records[-1].entry.moment.captured if records else None,
        tuple((place.offset, place.size) for place in examination.damage),
        opening_signature=found.signature,
    )
    labels = (manifest.ACTIONS_LABEL, statements.RECORDING_LABEL, session.SESSION_KEYS_LABEL)
    kept = tuple(manifest.Assertion(label, found.assertions[label]) for label in labels)
    origin = found.opening.origin
    return segment.sealing_patch(origin, kept, seal, examination.flat_hash, signer, examination.manifest_at)


@dataclass(frozen=True)
class _Head:
    manifest: Manifest | None
    manifest_at: int
    end: int
    damage: tuple[Damage, ...]
    flat: FlatHash = field(default_factory=FlatHash)
    unsupported: str = ""
    reserved: bool = False  # its manifest has the size that ours have


def _read_head(source: Source, new_hash: NewHash) -> _Head:
    boxes: list[Box] = []
    broken = False
    try:
        for box in bmff.walk(source):
            boxes.append(box)
            if len(boxes) == 3:
                break
    except BrokenBox:
        broken = True
    at = next((box.offset for box in boxes if box.is_user_type(bmff.C2PA_BOX)), 0)
    end = boxes[-1].end if boxes else 0
    reserved = any(box.offset == at and box.size == manifest.RESERVED_BYTES for box in boxes)
    if broken or [box.kind for box in boxes] != [b"ftyp", b"uuid", b"moov"] or at != boxes[1].offset:
        return _Head(None, at, end, (Damage(0, source.size, MANIFEST),), reserved=reserved)
    try:
        ftyp, found, moov = boxes[0].raw(), read_manifest(boxes[1].raw()), boxes[2].raw()
    except SenderFault as fault:
        unsupported = str(fault) if isinstance(fault, UnknownDialect) else ""
        return _Head(
            None, at, end, (Damage(at, manifest.RESERVED_BYTES, MANIFEST),), unsupported=unsupported, reserved=reserved
        )
    head = _Head(found, at, end, tuple(_head_damage(boxes, found, ftyp, moov)), FlatHash(new_hash))
    head.flat.add(boxes[2].offset, moov)
    return head


def _head_damage(boxes: list[Box], found: Manifest, ftyp: bytes, moov: bytes) -> Iterator[Damage]:
    for box, data, expected in ((boxes[0], ftyp, found.opening.ftyp), (boxes[2], moov, found.opening.moov)):
        if hashlib.sha256(data).hexdigest() != expected:
            yield Damage(box.offset, box.size, box.kind.decode("ascii"))
