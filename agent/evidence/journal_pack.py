"""The journal of a recording while it is made, packed: eight hours are 43 MB of lines, and 9 MB here (pure)."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator

from agent.evidence.journal import PHOTO, JournalRecord
from agent.evidence.sidecars import journal_line
from agent.wire.device_events import GENESIS

PIECE_BYTES = 16_384  # packed
FAST = 1  # zlib's level; most of a line that does not pack are its hashes


class PackedJournal:
    """The lines of `journal.jsonl` over all segments, one added for each fragment. `photos` are the notes of the photos
    that the fragments tell of."""

    def __init__(self, records: Iterable[JournalRecord] = ()) -> None:
        self._packer, self._packed = zlib.compressobj(FAST), bytearray()
        self._before = str(GENESIS)
        self.photos: set[str] = set()
        self.extend(records)

    def extend(self, records: Iterable[JournalRecord]) -> None:
        """Add the lines of further fragments."""
        for record in records:
            line = journal_line(record, self._before)
            self._before = hashlib.sha256(line).hexdigest()
            self._packed += self._packer.compress(line + b"\n")
            self.photos |= {event.note for event in record.entry.moment.events if event.kind == PHOTO}

    def pieces(self) -> Iterator[bytes]:
        """The whole of `journal.jsonl` so far, in pieces of some 100 KiB that end anywhere."""
        unpacker = zlib.decompressobj()
        for start in range(0, len(self._packed), PIECE_BYTES):
            yield unpacker.decompress(self._packed[start : start + PIECE_BYTES])
        yield unpacker.decompress(self._packer.copy().flush())
