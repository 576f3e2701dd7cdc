"""One growing segment on the disk, in the clear or encrypted: write and sync, nothing else; after a failure the
descriptor is not used again."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from agent.adapters.data_keys import NO_KEYS, DataKeys, is_encrypted
from agent.durable import SHARED, disk_errors, remove, sync_directory
from agent.errors import EnvironmentFault
from agent.evidence.encrypted_stream import Header, StreamKey, StreamWriter
from agent.evidence.manifest import RESERVED_BYTES
from agent.wire.identifiers import RecordingId

SEGMENT_MODE = SHARED


@dataclass(frozen=True)
class StreamEnd:
    """What it takes to close an encrypted segment: its key, its header, and where its records `end` in the file."""

    key: StreamKey
    header: Header
    end: int


class SegmentFile:
    """A new file under its final name, to be sealed later with `keys`. Every method raises `EnvironmentFault` when the
    disk fails. `size` is what is on the disk for certain."""

    def __init__(self, path: Path, keys: DataKeys = NO_KEYS) -> None:
        self.path, self.keys = path, keys
        self.size = self._written = 0
        self._descriptor = -1
        self._failed = self._made = False

    def create(self) -> None:
        """Make the file, which must not exist, and its name durable."""
        with disk_errors(self.path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, SEGMENT_MODE)
            self._made = True
        sync_directory(self.path.parent)

    def append(self, data: bytes) -> None:
        """Add `data` at the end; it is on the disk when this returns."""
        self.write([data])
        self.sync()

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Add `pieces` at the end, as one write where the disk takes it; `sync` brings them to the disk."""
        with self._step():
            self._put(pieces)
        self._written += sum(map(len, pieces))

    def sync(self) -> None:
        """Everything written is on the disk when this returns."""
        with self._step():
            os.fdatasync(self._descriptor)
        self.size = self._written

    @property
    def stream(self) -> StreamEnd | None:
        """What is on the disk of an encrypted file, as it was written; None for one in the clear."""
        return None

    def _put(self, pieces: Sequence[bytes | memoryview]) -> None:
        _write_pieces(self._descriptor, pieces, self._written)

    @contextmanager
    def _step(self) -> Iterator[None]:
        # A failed fdatasync forgets the pages: the next one would succeed without the bytes being on the disk.
        if self._failed or self._descriptor < 0:
            raise EnvironmentFault(f"{self.path} 写入失败过，不再续写。请检查存储卡，录像将转入新的一段。")
        self._failed = True
        with disk_errors(self.path):
            yield
        self._failed = False

    def close(self) -> None:
        """Let the file go; what was appended is durable already."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with disk_errors(self.path):
                os.close(descriptor)

    def discard(self) -> None:
        """Take the closed file back, if it was made."""
        if self._made:
            remove(self.path)
            self._made = False


class EncryptedSegmentFile(SegmentFile):
    """The same over an encrypted file; `size` is that of the plaintext. Every write is one record. Key and header are
    remembered until the seal: a bit that flips on the card meanwhile is no reason not to seal."""

    def create(self) -> None:
        """Make the recording's data key, then the file."""
        recording = RecordingId(self.path.parent.name)
        self.keys.create(recording)
        self._key, self._header = self.keys.fresh_stream(recording)
        self._stream, self._begun, self._end = StreamWriter(self._key, self._header), b"", 0
        super().create()
        self._begun = self._stream.opening()

    def sync(self) -> None:
        """Everything written is on the disk when this returns."""
        super().sync()
        self._end = self._stream.size

    @property
    def stream(self) -> StreamEnd | None:
        """What is on the disk, as it was written."""
        return StreamEnd(self._key, self._header, self._end)

    def _put(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Encrypt and write `pieces`; the header goes before the first."""
        offset, data = self._stream.size - len(self._begun), b"".join(pieces)
        records = [self._stream.append(part) for part in (_opening_parts(data) if self._begun else [data])]
        write_all(self._descriptor, b"".join([self._begun, *records]), offset)
        self._begun = b""


def _opening_parts(data: bytes) -> list[bytes]:
    """The first bytes of a segment as its records: the room of the manifest is one of its own, so that what happens to
    it, which the slot makes good, takes neither `ftyp` nor `moov` along."""
    begin = int.from_bytes(data[:4])  # ftyp, a box without a long size
    cuts = (0, begin, begin + RESERVED_BYTES, len(data))
    return [data[before:after] for before, after in pairwise(cuts) if data[before:after]]


def new_segment_file(path: Path, keys: DataKeys) -> SegmentFile:
    """The file at `path`, to be created and written; its name says whether it is encrypted."""
    return EncryptedSegmentFile(path, keys) if is_encrypted(path) else SegmentFile(path, keys)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write the whole of `data` at `offset`; raises `OSError`."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _write_pieces(descriptor: int, pieces: Sequence[bytes | memoryview], offset: int) -> None:
    """Write `pieces` one after the other in one call, and what the disk did not take of it in others."""
    written = os.pwritev(descriptor, pieces, offset)
    if written < sum(map(len, pieces)):
        write_all(descriptor, b"".join(pieces)[written:], offset + written)
