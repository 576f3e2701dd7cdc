"""Reading an encrypted segment at any place, damaged or cut off as it may be.

What is damaged reads as zeros, so that everything behind it stays where it was: the fragments there still verify, and
the one that was hit is named by its own signature. Every damaged stretch is named here too, by its place in the file.
"""

from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import OperatorFault, SenderFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_stream import (
    CHUNK_BYTES,
    HEAD_BYTES,
    MAX_HEADER_BYTES,
    SLOT_BYTES,
    SUFFIX,
    TAG_BYTES,
    ChunkPlace,
    Header,
    StreamKey,
    parse_header,
    unwrap_key,
)
from agent.evidence.encrypted_walk import CHUNK_KIND, SLOT_KIND, TAIL_KIND, EncryptedDamage, Record, Walk
from agent.evidence.places import MISSING, SegmentFile
from agent.evidence.report import COMPLETENESS, INTEGRITY, Finding, Place, Verdict
from agent.wire.signing import key_id_of

AT_REST, HEADER_KIND = "at-rest", "header"


@dataclass
class EncryptedSegment:
    """An opened segment. `plain` is its plaintext; `finished` says that its end is where it was put; `end` is where
    the last record ends in the file. `damage` grows while `plain` is read."""

    header: Header
    size: int
    records: list[Record]
    finished: bool
    end: int
    damage: list[EncryptedDamage]
    plain: Source = field(default_factory=lambda: Source.of_bytes(b""))
    sealed_slot: bool = False
    slot_box: bytes | None = None

    def boundary(self, plain: int) -> int:
        """Where in the file the plaintext before `plain` ends; raises `SenderFault` when a record lies across it."""
        for record in self.records:
            if record.plain >= plain:
                found = record.offset if record.plain == plain else None
                break
        else:
            found = self.end if self.size == plain else None
        if found is None:
            raise SenderFault("加密录像不能在这一位置截断；请原样保留并交技术人员核查。")
        return found


def read_header(source: Source) -> tuple[Header, int]:
    """The header of an encrypted segment and its length; raises `SenderFault`."""
    return parse_header(source.read_at(0, MAX_HEADER_BYTES))


def open_encrypted(source: Source, data_key: bytes, to: str = "") -> EncryptedSegment:
    """The segment in `source`; raises `SenderFault` only when there is no header of ours. `to` is the id of the archive
    key that did unwrap `data_key`: a header that names another was changed, and is read as it was written."""
    found, begin = read_header(source)
    header = replace(found, wrapped=replace(found.wrapped, to=to or found.wrapped.to))
    key = StreamKey(data_key, header)
    changed = [] if header == found else [EncryptedDamage(HEADER_KIND, 0, begin)]
    walk = Walk(source, key, begin + SLOT_BYTES)
    records = list(walk.records())
    size = sum(record.length for record in records)
    opened = EncryptedSegment(header, size, records, walk.finished, walk.offset, changed + walk.damage)
    patch = _slot(opened, key, source.read_at(begin, SLOT_BYTES), begin)
    reader = _Reader(source, key, records, opened.damage)
    plain = Source(size, reader.read_at)
    opened.plain = plain if patch is None else plain.patched(*patch)
    opened.sealed_slot = patch is not None
    opened.slot_box = None if patch is None else patch[1]
    return opened


def open_with_archive_key(source: Source, archive: ec.EllipticCurvePrivateKey) -> EncryptedSegment:
    """As `open_encrypted`, with the archive's key. Raises `OperatorFault` when the segment names another key, and
    `SenderFault` when it names this one and yet cannot be opened: then its header was changed."""
    header, _ = read_header(source)
    own = key_id_of(archive.public_key())
    try:
        return open_encrypted(source, unwrap_key(header.wrapped, archive), own)
    except SenderFault as fault:
        if header.wrapped.to == own:
            raise
        named = header.wrapped.to[:16]
        raise OperatorFault(f"此录像是为另一把存档密钥（编号 {named}…）加密的。请用 --key 指明那一把。") from fault


def decrypted_segment(name: str, source: Source, archive: ec.EllipticCurvePrivateKey) -> SegmentFile:
    """The encrypted segment in `source` for `agent.evidence.verify`, under its plain `name`; nothing of it is written
    anywhere. Raises `OperatorFault` for another key; a header that was changed is a finding."""
    try:
        opened = open_with_archive_key(source, archive)
    except SenderFault:
        header = EncryptedDamage(HEADER_KIND, 0, min(source.size, MAX_HEADER_BYTES))
        return SegmentFile(name, Source.of_bytes(b""), lambda: [damage_finding(name, header)])
    return SegmentFile(name, opened.plain, lambda: encryption_findings(name, opened))


def encryption_findings(name: str, opened: EncryptedSegment) -> list[Finding]:
    """What the encryption of segment `name` says, after its plaintext was read through: every changed stretch, by its
    place in the encrypted file, and an end that is not there."""
    return [damage_finding(name, damage) for damage in opened.damage] + _unfinished(name, opened)


def damage_finding(name: str, damage: EncryptedDamage) -> Finding:
    """A changed stretch of the encrypted file of segment `name`."""
    place = Place(name + SUFFIX, AT_REST, offset=damage.offset, size=damage.size)
    words = f"{place.file}：自第 {damage.offset} 字节起 {damage.size} 字节密文（{damage.kind}）被改动、损坏或残缺。"
    if damage.kind == TAIL_KIND:
        return Finding(Verdict.MISSING, COMPLETENESS, words, replace(place, kind=MISSING))
    return Finding(Verdict.ALTERED, INTEGRITY, words, place)


def _unfinished(name: str, opened: EncryptedSegment) -> list[Finding]:
    if opened.finished:
        return []
    words = f"{name}{SUFFIX}：加密流没有结束标记，录制未正常结束，或末尾被截去。"
    return [Finding(Verdict.UNEXPLAINED_GAP, COMPLETENESS, words)]


def _slot(opened: EncryptedSegment, key: StreamKey, slot: bytes, offset: int) -> tuple[int, bytes] | None:
    if len(slot) < SLOT_BYTES:  # cut off before the first record
        opened.damage.append(EncryptedDamage(TAIL_KIND, offset, len(slot)))
        return None
    try:
        patch = key.unlock_slot(slot)
    except SenderFault:
        opened.damage.append(EncryptedDamage(SLOT_KIND, offset, SLOT_BYTES))
        return None
    if patch is None and opened.finished:  # a stream is finished after its seal was written, never before
        opened.damage.append(EncryptedDamage(SLOT_KIND, offset, SLOT_BYTES))
    return patch


class _Reader:
    """Plaintext by offset; the chunk read last is kept."""

    def __init__(self, source: Source, key: StreamKey, records: list[Record], damage: list[EncryptedDamage]) -> None:
        self._source, self._key, self._damage = source, key, damage
        self._records, self._at = records, 0
        self._kept: tuple[int, bytes] = (-1, b"")
        self._told: set[int] = set()

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes of plaintext."""
        pieces: list[bytes] = []
        end = offset + length
        while offset < end and (record := self._record(offset)) is not None:
            number = (offset - record.plain) // CHUNK_BYTES
            begin = record.plain + number * CHUNK_BYTES
            chunk = self._chunk(record, number)
            piece = chunk[offset - begin : end - begin]
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)

    def _record(self, offset: int) -> Record | None:
        if self._at < len(self._records) and offset < self._records[self._at].plain:
            self._at = 0
        low, high = self._at, len(self._records)
        while low < high:
            middle = (low + high) // 2
            record = self._records[middle]
            if offset < record.plain:
                high = middle
            elif offset >= record.plain + record.length:
                low = middle + 1
            else:
                self._at = middle
                return record
        return None

    def _tell(self, offset: int, size: int) -> None:
        """One stretch for neighbours: a file of nothing but damage is one finding, however many chunks it has."""
        last = self._damage[-1] if self._damage else None
        if last is not None and last.kind == CHUNK_KIND and 0 <= offset - last.offset - last.size <= HEAD_BYTES:
            self._damage[-1] = replace(last, size=offset + size - last.offset)
        else:
            self._damage.append(EncryptedDamage(CHUNK_KIND, offset, size))

    def _chunk(self, record: Record, number: int) -> bytes:
        size = min(CHUNK_BYTES, record.length - number * CHUNK_BYTES)
        offset = record.offset + HEAD_BYTES + number * (CHUNK_BYTES + TAG_BYTES)
        if self._kept[0] == offset:
            return self._kept[1]
        if record.lost:
            return bytes(size)
        try:
            plain = self._key.unlock(ChunkPlace(offset, record.head), self._source.read_at(offset, size + TAG_BYTES))
        except SenderFault:
            if offset not in self._told:
                self._told.add(offset)
                self._tell(offset, size + TAG_BYTES)
            plain = bytes(size)
        self._kept = (offset, plain)
        return plain
