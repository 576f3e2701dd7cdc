"""One opened source and its thread "camera"."""

import threading
from collections.abc import Sequence

from agent.adapters.packet_flow import PacketQueue, SourceEnded
from agent.adapters.packets import CaptureSource, MediaFault, Packet, SourceDescription, StreamInfo
from agent.errors import EnvironmentFault

CLOSE_S = 2.0  # ours; a camera that does not let go is left to its daemon thread


class CameraLine:
    """Opens a source and carries its packets into the queue, all in its own thread, until it is closed; what comes
    later is nobody's. A source that does not open within `open_s` is left to the thread, which frees it at last."""

    def __init__(self, source: CaptureSource, queue: PacketQueue, open_s: float) -> None:
        self._source, self._queue, self._open_s = source, queue, open_s
        self._tracks: Sequence[StreamInfo] = ()
        self._opening_fault: EnvironmentFault | None = None
        self._opened, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    @property
    def description(self) -> SourceDescription:
        """What the source is."""
        return self._source.description

    @property
    def is_opening(self) -> bool:
        """Whether the source has been told to open and has not answered."""
        return self._thread.is_alive() and not self._opened.is_set()

    def open(self) -> Sequence[StreamInfo]:
        """Open the source in its thread; returns the tracks. Raises `EnvironmentFault`."""
        self._thread.start()
        if not self._opened.wait(self._open_s):
            self._closed.set()
            self._source.close()
            raise MediaFault(f"摄像头 {self._open_s:g} 秒内没有打开。请检查连接，必要时重新插拔或重启设备。")
        if self._opening_fault is not None:
            raise self._opening_fault
        return self._tracks

    def set_bitrate(self, bits_per_second: int) -> None:
        """Ask the source for another rate."""
        self._source.set_bitrate(bits_per_second)

    def flush(self) -> None:
        """Have the source put into the queue what it still holds."""
        self._source.flush()

    def close(self) -> None:
        """Stop the source; returns after `CLOSE_S` at the latest."""
        self._closed.set()
        self._source.close()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            self._tracks = self._source.open()
        except EnvironmentFault as error:
            self._opening_fault = error
        self._opened.set()
        if self._opening_fault is None:
            self._carry()

    def _carry(self) -> None:
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
