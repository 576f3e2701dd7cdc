"""Reading one signed fragment from a file that may be damaged: what it is, and which of its boxes does not verify."""

import hashlib
from dataclasses import dataclass, replace

from agent.errors import SenderFault
from agent.evidence import bmff, journal, vsi
from agent.evidence.bmff import Box, BrokenBox, Source
from agent.evidence.flat_hash import FlatHash, Hash, NewHash, offset_bytes
from agent.evidence.journal import JournalEntry, JournalRecord
from agent.evidence.vsi import SegmentInfo
from agent.evidence.vsi_reading import SegmentInfoReader
from agent.wire.identifiers import Digest

STRUCTURE, SIGNATURE, JOURNAL, MOOF, MDAT = "structure", "signature", "journal", "moof", "mdat"
NEAR_BYTES = 8 * 1024  # ours; read at once: the boxes before the media of half a second take 4 KiB
_SIGN = vsi.STYP  # what every fragment begins with
_AFTER_SIGN = b"emsg" + bytes(vsi.VERSION_AND_FLAGS) + vsi.SCHEME  # four bytes of size stand between


@dataclass(frozen=True)
class Fragment:
    """A fragment at `offset`, up to `end`. `fault` is None while nothing speaks against it: then `info`, `entry` and
    `head` are there and signed, `covered` has seen everything that `info` covers (`settled` compares them), and `media`
    moof and mdat, to be compared with what `entry` says of them. Otherwise it names the first box found wrong, and they
    are what could still be read. `added`: it went into the hash over the file, at least in part."""

    offset: int
    end: int
    fault: str | None
    info: SegmentInfo | None = None
    entry: JournalEntry | None = None
    head: Digest | None = None
    media_offset: int = 0
    covered: Hash | None = None
    media: Hash | None = None
    added: bool = False

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
    signatures: SegmentInfoReader,
    live_manifest: str,
    flat: FlatHash,
    new_hash: NewHash = hashlib.sha256,
) -> Fragment:
    """The fragment at `offset`; its boxes are added to `flat` when nothing speaks against it up to its media. A
    fragment that does not verify comes back with its fault, not as an error; its `end` is then only how far it was
    read. What only its hashes can show is for `settled` to say, when they are done."""
    reading = _Reading(source, offset, signatures, live_manifest, flat, new_hash)
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
        signatures: SegmentInfoReader,
        live_manifest: str,
        flat: FlatHash,
        new_hash: NewHash,
    ) -> None:
        self._source, self._offset, self._signatures, self._flat = source, offset, signatures, flat
        self._media, self._covered = new_hash(), new_hash()
        self._live_manifest = live_manifest
        self._at, self._expected = offset, STRUCTURE
        self._near = source.read_at(offset, NEAR_BYTES)
        self._of_flat: list[bytes] = []  # what the hashes take before the media, each in one piece
        self._of_covered: list[bytes] = []
        self._added = False
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
        agreed = self._agreed()
        self._stream_mdat(good=agreed and self._suspect is None)
        known = (self._info, self._entry, self._head, media_offset, self._covered, self._media, self._added)
        if self._suspect is not None or agreed:
            return Fragment(self._offset, self._at, self._suspect, *known)
        found = settled(Fragment(self._offset, self._at, None, *known))
        return replace(found, fault=found.fault or JOURNAL)

    def broken(self) -> Fragment:
        """A box of the walk is no box: what is known so far."""
        if self._expected == STRUCTURE and self._offset + len(_SIGN) < self._source.size:
            self._peek_signature()
        fault = self._suspect or self._expected  # a wrong size shows at the box after it
        return Fragment(self._offset, self._at, fault, self._info, self._entry, self._head, added=self._added)

    def _peek_signature(self) -> None:
        try:
            self._signature(bmff.box_at(self._source, self._offset + len(_SIGN)).raw())
        except BrokenBox:
            self._info = None

    def _next(self, kind: bytes, name: str) -> tuple[int, int]:
        """Where the next box begins, and its size with the header."""
        self._expected, begin = name, self._at
        head = self._near[begin - self._offset : begin - self._offset + bmff.HEADER]
        size = int.from_bytes(head[:4])
        if head[4:] != kind or not bmff.HEADER <= size <= self._source.size - begin:
            box = bmff.box_at(self._source, begin)  # says what is wrong, unless this is only farther away
            if box.kind != kind or box.header != bmff.HEADER:
                raise BrokenBox(begin)
            size = box.size
        self._at = begin + size
        return begin, size

    def _loaded(self, kind: bytes, name: str, *, covered: bool = True) -> bytes:
        begin, size = self._next(kind, name)
        if kind == b"styp" and size != len(_SIGN):
            raise BrokenBox(begin)
        data = self._near[begin - self._offset : self._at - self._offset]
        if len(data) != size:
            data = Box(self._source, begin, kind, bmff.HEADER, size).raw()
        self._of_flat += (offset_bytes(begin), data)
        if covered:
            self._of_covered += (offset_bytes(begin - self._offset), data)
        return data

    def _stream_mdat(self, *, good: bool) -> None:
        begin, size = self._next(b"mdat", MDAT)
        self._added = good
        flat, covered, media = self._flat if good else None, self._covered, self._media
        covered.update(b"".join((*self._of_covered, offset_bytes(begin - self._offset))))
        if flat is not None:
            flat.update(b"".join((*self._of_flat, offset_bytes(begin))))
        for chunk in self._source.chunks(begin, size):
            if flat is not None:
                flat.update(chunk)
            covered.update(chunk)
            media.update(chunk)

    def _suspects(self, name: str) -> None:
        self._suspect = self._suspect or name

    def _signature(self, emsg: bytes) -> None:
        try:
            self._info = self._signatures.open(emsg)
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
