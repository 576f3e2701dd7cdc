"""Reading one signed fragment from a file that may be damaged: what it is, and which of its boxes does not verify."""

import hashlib
from dataclasses import dataclass, replace

from agent.errors import SenderFault
from agent.evidence import bmff, journal, vsi
from agent.evidence.bmff import Box, BrokenBox, Source
from agent.evidence.flat_hash import FlatHash, Hash, NewHash
from agent.evidence.journal import JournalEntry, JournalRecord
from agent.evidence.session import CertifiedSession
from agent.evidence.vsi import FragmentHash, SegmentInfo
from agent.wire.identifiers import Digest

STRUCTURE, SIGNATURE, JOURNAL, MOOF, MDAT = "structure", "signature", "journal", "moof", "mdat"
_SIGN = vsi.STYP  # what every fragment begins with
_AFTER_SIGN = b"emsg" + bytes(vsi.VERSION_AND_FLAGS) + vsi.SCHEME  # four bytes of size stand between


@dataclass(frozen=True)
class Fragment:
    """A fragment at `offset`, up to `end`. `fault` is None while nothing speaks against it: then `info`, `entry` and
    `head` are there and signed, `covered` has seen everything that `info` covers (`settled` compares them), and `media`
    moof and mdat, to be compared with what `entry` says of them. Otherwise it names the first box found wrong, and they
    are what could still be read."""

    offset: int
    end: int
    fault: str | None
    info: SegmentInfo | None = None
    entry: JournalEntry | None = None
    head: Digest | None = None
    media_offset: int = 0
    covered: FragmentHash | None = None
    media: Hash | None = None

    def record(self) -> JournalRecord:
        """The journal record of a fragment that verifies; raises `SenderFault` for one that does not."""
        if self.fault is not None or self.entry is None or self.head is None:
            raise SenderFault("片段未通过验证，不能作为记录。")
        size = self.end - self.offset
        return JournalRecord(self.entry, self.head, self.offset, size, self.media_offset, self.end - self.media_offset)


def find_fragment(source: Source, offset: int) -> int:
    """Where the next fragment seems to begin at or after `offset`; the source's size when none does."""
    overlap = len(_SIGN) + 4 + len(_AFTER_SIGN)
    while offset < source.size:
        window = source.read_at(offset, bmff.CHUNK_BYTES + overlap)
        at = window.find(_SIGN)
        while at >= 0:
            if window[at + len(_SIGN) + 4 :].startswith(_AFTER_SIGN):
                return offset + at
            at = window.find(_SIGN, at + 1)
        offset += bmff.CHUNK_BYTES
    return source.size


def read_fragment(
    source: Source,
    offset: int,
    session: CertifiedSession,
    live_manifest: str,
    flat: FlatHash,
    new_hash: NewHash = hashlib.sha256,
) -> Fragment:
    """The fragment at `offset`; its boxes are added to `flat` as they are read. A fragment that does not verify comes
    back with its fault, not as an error; its `end` is then only how far it was read. What only its hashes can show is
    for `settled` to say, when they are done."""
    reading = _Reading(source, offset, session, live_manifest, flat, new_hash)
    try:
        return reading.read()
    except BrokenBox:
        return reading.broken()


def settled(fragment: Fragment) -> Fragment:
    """`fragment` once its hash is compared with the one that was signed: as it was, or with the fault it has."""
    info, entry, covered, media = fragment.info, fragment.entry, fragment.covered, fragment.media
    if fragment.fault is not None or info is None or entry is None or covered is None or media is None:
        return fragment
    if info.digest == covered.digest():
        return fragment
    return replace(fragment, fault=MDAT if entry.media != media.digest().hex() else JOURNAL)


class _Reading:
    """The walk through the five boxes, keeping what was learnt when a box turns out broken."""

    def __init__(
        self,
        source: Source,
        offset: int,
        session: CertifiedSession,
        live_manifest: str,
        flat: FlatHash,
        new_hash: NewHash,
    ) -> None:
        self._source, self._offset, self._session, self._flat = source, offset, session, flat
        self._media, self._covered = new_hash(), FragmentHash(new_hash)
        self._live_manifest = live_manifest
        self._at, self._expected = offset, STRUCTURE
        self._suspect: str | None = None  # the first box whose own content is wrong
        self._info: SegmentInfo | None = None
        self._entry: JournalEntry | None = None
        self._head: Digest | None = None

    def read(self) -> Fragment:
        if self._loaded(b"styp", STRUCTURE) != _SIGN:
            self._suspects(STRUCTURE)
        self._signature(self._loaded(b"emsg", SIGNATURE, covered=False))
        self._journal(self._loaded(b"uuid", JOURNAL))
        media_offset = self._at
        moof = self._loaded(b"moof", MOOF)
        if self._entry is not None and not hashlib.sha256(moof).digest().startswith(self._entry.moof):
            self._suspects(MOOF)
        self._media.update(moof)
        self._stream_mdat()
        known = (self._info, self._entry, self._head, media_offset, self._covered, self._media)
        if self._suspect is not None or self._agreed():
            return Fragment(self._offset, self._at, self._suspect, *known)
        found = settled(Fragment(self._offset, self._at, None, *known))
        return replace(found, fault=found.fault or JOURNAL)

    def broken(self) -> Fragment:
        """A box of the walk is no box: what is known so far."""
        if self._expected == STRUCTURE and self._offset + len(_SIGN) < self._source.size:
            self._peek_signature()
        fault = self._suspect or self._expected  # a wrong size shows at the box after it
        return Fragment(self._offset, self._at, fault, self._info, self._entry, self._head)

    def _peek_signature(self) -> None:
        try:
            self._signature(bmff.box_at(self._source, self._offset + len(_SIGN)).raw())
        except BrokenBox:
            self._info = None

    def _next(self, kind: bytes, name: str) -> Box:
        self._expected = name
        box = bmff.box_at(self._source, self._at)
        if box.kind != kind or box.header != bmff.HEADER:
            raise BrokenBox(self._at)
        self._at = box.end
        return box

    def _loaded(self, kind: bytes, name: str, *, covered: bool = True) -> bytes:
        box = self._next(kind, name)
        if kind == b"styp" and box.size != len(_SIGN):
            raise BrokenBox(box.offset)
        data = box.raw()
        if covered:
            self._covered.add(data)
        else:
            self._covered.skip(box.size)
        self._flat.add(box.offset, data)
        return data

    def _stream_mdat(self) -> None:
        box = self._next(b"mdat", MDAT)
        self._covered.begin(box.size)
        self._flat.add(box.offset)
        for chunk in box.chunks():
            self._covered.update(chunk)
            self._flat.update(chunk)
            self._media.update(chunk)

    def _suspects(self, name: str) -> None:
        self._suspect = self._suspect or name

    def _signature(self, emsg: bytes) -> None:
        try:
            self._info = vsi.open_fragment(emsg, self._session)
        except SenderFault:
            self._suspects(SIGNATURE)

    def _journal(self, box: bytes) -> None:
        if box[bmff.HEADER : bmff.HEADER + bmff.USER_TYPE] != bmff.JOURNAL_BOX.bytes:
            raise BrokenBox(self._at - len(box))
        try:
            data = journal.entry_bytes(box)
            self._entry, self._head = journal.parse_entry(data), journal.head_of(data)
        except SenderFault:
            self._suspects(JOURNAL)

    def _agreed(self) -> bool:
        """Whether the signature and the entry speak of the same fragment of this segment."""
        info, entry = self._info, self._entry
        if info is None or entry is None:
            return False
        told = (entry.sequence, entry.moment.duration_ms)
        return told == (info.sequence, info.duration_ms) and info.manifest == self._live_manifest
