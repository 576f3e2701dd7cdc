"""One recording from its first packet to its seal, whatever happens to the camera and the disk meanwhile."""

from agent.adapters.camera_line import CameraLine
from agent.adapters.gap_log import GapLog
from agent.adapters.packet_flow import (
    Dropped,
    Interleaver,
    Item,
    PacketQueue,
    SourceEnded,
    StopAsked,
    TimestampGuard,
)
from agent.adapters.packets import Packet
from agent.adapters.segment_row import SECOND_NS, Bench, RecordingOrder, SegmentRow
from agent.control.messages import GapOpened, RecordingFailed
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason


class RecordingRun:
    """Runs in the recorder's thread. Packets come in through `queue`, and so does the wish to stop."""

    def __init__(self, order: RecordingOrder, bench: Bench, queue: PacketQueue) -> None:
        self._order, self._bench, self._queue = order, bench, queue
        self._gaps = GapLog()
        self._row = SegmentRow(order, bench, self._gaps)
        self._line: CameraLine | None = None
        self._guard, self._interleaver = TimestampGuard(()), Interleaver(())
        self._quiet_since_ns = 0
        self._reason: Reason | None = None

    def run(self) -> None:
        """Record until a stop is asked for, then seal and report. Reports `RecordingFailed` instead where it must."""
        try:
            self._open_camera()
            self._bench.spool.create(self._order.recording)
        except EnvironmentFault as fault:
            self._close_camera()
            self._fail(str(fault))
            return
        while self._reason is None:
            self._handle(self._queue.take(self._bench.settings.retry_s / 4))
            self._watch_camera()
        self._close_down(self._reason)

    def _handle(self, item: Item | None) -> None:
        match item:
            case Packet():
                self._take(item)
            case Dropped(packets, since):
                note = f"{packets} packets"
                self._gaps.passed(Reason.FRAMES_DROPPED, since, self._bench.clock.read(), note)
                self._tell_gap(Reason.FRAMES_DROPPED)
            case SourceEnded(fault):
                self._lose_camera(Reason.CAMERA_LOST, str(fault or ""))
            case StopAsked(reason):
                self._reason = reason
            case None:
                pass

    def _take(self, packet: Packet) -> None:
        if packet.stream == 0:  # the pictures; sound that goes on does not hide a camera that stands still
            self._quiet_since_ns = self._now_ns()
        admitted, shift = self._guard.admit(packet)
        if shift:
            now = self._bench.clock.read()
            self._gaps.passed(Reason.FRAMES_DROPPED, packet.captured, now, f"timestamps moved by {float(shift):.3f} s")
            self._tell_gap(Reason.FRAMES_DROPPED)
        for due in self._interleaver.push(admitted):
            self._row.write(due)

    def _open_camera(self) -> None:
        line = CameraLine(self._bench.make_source(), self._queue)
        tracks = line.open()
        self._line = line
        self._row.begin(tracks, line.description)
        self._guard, self._interleaver = TimestampGuard(tracks), Interleaver(tracks)
        self._quiet_since_ns = self._now_ns()

    def _watch_camera(self) -> None:
        quiet_s, settings = (self._now_ns() - self._quiet_since_ns) / SECOND_NS, self._bench.settings
        if self._line is not None and quiet_s > settings.stall_s:
            self._lose_camera(Reason.ENCODER_STALLED, "")
        elif self._line is None and quiet_s > settings.retry_s:
            self._quiet_since_ns = self._now_ns()
            try:
                self._open_camera()
            except EnvironmentFault:  # still gone: the open gap says so already
                return

    def _lose_camera(self, reason: Reason, note: str) -> None:
        self._close_camera()
        if self._gaps.open(reason, self._bench.clock.read(), note):
            self._tell_gap(reason)
        self._row.finish(reason)
        self._quiet_since_ns = self._now_ns()

    def _close_camera(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        for packet in self._interleaver.drain():
            self._row.write(packet)

    def _close_down(self, reason: Reason) -> None:
        self._close_camera()
        self._row.finish(reason)
        if not self._row.done:
            self._fail("没有录到可保存的画面。请检查摄像头与存储卡后重新录制。")
            return
        try:
            sealed = self._row.seal_recording(reason)
        except EnvironmentFault as fault:
            self._fail(f"录像已保存但未能封存，开机时将自动恢复：{fault}")
            return
        self._bench.report(sealed)

    def _fail(self, detail: str) -> None:
        self._bench.report(RecordingFailed(self._order.recording, detail, self._bench.clock.read()))

    def _tell_gap(self, reason: Reason) -> None:
        self._bench.report(GapOpened(self._order.recording, reason, self._bench.clock.read()))

    def _now_ns(self) -> int:
        return self._bench.clock.read().monotonic_ns
