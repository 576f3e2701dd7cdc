"""The recorder's thread: one recording after the other, as the controller orders them."""

import threading
from collections.abc import Callable

from agent.adapters.camera_feed import CameraFeed
from agent.adapters.freed_memory import return_freed_memory
from agent.adapters.orders import (
    ActAsked,
    BitrateAsked,
    CloseAsked,
    NoteAsked,
    PhotoAsked,
    RecordingOrder,
    StartAsked,
    StopAsked,
)
from agent.adapters.packet_flow import PacketQueue
from agent.adapters.packets import CaptureSource
from agent.adapters.photo_desk import PhotoDesk
from agent.adapters.positions import PositionLog
from agent.adapters.pre_event import PreEventSettings
from agent.adapters.recording_run import RecordingRun
from agent.adapters.segment_row import Bench, RecorderSettings, RecordingEvent
from agent.adapters.spool import Spool
from agent.adapters.standby import Standby
from agent.clock import Clock
from agent.control.acts import Act
from agent.evidence.journal import Reason
from agent.wire.signing import CertifiedSigner

__all__ = ["ActAsked", "PreEventSettings", "Recorder", "RecorderSettings", "RecordingEvent", "RecordingOrder"]

SOUND_ACTS = frozenset({Act.MUTE, Act.UNMUTE})
"""Sound waits for nobody, and what is said while pictures are still being coded would be recorded behind the press."""


class Recorder:
    """Obeys at once and answers through `report`, called in its own thread "recorder": `FragmentStored` for every
    fragment on the disk, `GapOpened`, and one `RecordingSealed` or `RecordingFailed` for every order; `WorkFailed`
    when the camera of the pre-event ring is lost while idle; `PhotoTaken` or `WorkFailed` for a photo.

    `open`, `start`, `act`, `stop` and `close` belong to one thread. An unexpected exception ends the recorder's thread
    through `threading.excepthook`; what is on the disk is recovered at the next start.
    """

    def __init__(
        self,
        spool: Spool,
        signer: CertifiedSigner,
        clock: Clock,
        make_source: Callable[[], CaptureSource],
        report: Callable[[RecordingEvent], None],
        settings: RecorderSettings,
        positions: PositionLog | None = None,
    ) -> None:
        self._bench = Bench(spool, signer, clock, make_source, report, settings, positions or PositionLog())
        self._queue = PacketQueue(settings.queue_bytes)
        self._feed = CameraFeed(make_source, clock, self._queue, settings.open_s)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def open(self) -> None:
        """Begin to fill the pre-event ring, where one is kept; otherwise the camera stays off until a recording."""
        if not self._thread.is_alive():
            self._thread.start()

    def start(self, order: RecordingOrder) -> None:
        """Begin a recording, after the one before was stopped and is sealed."""
        self.stop(Reason.STOPPED)
        self._queue.signal(StartAsked(order))
        self.open()

    def act(self, asked: ActAsked | PhotoAsked | BitrateAsked | NoteAsked) -> None:
        """An officer's act, or a note, in the recording that runs, without one it is nobody's; a photo is taken, and
        another bit rate holds, at any time."""
        if not (isinstance(asked, ActAsked) and asked.act in SOUND_ACTS):
            self._feed.flush()  # what was seen before the press comes before it in the queue
        self._queue.signal(asked)
        self.open()

    def stop(self, reason: Reason) -> None:
        """End the recording, if there is one: its last fragment is stored, then it is sealed."""
        self._feed.flush()
        self._queue.signal(StopAsked(reason))

    def close(self, timeout: float) -> bool:
        """End the recording because the device shuts down; returns whether everything is sealed after `timeout`
        seconds. Nothing may be started afterwards."""
        self.stop(Reason.SHUTDOWN)
        self._queue.signal(CloseAsked())
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        photos = PhotoDesk(self._bench)
        standby = Standby(self._bench, self._queue, self._feed, photos)
        while (order := standby.wait()) is not None:
            RecordingRun(order, self._bench, self._queue, self._feed, photos).run(standby.ring)
            return_freed_memory()
