"""The recorder's thread: one recording after the other, as the controller orders them."""

import queue
import threading
from collections.abc import Callable

from agent.adapters.packet_flow import PacketQueue, StopAsked
from agent.adapters.packets import CaptureSource
from agent.adapters.recording_run import RecordingRun
from agent.adapters.segment_row import Bench, RecorderSettings, RecordingEvent, RecordingOrder
from agent.adapters.spool import Spool
from agent.clock import Clock
from agent.evidence.journal import Reason
from agent.wire.signing import CertifiedSigner

__all__ = ["Recorder", "RecorderSettings", "RecordingEvent", "RecordingOrder"]

Job = tuple[RecordingOrder, PacketQueue]


class Recorder:
    """Obeys at once and answers through `report`, called in its own thread "recorder": `FragmentStored` for every
    fragment on the disk, `GapOpened`, and one `RecordingSealed` or `RecordingFailed` for every order.

    `start`, `stop` and `close` belong to one thread. An unexpected exception ends the recorder's thread through
    `threading.excepthook`; what is on the disk is recovered at the next start.
    """

    def __init__(
        self,
        spool: Spool,
        signer: CertifiedSigner,
        clock: Clock,
        make_source: Callable[[], CaptureSource],
        report: Callable[[RecordingEvent], None],
        settings: RecorderSettings,
    ) -> None:
        self._bench = Bench(spool, signer, clock, make_source, report, settings)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._packets: PacketQueue | None = None
        self._thread = threading.Thread(target=self._run, name="recorder")

    def start(self, order: RecordingOrder) -> None:
        """Begin a recording, after the one before was stopped and is sealed."""
        self.stop(Reason.STOPPED)
        self._packets = PacketQueue(self._bench.settings.queue_bytes)
        self._jobs.put((order, self._packets))
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self, reason: Reason) -> None:
        """End the recording, if there is one: its last fragment is stored, then it is sealed."""
        if self._packets is not None:
            self._packets.signal(StopAsked(reason))
            self._packets = None

    def close(self, timeout: float) -> bool:
        """End the recording because the device shuts down; returns whether everything is sealed after `timeout`
        seconds. Nothing may be started afterwards."""
        self.stop(Reason.SHUTDOWN)
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            order, packets = job
            RecordingRun(order, self._bench, packets).run()
