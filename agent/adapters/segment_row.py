"""The segments of one recording: opened at a keyframe, cut by time, given up when the disk fails."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agent.adapters.behind import Behind, following
from agent.adapters.disk_room import NoRoom
from agent.adapters.gap_log import GapLog
from agent.adapters.orders import RecordingOrder
from agent.adapters.packet_flow import QUEUE_BYTES
from agent.adapters.packets import CaptureSource, MediaFault, Packet, SourceDescription, StreamInfo, seconds
from agent.adapters.positions import PositionLog
from agent.adapters.pre_event import PreEventSettings
from agent.adapters.segment_file import new_segment_file
from agent.adapters.segment_recovery import Break
from agent.adapters.segment_seals import SegmentSeals
from agent.adapters.segment_writer import SegmentWriter
from agent.adapters.spool import Spool
from agent.clock import Clock
from agent.control.recording_messages import (
    FragmentStored,
    GapOpened,
    PhotoTaken,
    RecordingFailed,
    RecordingSealed,
    WorkFailed,
)
from agent.control.storage_policy import MARGIN_BYTES
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason
from agent.evidence.journal_pack import PackedJournal
from agent.evidence.segment import SegmentEmitter, SegmentOrigin, SessionKey
from agent.evidence.statements import CONTEXT_SOUND
from agent.evidence.vsi_profiles import DEFAULT_VSI, VsiProfile
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest, recording_device
from agent.wire.signing import CertifiedSigner

RecordingEvent = FragmentStored | GapOpened | PhotoTaken | RecordingSealed | RecordingFailed | WorkFailed
SECOND_NS = 10**9
CHECK_BYTES = 2**18  # ours; a ring's packets ask the disk for its room once in so much, live ones every time


@dataclass(frozen=True)
class RecorderSettings:
    """`retry_s` is the pause before a lost camera or disk is tried again, `stall_s` how long a camera may be silent,
    `open_s` how long it may take to open; `margin_bytes` stay free on the disk, so that seals, sidecars and the outbox
    always find room (all ours)."""

    fragment_ms: int = 500
    segment_minutes: float = 10
    retry_s: float = 2.0
    stall_s: float = 3.0
    open_s: float = 10.0
    queue_bytes: int = QUEUE_BYTES
    margin_bytes: int = MARGIN_BYTES
    pre_event: PreEventSettings = field(default_factory=PreEventSettings)
    vsi: VsiProfile = DEFAULT_VSI


@dataclass(frozen=True)
class Bench:
    """What every recording of a device is made with; `report` is called in the recorder's thread and must not wait;
    `positions` is filled by whoever hears a GNSS receiver."""

    spool: Spool
    signer: CertifiedSigner
    clock: Clock
    make_source: Callable[[], CaptureSource]
    report: Callable[[RecordingEvent], None]
    settings: RecorderSettings
    positions: PositionLog = field(default_factory=PositionLog)


class SegmentRow:
    """Writes merged packets of one recording. The disk's failures end here: they become a gap and a new segment."""

    def __init__(self, order: RecordingOrder, bench: Bench, gaps: GapLog) -> None:
        self._order, self._bench, self._gaps = order, bench, gaps
        self._session = SessionKey.generate(bench.settings.vsi)
        self._tracks: Sequence[StreamInfo] = ()
        self._source: dict[str, str | bool] = {}
        self._pre_event: Mapping[str, int | bool] = {}
        self._open: SegmentWriter | None = None
        self._ends, self._retry_ns = 0.0, 0
        self._behind: Behind | None = None
        self._unchecked = 0
        self._seals = SegmentSeals(bench.spool, bench.signer, bench.clock)
        self._journal = PackedJournal()
        self.done: list[SegmentWriter] = []
        self.trouble = ""

    def begin(self, tracks: Sequence[StreamInfo], source: SourceDescription, pre_event_ms: int = 0) -> None:
        """A camera was opened; its packets begin a new segment. The one before must be finished. What was seen for
        `pre_event_ms` before the trigger comes first; that is signed into every segment of the recording."""
        self._tracks = tracks
        sound = any(not track.is_video for track in tracks)
        self._source = {"source": source.name, "synthetic": source.synthetic, CONTEXT_SOUND: sound}
        if source.watermark_font:
            self._source["watermark_font"] = source.watermark_font
        if pre_event_ms:
            heard = self._bench.settings.pre_event.sound
            self._pre_event = {"pre_event_ms": pre_event_ms, "pre_event_sound": heard}

    @property
    def head(self) -> Digest:
        """The recording's head so far."""
        last = self._open or (self.done[-1] if self.done else None)
        return GENESIS if last is None else last.head

    @property
    def next_sequence(self) -> int:
        """The number of the fragment that is being filled."""
        return 1 + sum(segment.fragments for segment in (*self.done, *([self._open] if self._open else [])))

    def write(self, packet: Packet) -> None:
        """Take the next packet; segments are cut before a keyframe of the first track."""
        if packet.keyframe and packet.stream == 0:
            self._turn(float(seconds(packet, self._tracks)), packet)
        segment = self._open
        if segment is not None and self._has_room(segment, packet):
            segment.disk.behind = self._behind
            self._carry_out(segment, lambda: segment.write(packet, self._gaps))

    def write_at_once(self, packets: Iterable[Packet]) -> None:
        """Take many packets that came before this moment; they reach the disk in a few large steps,
        beside the muxer."""
        with following("flush") as self._behind:
            for packet in packets:
                self.write(packet)
            if (segment := self._open) is not None and self._carry_out(segment, segment.sync):
                segment.disk.behind = None
        self._behind = None

    def finish(self, reason: Reason) -> None:
        """Store what the muxer holds and seal the open segment, if there is one."""
        self._bench.spool.room.use_reserve()
        if self._store_last():
            carried = self._seals.close(self.done[-1], reason, self._gaps.pending)
        else:
            carried = self._seals.ended(reason, self._gaps.pending)
        if carried:
            self._gaps.written()

    def seal_recording(self, reason: Reason) -> RecordingSealed:
        """Seal what the disk had refused to, write the sidecars, and say what was recorded; nothing may be open.

        Raises `EnvironmentFault` or `SenderFault` when the disk still refuses, or gives back what was never written;
        the next start then does the rest.
        """
        spool, recording = self._bench.spool, self._order.recording
        spool.room.use_reserve()
        closing = self._gaps.pending
        discarded, lost, sums = self._seals.finish(self.done[-1].path, closing)
        for place in lost:
            text = f"录像片段 {place.name} 在存储卡上已损坏，未能封存，原样留存，其余照常封存。"
            self._bench.report(WorkFailed(f"{text}请更换存储卡并交技术人员核查。"))
        spool.write_sidecars(recording, self._journal, self._bench.signer, sums, closing)
        sealed = RecordingSealed(
            recording,
            len(self.done),
            self.next_sequence - 1,
            self.done[-1].head,
            sum(segment.duration_ms for segment in self.done),
            spool.size(recording),
            reason,
            False,
            discarded,
            self._bench.clock.read(),
        )
        spool.keys.forget(sealed)
        return sealed

    def _turn(self, time: float, packet: Packet) -> None:
        if self._open is not None and time >= self._ends:
            self.finish(Reason.CONTINUED)
        if self._open is None and self._bench.clock.read().monotonic_ns >= self._retry_ns:
            try:
                self._open = self._new_segment()
            except EnvironmentFault as fault:
                self._break_off(fault)
                return
            self._ends = time + 60 * self._bench.settings.segment_minutes
            self._gaps.close(packet.captured)

    def _has_room(self, segment: SegmentWriter, packet: Packet) -> bool:
        """Whether there is room to go on. When there is none left, the segment is closed and sealed in the reserve."""
        self._unchecked -= len(packet.data)
        if self._behind is not None and self._unchecked >= 0:
            return True
        try:
            self._bench.spool.room.check(self._bench.settings.margin_bytes)
        except NoRoom as fault:
            self._break_off(fault)
            self.finish(Reason.STORAGE_FULL)
            return False
        except EnvironmentFault as fault:
            self._give_up(segment, fault)
            return False
        self._unchecked = CHECK_BYTES
        return True

    def _carry_out(self, segment: SegmentWriter, step: Callable[[], Iterator[FragmentStored]]) -> bool:
        try:
            for event in step():  # told one by one: a fault on the second fragment does not unmake the first
                self._tell(segment, event)
        except EnvironmentFault as fault:
            self._give_up(segment, fault)
            return False
        return True

    def _give_up(self, segment: SegmentWriter, fault: EnvironmentFault) -> None:
        self._open = None
        segment.disk.calm()
        for event in segment.stored():
            self._tell(segment, event)
        self._abandon(segment)
        if segment.fragments:
            self.done.append(segment)
            self._seals.leave(segment.path, Break(_reason(fault), segment.size))
        self._break_off(fault)

    def _tell(self, segment: SegmentWriter, event: FragmentStored) -> None:
        self._journal.extend(segment.take_records())
        self._seals.went_on()
        self._bench.report(event)

    def _store_last(self) -> bool:
        """Store what the muxer of the open segment holds and let it go; returns whether it is one with fragments."""
        segment, self._open = self._open, None
        if segment is None or not self._carry_out(segment, lambda: segment.finish(self._gaps)):
            return False
        if not segment.fragments:
            self._abandon(segment)
            return False
        self.done.append(segment)
        return True

    def _abandon(self, segment: SegmentWriter) -> None:
        try:
            segment.abandon()
        except EnvironmentFault:  # an empty file stays in the way of the next segment until the disk lets it go
            self._seals.leave(segment.path, Break(Reason.STORAGE_FAILED, 0))

    def _break_off(self, fault: EnvironmentFault) -> None:
        now, self.trouble = self._bench.clock.read(), str(fault)
        self._gaps.open(_reason(fault), now, self.trouble)
        if self._gaps.unheard(_reason(fault)):
            self._bench.report(GapOpened(self._order.recording, _reason(fault), now))
        self._unchecked = 0
        self._retry_ns = now.monotonic_ns + int(self._bench.settings.retry_s * SECOND_NS)

    def _new_segment(self) -> SegmentWriter:
        order, bench, number = self._order, self._bench, len(self.done) + 1
        bench.spool.room.hold_reserve(bench.settings.margin_bytes)
        path = bench.spool.segment(order.recording, number)
        self._seals.clear(path)
        origin = SegmentOrigin(
            order.recording,
            number,
            recording_device(order.recording),
            order.unit,
            bench.clock.read(),
            order.previous,
            self.next_sequence,
            self.done[-1].head if self.done else GENESIS,
            {**order.context, **self._source, **self._pre_event},
        )
        file = new_segment_file(path, bench.spool.keys)
        emitter = SegmentEmitter(origin, bench.signer, self._session)
        return SegmentWriter(
            origin, self._tracks, bench.settings.fragment_ms, emitter, file, bench.clock, bench.positions
        )


def _reason(fault: EnvironmentFault) -> Reason:
    """What is signed: a muxer that refuses is no failing disk, and neither is a full one."""
    if isinstance(fault, NoRoom):
        return Reason.STORAGE_FULL
    return Reason.ENCODER_STALLED if isinstance(fault, MediaFault) else Reason.STORAGE_FAILED
