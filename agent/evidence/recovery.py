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
from agent.evidence.flat_hash import FlatHash, Hash, NewHash, is_excluded
from agent.evidence.fragments import JOURNAL, STRUCTURE, Fragment, find_fragment, read_fragment
from agent.evidence.journal import JournalEvent, JournalRecord, Reason
from agent.evidence.manifest_reading import Manifest, read_manifest
from agent.evidence.segment import Patch
from agent.evidence.statements import Closing, Seal, SegmentOrigin
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest
from agent.wire.instant import Instant
from agent.wire.signing import CertifiedSigner, key_id_of

MAX_DAMAGE = 1000  # ours; a file with more damaged stretches is one damaged stretch from there on
MAX_WASTE = 4  # ours; how often a hostile file may have its own length read in vain
MANIFEST, FTYP, MOOV, APPENDED = "manifest", "ftyp", "moov", "appended"


@dataclass(frozen=True)
class Damage:
    """A stretch that does not verify. `kind` is `ftyp`, `manifest`, `moov`, `appended` (a foreign box) or one of
    `agent.evidence.fragments`; `fragment` is what could be read of the fragment there."""

    offset: int
    size: int
    kind: str
    fragment: Fragment | None = None


@dataclass(frozen=True)
class Examination:
    """What stands in a segment file. `fragments` are those that verify, in file order; `intact_bytes` is where the
    last of them (or the head) ends and where an unsealed file is to be cut; `damage` lies before it; `tail` is the
    run of damage after it. `flat_hash` covers the intact bytes, `whole_hash` everything. `manifest` is None when it
    is missing or does not verify; nothing else is then read. `recognised`: the file looks like one of ours."""

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
    """Read `source` once. `progress` is told the bytes behind us now and then. Never raises for damaged content.

    `new_hash` makes the SHA-256 over the whole file and over the media of each fragment, two of the three that every
    byte goes through: a shell that hands in one that works on another processor halves the time.
    """
    head = _read_head(source, new_hash)
    if head.manifest is None:
        known = head.manifest_at > 0 or find_fragment(source, 0) < source.size
        return Examination(source.size, None, head.manifest_at, known, (), head.end, head.damage, (), b"", b"")
    body = _Body(head.flat, head.end)
    for fragment in _fragments(source, head, body, new_hash):
        if progress is not None:
            progress(fragment.end)
    body.compare_media()
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


class _Body:
    """What the walk over the fragments gathers; `flat` runs ahead, `intact_flat` stands after the last verified one."""

    def __init__(self, flat: FlatHash, end: int) -> None:
        self.flat, self.intact_flat, self.intact_end = flat, flat.copy(), end
        self.records: list[JournalRecord] = []
        self._media: list[tuple[Fragment, Hash]] = []
        self.damage: list[Damage] = []
        self.pending: list[Damage] = []

    def verified(self, fragment: Fragment) -> None:
        """Damage before a fragment that verifies lies inside the file."""
        self.damage += self.pending
        self.pending = []
        self.records.append(fragment.record())
        if fragment.media is not None:
            self._media.append((fragment, fragment.media))
        self.intact_flat, self.intact_end = self.flat.copy(), fragment.end

    def compare_media(self) -> None:
        """Fragments whose entry tells another hash of their media than they have, although both are signed, go from
        the records to the damage: checking by hand would call them changed."""
        told = {record.offset: record.entry.media for record in self.records}
        for fragment, media in self._media:
            if media.digest().hex() != told[fragment.offset]:
                self.records = [record for record in self.records if record.offset != fragment.offset]
                self.damage.append(Damage(fragment.offset, fragment.end - fragment.offset, JOURNAL, fragment))


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
    if broken or [box.kind for box in boxes] != [b"ftyp", b"uuid", b"moov"] or at != boxes[1].offset:
        return _Head(None, at, end, (Damage(0, source.size, MANIFEST),))
    try:
        ftyp, found, moov = boxes[0].raw(), read_manifest(boxes[1].raw()), boxes[2].raw()
    except SenderFault:
        return _Head(None, at, end, (Damage(at, manifest.RESERVED_BYTES, MANIFEST),))
    head = _Head(found, at, end, tuple(_head_damage(boxes, found, ftyp, moov)), FlatHash(new_hash))
    head.flat.add(boxes[2].offset, moov)
    return head


def _head_damage(boxes: list[Box], found: Manifest, ftyp: bytes, moov: bytes) -> Iterator[Damage]:
    for box, data, expected in ((boxes[0], ftyp, found.opening.ftyp), (boxes[2], moov, found.opening.moov)):
        if hashlib.sha256(data).hexdigest() != expected:
            yield Damage(box.offset, box.size, box.kind.decode("ascii"))


def _fragments(source: Source, head: _Head, body: _Body, new_hash: NewHash) -> Iterator[Fragment]:
    found = head.manifest
    if found is None:
        return
    live = found.label if found.seal is None else found.seal.live_manifest
    offset, wasted = head.end, 0
    while offset < source.size:
        before = body.flat.copy() if body.pending else None
        fragment = read_fragment(source, offset, found.session, live, body.flat, new_hash)
        if fragment.fault is None:
            body.verified(fragment)
            offset = fragment.end
        else:
            wasted += fragment.end - offset
            hopeless = wasted > MAX_WASTE * source.size or len(body.damage) + len(body.pending) >= MAX_DAMAGE
            end = source.size if hopeless else find_fragment(source, offset + 1)
            body.flat = before or body.intact_flat.copy()
            _add_stretch(source, offset, end, body.flat)
            body.pending.append(Damage(offset, end - offset, _kind(source, fragment), fragment))
            offset = end
        yield fragment


def _kind(source: Source, fragment: Fragment) -> str:
    if fragment.fault != STRUCTURE or fragment.info is not None:
        return fragment.fault or STRUCTURE
    try:
        bmff.box_at(source, fragment.offset)
    except BrokenBox:
        return STRUCTURE
    return APPENDED


def _add_stretch(source: Source, offset: int, end: int, flat: FlatHash) -> None:
    """Hash a stretch that holds no verified fragment: box by box as a foreign reader would, the rest in one piece."""
    bounded = Source(end, source.read_at)
    try:
        for box in bmff.walk(bounded, offset):
            if not is_excluded(box):
                flat.add(box.offset)
                for chunk in box.chunks():
                    flat.update(chunk)
            offset = box.end
    except BrokenBox:
        flat.add(offset)
        for chunk in source.chunks(offset, end - offset):
            flat.update(chunk)
