"""The segments of one recording: opened at a keyframe, cut by time, given up when the disk fails."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.adapters.gap_log import GapLog
from agent.adapters.packet_flow import QUEUE_BYTES
from agent.adapters.packets import CaptureSource, Packet, SourceDescription, StreamInfo, seconds
from agent.adapters.segment_file import new_segment_file
from agent.adapters.segment_writer import SegmentWriter
from agent.adapters.spool import Spool
from agent.clock import Clock
from agent.control.messages import FragmentStored, GapOpened, RecordingFailed, RecordingSealed
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason
from agent.evidence.segment import Closing, SegmentEmitter, SegmentOrigin, SessionKey
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest, RecordingId, recording_device
from agent.wire.signing import CertifiedSigner

RecordingEvent = FragmentStored | GapOpened | RecordingSealed | RecordingFailed
SECOND_NS = 10**9


@dataclass(frozen=True)
class RecordingOrder:
    """What is to be recorded: `previous` is the head of the recording before on this device (GENESIS for the first),
    `context` is signed into every segment; `source` and `synthetic` are added to it here."""

    recording: RecordingId
    unit: str
    previous: Digest
    context: Mapping[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class RecorderSettings:
    """`retry_s` is the pause before a lost camera or disk is tried again, `stall_s` how long a camera may be silent;
    `reserve_bytes` stay free on the disk, so that seals, sidecars and the outbox always find room (all ours)."""

    fragment_ms: int = 500
    segment_minutes: float = 10
    retry_s: float = 2.0
    stall_s: float = 3.0
    queue_bytes: int = QUEUE_BYTES
    reserve_bytes: int = 32 * 2**20


@dataclass(frozen=True)
class Bench:
    """What every recording of a device is made with; `report` is called in the recorder's thread and must not wait."""

    spool: Spool
    signer: CertifiedSigner
    clock: Clock
    make_source: Callable[[], CaptureSource]
    report: Callable[[RecordingEvent], None]
    settings: RecorderSettings


class SegmentRow:
    """Writes merged packets of one recording. The disk's failures end here: they become a gap and a new segment."""

    def __init__(self, order: RecordingOrder, bench: Bench, gaps: GapLog) -> None:
        self._order, self._bench, self._gaps = order, bench, gaps
        self._session = SessionKey.generate()
        self._tracks: Sequence[StreamInfo] = ()
        self._source: Mapping[str, str | bool] = {}
        self._open: SegmentWriter | None = None
        self._ends, self._retry_ns = 0.0, 0
        self._broken = False
        self.done: list[SegmentWriter] = []

    def begin(self, tracks: Sequence[StreamInfo], source: SourceDescription) -> None:
        """A camera was opened; its packets begin a new segment. The one before must be finished."""
        self._tracks = tracks
        self._source = {"source": source.name, "synthetic": source.synthetic}

    def write(self, packet: Packet) -> None:
        """Take the next packet; segments are cut before a keyframe."""
        if packet.keyframe and self._tracks[packet.stream].is_video:
            self._turn(float(seconds(packet, self._tracks)), packet)
        segment = self._open
        if segment is not None:
            self._carry_out(segment, lambda: self._with_room(segment, packet))

    def finish(self, reason: Reason) -> None:
        """Store what the muxer holds and seal the open segment, if there is one."""
        segment, self._open = self._open, None
        if segment is None or not self._carry_out(segment, lambda: segment.finish(self._gaps)):
            return
        if not segment.records:
            segment.abandon()
            return
        self.done.append(segment)
        try:
            segment.seal(Closing(self._bench.clock.read(), reason, gaps=self._gaps.pending))
            self._gaps.written()
        except EnvironmentFault:  # whole on the disk; sealed again at the end of the recording or at the next start
            self._broken = True

    def seal_recording(self, reason: Reason) -> RecordingSealed:
        """Seal what the disk had refused to, write the sidecars, and say what was recorded; nothing may be open.

        Raises `EnvironmentFault` when the disk still refuses; the next start then does the rest.
        """
        spool, signer, clock = self._bench.spool, self._bench.signer, self._bench.clock
        recording, discarded = self._order.recording, 0
        if self._broken:
            sizes = {segment.path: segment.size for segment in self.done}
            discarded = spool.seal_broken(recording, signer, clock, sizes)
        records = [record for segment in self.done for record in segment.records]
        spool.write_sidecars(recording, records, signer)
        sealed = RecordingSealed(
            recording,
            len(self.done),
            len(records),
            self.done[-1].head,
            sum(segment.duration_ms for segment in self.done),
            spool.size(recording),
            reason,
            False,
            discarded,
            clock.read(),
        )
        spool.keys.forget(sealed)
        return sealed

    def _turn(self, time: float, packet: Packet) -> None:
        if self._open is not None and time >= self._ends:
            self.finish(Reason.CONTINUED)
        if self._open is None and self._bench.clock.read().monotonic_ns >= self._retry_ns:
            self._open = self._new_segment()
            self._ends = time + 60 * self._bench.settings.segment_minutes
            self._gaps.close(packet.captured)

    def _with_room(self, segment: SegmentWriter, packet: Packet) -> list[FragmentStored]:
        self._bench.spool.check_room(self._bench.settings.reserve_bytes)
        return segment.write(packet, self._gaps)

    def _carry_out(self, segment: SegmentWriter, step: Callable[[], list[FragmentStored]]) -> bool:
        try:
            stored = step()
        except EnvironmentFault as fault:
            self._give_up(segment, str(fault))
            return False
        for event in stored:
            self._bench.report(event)
        return True

    def _give_up(self, segment: SegmentWriter, note: str) -> None:
        segment.abandon()
        self._open = None
        if segment.records:
            self.done.append(segment)
            self._broken = True
        now = self._bench.clock.read()
        if self._gaps.open(Reason.STORAGE_FAILED, now, note):
            self._bench.report(GapOpened(self._order.recording, Reason.STORAGE_FAILED, now))
        self._retry_ns = now.monotonic_ns + int(self._bench.settings.retry_s * SECOND_NS)

    def _new_segment(self) -> SegmentWriter:
        order, bench, number = self._order, self._bench, len(self.done) + 1
        origin = SegmentOrigin(
            order.recording,
            number,
            recording_device(order.recording),
            order.unit,
            bench.clock.read(),
            order.previous,
            1 + sum(len(segment.records) for segment in self.done),
            self.done[-1].head if self.done else GENESIS,
            {**order.context, **self._source},
        )
        file = new_segment_file(bench.spool.segment(order.recording, number), bench.spool.keys)
        emitter = SegmentEmitter(origin, bench.signer, self._session)
        return SegmentWriter(origin, self._tracks, bench.settings.fragment_ms, emitter, file, bench.clock)
