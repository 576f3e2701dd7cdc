"""Finding the records of an encrypted segment, damaged or cut off as it may be.

A damaged record head is mended when one bit is wrong, otherwise the next record is searched for: the first chunk of a
record tells with its tag whether a place is one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from agent.errors import SenderFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_stream import (
    CHECK,
    CHUNK_BYTES,
    HEAD_BYTES,
    TAG_BYTES,
    ChunkPlace,
    StreamKey,
    parse_head,
    record_bytes,
)

SEARCH_BYTES = 4 * 2**20  # ours; how far behind a damaged head the next record may begin: half a second at 64 Mbit/s
MAX_SEARCHED, MAX_TRIES = 64 * 2**20, 4096  # ours; what a hostile file may cost before the rest of it is given up
SMALL_BYTES, MAX_BAD = 4096, 64  # ours; so many records in a row, all shorter than a fragment and none of them ours
SLOT_KIND, CHUNK_KIND, HEAD_KIND, TAIL_KIND, AFTER_KIND = "slot", "chunk", "head", "tail", "after"


@dataclass(frozen=True)
class EncryptedDamage:
    """`size` bytes from `offset` of the encrypted file that are not what was written."""

    kind: str
    offset: int
    size: int


@dataclass(frozen=True)
class Record:
    """`length` bytes of plaintext at `plain`, in the file from `offset` with `head`; `lost`: nothing can be read."""

    offset: int
    plain: int
    length: int
    head: bytes
    lost: bool = False


class Walk:
    """Finds the records; `offset` is where the walk stands, `damage` what it could not make sense of."""

    def __init__(self, source: Source, key: StreamKey, begin: int) -> None:
        self._source, self._key = source, key
        self.offset, self.finished = begin, False
        self.damage: list[EncryptedDamage] = []
        self._tries, self._searched, self._bad = 0, 0, 0

    def records(self) -> Iterator[Record]:
        """Every record in order; damaged stretches between two of them as one lost record."""
        plain, source = 0, self._source
        while self.offset < source.size and not self.finished:
            head = self._head_at(self.offset)
            record = self._lost(plain) if head is None else Record(self.offset, plain, parse_head(head) or 0, head)
            if record is None:
                return
            if record.length == 0 and not record.lost:
                self._finish(record)
                return
            if self._is_endless(record):
                self.damage.append(EncryptedDamage(TAIL_KIND, record.offset, source.size - record.offset))
                return
            whole = self._within(record)
            yield whole
            plain += whole.length
            if whole.length < record.length:
                return
            if not record.lost:
                self.offset += record_bytes(record.length)

    def _is_endless(self, record: Record) -> bool:
        """Whether a run of small records, each with its cost in memory and time, has gone on without one of ours."""
        if record.lost or record.length > SMALL_BYTES:
            return False
        self._bad = (
            0 if self._opens(ChunkPlace(record.offset + HEAD_BYTES, record.head), record.length) else self._bad + 1
        )
        return self._bad > MAX_BAD

    def _within(self, record: Record) -> Record:
        """`record`, or as many of its chunks as stand whole in a file that was cut off."""
        room = self._source.size - record.offset
        if record.lost or record_bytes(record.length) <= room:
            return record
        whole = max(0, room - HEAD_BYTES) // (CHUNK_BYTES + TAG_BYTES)
        self.damage.append(EncryptedDamage(TAIL_KIND, record.offset, room))
        return Record(record.offset, record.plain, whole * CHUNK_BYTES, record.head)

    def _finish(self, record: Record) -> None:
        size, source = record_bytes(0), self._source
        tag = source.read_at(record.offset + HEAD_BYTES, TAG_BYTES)
        try:
            self._key.unlock(ChunkPlace(record.offset + HEAD_BYTES, record.head, final=True), tag)
        except SenderFault:
            self.damage.append(EncryptedDamage(TAIL_KIND, record.offset, source.size - record.offset))
            return
        self.finished = True
        if source.size > record.offset + size:
            rest = source.size - record.offset - size
            self.damage.append(EncryptedDamage(AFTER_KIND, record.offset + size, rest))

    def _head_at(self, offset: int) -> bytes | None:
        """The head at `offset`, mended where one bit is wrong; None when there is none."""
        head = self._source.read_at(offset, HEAD_BYTES)
        if parse_head(head) is not None or len(head) < HEAD_BYTES:
            return head if len(head) == HEAD_BYTES else None
        for bit in range(8 * HEAD_BYTES):
            mended = (int.from_bytes(head) ^ 1 << bit).to_bytes(HEAD_BYTES)
            if self._begins(offset, mended):
                self.damage.append(EncryptedDamage(HEAD_KIND, offset, HEAD_BYTES))
                return mended
        return None

    def _lost(self, plain: int) -> Record | None:
        """The stretch up to the next record as one record that cannot be read; None when no other follows."""
        begin = self.offset
        found = next(self._found(begin + 1), None)
        if found is None:
            self.damage.append(EncryptedDamage(TAIL_KIND, begin, self._source.size - begin))
            return None
        self.damage.append(EncryptedDamage(HEAD_KIND, begin, found - begin))
        self.offset = found
        return Record(begin, plain, _plain_length(found - begin), b"", lost=True)

    def _found(self, begin: int) -> Iterator[int]:
        length = min(SEARCH_BYTES, max(0, MAX_SEARCHED - self._searched))
        stretch = self._source.read_at(begin, length)
        self._searched += len(stretch)
        for at in range(len(stretch) - HEAD_BYTES + 1):
            if stretch[at] ^ stretch[at + 1] ^ stretch[at + 2] ^ stretch[at + 3] != CHECK:
                continue
            if self._tries >= MAX_TRIES:
                return
            if self._begins(begin + at, stretch[at : at + HEAD_BYTES]):
                yield begin + at

    def _begins(self, offset: int, head: bytes) -> bool:
        """Whether a record with `head` begins at `offset`: its first chunk tells."""
        length = parse_head(head)
        if length is None or record_bytes(length) > self._source.size - offset:
            return False
        self._tries += 1
        first = ChunkPlace(offset + HEAD_BYTES, head, final=length == 0)
        return self._opens(first, min(length, CHUNK_BYTES))

    def _opens(self, place: ChunkPlace, length: int) -> bool:
        try:
            self._key.unlock(place, self._source.read_at(place.offset, length + TAG_BYTES))
        except SenderFault:
            return False
        return True


def _plain_length(stretch: int) -> int:
    """How much plaintext a stretch of the file held, if it was one record."""
    chunks = -(-(stretch - HEAD_BYTES) // (CHUNK_BYTES + TAG_BYTES))
    return max(0, stretch - HEAD_BYTES - TAG_BYTES * chunks)
