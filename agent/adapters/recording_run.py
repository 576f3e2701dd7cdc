"""One recording from its first packet to its seal, whatever happens to the camera and the disk meanwhile."""

from collections.abc import Iterable, Iterator

from agent.adapters.camera_feed import CameraFeed
from agent.adapters.camera_word import CameraWord
from agent.adapters.gap_log import GapLog
from agent.adapters.officer_marks import OfficerMarks
from agent.adapters.orders import ActAsked, BitrateAsked, NoteAsked, PhotoAsked, RecordingOrder, StopAsked
from agent.adapters.packet_flow import Dropped, Item, PacketQueue, SourceEnded
from agent.adapters.packets import Packet
from agent.adapters.photo_desk import PhotoDesk
from agent.adapters.pre_event import PreEventRing, muted
from agent.adapters.segment_row import Bench, SegmentRow
from agent.control.acts import Act
from agent.control.recording_messages import GapOpened, RecordingFailed
from agent.errors import EnvironmentFault, SenderFault
from agent.evidence.journal import PHOTO, JournalEvent, Reason
from agent.evidence.photo import PhotoPlace


class RecordingRun:
    """Runs in the recorder's thread. Packets come in through `queue`, and so does the wish to stop. A `feed` that is
    open already is taken over with what the ring holds; it is left open where a pre-event ring is kept."""

    def __init__(
        self, order: RecordingOrder, bench: Bench, queue: PacketQueue, feed: CameraFeed, photos: PhotoDesk
    ) -> None:
        self._order, self._bench, self._queue, self._feed, self._photos = order, bench, queue, feed, photos
        self._gaps = GapLog()
        self._row = SegmentRow(order, bench, self._gaps)
        self._marks = OfficerMarks(self._gaps)
        self._word = CameraWord(self._gaps, self._tell_gap)
        self._reason: Reason | None = None

    def run(self, ring: PreEventRing) -> None:
        """Record until a stop is asked for, then seal and report. Reports `RecordingFailed` instead where it must."""
        try:
            if not self._feed.is_open:
                self._feed.open()
            self._bench.spool.create(self._order.recording)
        except EnvironmentFault as fault:
            self._feed.close()
            self._fail(str(fault))
            return
        self._row.begin(self._feed.tracks, self._feed.description, ring.span_ms)
        self._row.write_at_once(self._offered(self._word.remembered(ring.take())))
        while self._reason is None:
            item = self._queue.take(self._bench.settings.retry_s / 4)
            self._handle(item)
            if not (isinstance(item, Packet) and item.stream == 0):  # a picture is a camera that lives
                self._watch_camera()
        self._close_down(self._reason)

    def _handle(self, item: Item | None) -> None:
        match item:
            case Packet() if self._feed.is_open:
                self._take(item)
            case Dropped(packets, since):
                note = f"{packets} packets"
                self._gaps.passed(Reason.FRAMES_DROPPED, since, self._bench.clock.read(), note)
                self._tell_gap(Reason.FRAMES_DROPPED)
            case SourceEnded(fault) if self._feed.is_open:
                self._lose_camera(Reason.CAMERA_LOST, str(fault or ""))
            case StopAsked(reason):
                self._reason = reason
            case ActAsked():
                self._act(item)
            case PhotoAsked():
                self._photos.ask(item)
            case BitrateAsked(bits_per_second):
                self._feed.set_bitrate(bits_per_second)
            case NoteAsked(event):
                self._gaps.note(event)

    def _take(self, packet: Packet) -> None:
        due, shift = self._feed.push(muted(packet, self._feed.tracks) if self._marks.muted else packet)
        if shift:
            now = self._bench.clock.read()
            self._gaps.passed(Reason.FRAMES_DROPPED, packet.captured, now, f"timestamps moved by {float(shift):.3f} s")
            self._tell_gap(Reason.FRAMES_DROPPED)
        self._word.look(packet)
        if self._gaps.impaired(Reason.SOUND_LOST, lost=self._feed.sound_lost, at=packet.captured):
            self._tell_gap(Reason.SOUND_LOST)
        self._write(due)

    def _write(self, packets: Iterable[Packet]) -> None:
        for packet in self._offered(packets):
            if self._marks.records(packet):
                self._row.write(packet)

    def _offered(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """`packets`, after a photo was taken of those that one is wanted of."""
        for packet in packets:
            if self._photos.wanted:
                self._photograph(packet)
            yield packet

    def _photograph(self, packet: Packet) -> None:
        place = PhotoPlace(self._order.recording, self._row.next_sequence, self._row.head)
        digest = self._photos.offer(packet, self._feed, place)
        if digest is not None:
            self._gaps.note(JournalEvent(PHOTO, packet.captured, None, digest))

    def _act(self, asked: ActAsked) -> None:
        if asked.act is Act.PAUSE:  # what was seen before the press is still recorded
            self._write(self._feed.drain())
        reason = self._marks.apply(asked, self._row.next_sequence)
        if reason is not None:
            self._tell_gap(reason)
        if reason is Reason.PAUSED:
            self._row.finish(reason)
        elif asked.act is Act.RESUME and not self._feed.is_open:  # lost in the pause: from here on that is the reason
            self._gaps.open(Reason.CAMERA_LOST, asked.at)
            self._tell_loss(Reason.CAMERA_LOST)

    def _watch_camera(self) -> None:
        quiet_s, settings = self._feed.quiet_s, self._bench.settings
        if self._feed.is_open and quiet_s > settings.stall_s:
            self._lose_camera(Reason.ENCODER_STALLED, "")
        elif self._feed.is_open and quiet_s > settings.retry_s / 4:  # what it saw before it stood still stays
            self._feed.flush()
        elif not self._feed.is_open and quiet_s > settings.retry_s:
            try:
                self._feed.open()
            except EnvironmentFault:  # still gone: the open gap says that nothing comes, whatever its reason
                self._tell_loss(Reason.CAMERA_LOST)
                return
            self._gaps.told.discard(Reason.ENCODER_STALLED)
            self._row.begin(self._feed.tracks, self._feed.description)

    def _lose_camera(self, reason: Reason, note: str) -> None:
        for dropped in self._queue.take_dropped():  # no keyframe came behind them that would have told of them
            self._handle(dropped)
        self._write(self._feed.close())
        self._gaps.open(reason, self._bench.clock.read(), note)
        self._tell_loss(reason)
        self._row.finish(reason)

    def _close_down(self, reason: Reason) -> None:
        keep = self._bench.settings.pre_event.seconds > 0 and reason is not Reason.SHUTDOWN
        self._write(self._feed.drain() if keep else self._feed.close())
        self._marks.end_explanation(self._bench.clock.read(), self._row.next_sequence)
        self._row.finish(reason)
        if not self._row.done:
            self._fail(f"没有录到可保存的画面。{self._row.trouble or '请检查摄像头与存储卡后重新录制。'}")
            return
        try:
            sealed = self._row.seal_recording(reason)
        except (EnvironmentFault, SenderFault) as fault:
            self._fail(f"录像已保存但未能封存，开机时将自动恢复：{fault}")
            return
        self._bench.report(sealed)

    def _fail(self, detail: str) -> None:
        self._bench.report(RecordingFailed(self._order.recording, detail, self._bench.clock.read()))

    def _tell_loss(self, reason: Reason) -> None:
        if self._gaps.unheard(reason):
            self._tell_gap(reason)

    def _tell_gap(self, reason: Reason) -> None:
        self._bench.report(GapOpened(self._order.recording, reason, self._bench.clock.read()))
