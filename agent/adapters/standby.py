"""The recorder between recordings: the camera runs on where a pre-event ring is kept, and waits for the order."""

from agent.adapters.camera_feed import CameraFeed
from agent.adapters.orders import BitrateAsked, CloseAsked, PhotoAsked, RecordingOrder, StartAsked
from agent.adapters.packet_flow import Dropped, Item, PacketQueue, SourceEnded
from agent.adapters.packets import Packet
from agent.adapters.photo_desk import PhotoDesk
from agent.adapters.pre_event import PreEventRing
from agent.adapters.segment_row import Bench
from agent.control.recording_messages import WorkFailed
from agent.errors import EnvironmentFault


class Standby:
    """Runs in the recorder's thread, like `RecordingRun`, and takes turns with it on one queue and one feed.

    A camera that cannot be opened or is lost while idle is told once and tried again; the next recording then begins
    without a pre-event part, and tries for itself.
    """

    def __init__(self, bench: Bench, queue: PacketQueue, feed: CameraFeed, photos: PhotoDesk) -> None:
        self._bench, self._queue, self._feed, self._photos = bench, queue, feed, photos
        self.ring = PreEventRing(bench.settings.pre_event)
        self._told = False

    def wait(self) -> RecordingOrder | None:
        """The next order, with `ring` filled up to it; None when the recorder is to end."""
        self.ring.begin(self._feed.tracks)
        while True:
            item = self._queue.take(self._patience())
            if isinstance(item, StartAsked):
                return item.order
            if isinstance(item, CloseAsked):
                self._close_camera()
                return None
            self._handle(item)
            self._watch_camera()

    def _patience(self) -> float | None:
        """Seconds to wait for an item before the camera is looked after; what was ordered already comes first."""
        if not self._keeps_camera and not self._photos.wanted:
            return None
        return self._bench.settings.retry_s / 4 if self._feed.is_open or self._told else 0

    @property
    def _keeps_camera(self) -> bool:
        return self._bench.settings.pre_event.seconds > 0

    def _handle(self, item: Item | None) -> None:
        match item:
            case Packet() if self._feed.is_open:
                due, shift = self._feed.push(item)
                if shift:
                    self.ring.clear()
                for packet in due:
                    self._photos.offer(packet, self._feed, None)
                    self.ring.put(packet)
            case PhotoAsked():
                self._photos.ask(item)
            case BitrateAsked(bits_per_second):
                self._feed.set_bitrate(bits_per_second)
            case Dropped():
                self.ring.clear()
            case SourceEnded(fault) if self._feed.is_open:
                self._lose_camera(str(fault or "画面已断开。"))

    def _watch_camera(self) -> None:
        if self._feed.is_open:
            if self._feed.quiet_s > self._bench.settings.stall_s:
                self._lose_camera("画面停滞。")
            elif not self._keeps_camera and not self._photos.wanted:
                self._close_camera()
        elif self._photos.wanted or (self._keeps_camera and self._is_due):
            self._open_camera()

    @property
    def _is_due(self) -> bool:
        return not self._told or self._feed.quiet_s > self._bench.settings.retry_s

    def _open_camera(self) -> None:
        try:
            self._feed.open()
        except EnvironmentFault as fault:
            self._photos.give_up(str(fault))
            self._tell(str(fault))
            return
        self.ring.begin(self._feed.tracks)
        self._told = False

    def _lose_camera(self, detail: str) -> None:
        self._close_camera()
        self._photos.give_up(detail)
        self._tell(detail)

    def _close_camera(self) -> None:
        self._feed.close()
        self.ring.clear()

    def _tell(self, detail: str) -> None:
        if self._keeps_camera and not self._told:
            self._bench.report(WorkFailed(f"待机预录中断，将自动重试：{detail}"))
        self._told = self._keeps_camera
