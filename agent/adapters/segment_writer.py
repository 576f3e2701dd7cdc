"""One segment while it is recorded: packets become signed fragments on the disk, at the end the seal."""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from agent.adapters.behind import Behind
from agent.adapters.fragment_muxer import Fragment, FragmentMuxer
from agent.adapters.gap_log import GapLog
from agent.adapters.packets import Packet, StreamInfo
from agent.adapters.positions import PositionLog
from agent.adapters.segment_file import SegmentFile
from agent.adapters.segment_seal import seal_segment
from agent.clock import Clock
from agent.control.recording_messages import FragmentStored
from agent.evidence.journal import FragmentMoment, JournalRecord
from agent.evidence.segment import Closing, SegmentEmitter, SegmentOrigin, SignedFragment

BATCH_BYTES = 8 * 2**20  # ours; a pre-event ring reaches the disk in steps of so much


class Appending:
    """The disk's part: every fragment is one append and one `fdatasync`. While `behind` is set both follow there, with
    the seal's hash, and `BATCH_BYTES` share one `fdatasync`."""

    def __init__(self, emitter: SegmentEmitter, file: SegmentFile) -> None:
        self._emitter, self._file = emitter, file
        self._unsynced = 0
        self.behind: Behind | None = None

    def put(self, signed: SignedFragment) -> None:
        """Write `signed`; on the disk it is when the file's `size` says so."""
        self._unsynced += signed.size
        if self.behind is None:
            self._write(signed.boxes)
            self.sync()
            return
        self.behind.do(partial(self._write, signed.boxes))
        if self._unsynced >= BATCH_BYTES:
            self.behind.do(self._file.sync)
            self._unsynced = 0

    def sync(self) -> None:
        """Everything is on the disk when this returns."""
        if self.behind is not None:
            self.behind.settle()
        if self._unsynced:
            self._file.sync()
            self._unsynced = 0

    def calm(self) -> None:
        """After a fault: wait until nothing is written any more."""
        if self.behind is not None:
            self.behind.calm()

    def _write(self, boxes: Sequence[bytes | memoryview]) -> None:
        self._emitter.catch_up()
        self._file.write(boxes)


class SegmentWriter:
    """Packets become fragments, which count, and are told, only once they are on the disk (`disk`): each by itself, or
    many at once for a pre-event ring, which has to get there soon and as a whole.

    `fragments` counts those on the disk; `records` are theirs, for whoever does not take them.
    After an `EnvironmentFault` only `disk.calm`, `stored` and `abandon` may be called: what is there is recovered.
    """

    def __init__(
        self,
        origin: SegmentOrigin,
        tracks: Sequence[StreamInfo],
        fragment_ms: int,
        emitter: SegmentEmitter,
        file: SegmentFile,
        clock: Clock,
        positions: PositionLog,
    ) -> None:
        self._origin, self._emitter, self._file, self._clock = origin, emitter, file, clock
        self._positions = positions
        self._muxer = FragmentMuxer(tracks, fragment_ms)
        self._unsynced: deque[tuple[FragmentStored, JournalRecord]] = deque()
        self.disk = Appending(emitter, file)
        self.head, self.duration_ms = origin.prior_head, 0
        self.fragments = 0
        self.records: list[JournalRecord] = []

    @property
    def path(self) -> Path:
        """The segment's file."""
        return self._file.path

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return self._file.size

    def write(self, packet: Packet, gaps: GapLog) -> Iterator[FragmentStored]:
        """Take one packet; yields each fragment as soon as it is on the disk. The first one carries `gaps`."""
        for fragment in self._muxer.write(packet):
            yield from self._store(fragment, gaps)

    def finish(self, gaps: GapLog) -> Iterator[FragmentStored]:
        """Store what the muxer still holds, one by one as `write` does."""
        for fragment in self._muxer.finish():
            yield from self._store(fragment, gaps)
        yield from self.sync()

    def sync(self) -> Iterator[FragmentStored]:
        """End a batch: what was written is on the disk, and is told."""
        self.disk.sync()
        yield from self.stored()

    def stored(self) -> Iterator[FragmentStored]:
        """What has reached the disk and was not told yet; after a fault as well."""
        while self._unsynced and _end(self._unsynced[0][1]) <= self._file.size:
            told, record = self._unsynced.popleft()
            self.records.append(record)
            self.fragments += 1
            self.head, self.duration_ms = told.head, self.duration_ms + told.duration_ms
            yield told

    def take_records(self) -> list[JournalRecord]:
        """What `records` came to since the last call: whoever takes them keeps them."""
        taken, self.records = self.records, []
        return taken

    def seal(self, closing: Closing) -> None:
        """Close the file and overwrite the reserved box with the final manifest."""
        file = self._file
        file.close()
        seal_segment(file.path, file.size, self._emitter.seal(closing), file.keys, file.stream)

    def abandon(self) -> None:
        """Let the file go as it is; a file without any stored fragment is nobody's evidence and is taken back. Raises
        `EnvironmentFault` when the disk refuses even that."""
        self._file.close()
        if not self.fragments:
            self._file.discard()

    def _store(self, fragment: Fragment, gaps: GapLog) -> Iterator[FragmentStored]:
        if not self._file.size:
            self._file.create()
            self._file.append(self._emitter.opening(self._muxer.init_segment))
        now = self._clock.read()
        gaps.tick(now)
        carried = gaps.pending
        moment = FragmentMoment(
            fragment.captured, fragment.duration_ms, now, carried, self._positions.at(fragment.captured)
        )
        signed = self._emitter.fragment(fragment.media, moment)
        self._unsynced.append((self._told(fragment, signed), signed.record))
        self.disk.put(signed)
        if carried:
            self.disk.sync()
            gaps.written()
        yield from self.stored()

    def _told(self, fragment: Fragment, signed: SignedFragment) -> FragmentStored:
        origin = self._origin
        return FragmentStored(
            origin.recording,
            origin.segment,
            signed.sequence,
            signed.head,
            fragment.captured,
            fragment.duration_ms,
            signed.size,
        )


def _end(record: JournalRecord) -> int:
    return record.offset + record.size
