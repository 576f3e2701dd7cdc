"""One opened source and its thread "camera"."""

import threading
from collections.abc import Sequence

from agent.adapters.packet_flow import PacketQueue, SourceEnded
from agent.adapters.packets import CaptureSource, Packet, SourceDescription, StreamInfo
from agent.errors import EnvironmentFault

CLOSE_S = 2.0  # ours; a camera that does not let go is left to its daemon thread


class CameraLine:
    """Carries a source's packets into the queue until it is closed; what comes later is nobody's."""

    def __init__(self, source: CaptureSource, queue: PacketQueue) -> None:
        self._source, self._queue = source, queue
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    @property
    def description(self) -> SourceDescription:
        """What the source is."""
        return self._source.description

    def open(self) -> Sequence[StreamInfo]:
        """Open the source and start its thread; returns the tracks. Raises `EnvironmentFault`."""
        tracks = self._source.open()
        self._thread.start()
        return tracks

    def close(self) -> None:
        """Stop the source; returns after `CLOSE_S` at the latest."""
        self._closed.set()
        self._source.close()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        fault: EnvironmentFault | None = None
        try:
            self._source.run(self._deliver)
        except EnvironmentFault as error:
            fault = error
        if not self._closed.is_set():
            self._queue.signal(SourceEnded(fault))

    def _deliver(self, packet: Packet) -> None:
        if not self._closed.is_set():
            self._queue.put(packet)
