"""The camera as the recorder sees it: opened, watched, its packets put in order; it may outlive a recording."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from agent.adapters.camera_line import CameraLine
from agent.adapters.packet_flow import Interleaver, PacketQueue, TimestampGuard
from agent.adapters.packets import CaptureSource, MediaFault, Packet, SourceDescription, StreamInfo
from agent.adapters.silence import SilenceFiller
from agent.clock import Clock

SECOND_NS = 10**9


class CameraFeed:
    """At most one camera line at a time; everything here belongs to the recorder's thread. `open_s` is how long a
    camera may take to open."""

    def __init__(
        self, make_source: Callable[[], CaptureSource], clock: Clock, queue: PacketQueue, open_s: float
    ) -> None:
        self._make_source, self._clock, self._queue, self._open_s = make_source, clock, queue, open_s
        self._line: CameraLine | None = None
        self._last: CameraLine | None = None
        self._guard, self._interleaver = TimestampGuard(()), Interleaver(())
        self._filler = SilenceFiller(())
        self._quiet_since_ns = 0
        self._bitrate: int | None = None
        self.tracks: Sequence[StreamInfo] = ()
        self.description = SourceDescription("", synthetic=False)

    @property
    def is_open(self) -> bool:
        """Whether there is a camera."""
        return self._line is not None

    @property
    def quiet_s(self) -> float:
        """Seconds since the last picture, or since the camera was opened, closed or tried in vain. A disk that hangs is
        not the camera's silence: pictures that wait in the queue count."""
        if self._queue.holds_pictures:
            return 0.0
        return (self._clock.read().monotonic_ns - self._quiet_since_ns) / SECOND_NS

    def open(self) -> None:
        """Open the camera; raises `EnvironmentFault` when there is none, and `quiet_s` begins anew."""
        self._touch()
        if self._last is not None and self._last.is_opening:  # one thread that hangs in a driver is enough
            raise MediaFault("摄像头仍没有响应上一次打开。请检查连接，必要时重新插拔或重启设备。")
        line = self._last = CameraLine(self._make_source(), self._queue, self._open_s)
        if self._bitrate is not None:
            line.set_bitrate(self._bitrate)
        try:
            self.tracks = line.open()
        finally:
            self._touch()
        self._line, self.description = line, line.description
        self._guard, self._interleaver = TimestampGuard(self.tracks), Interleaver(self.tracks)
        self._filler = SilenceFiller(self.tracks)

    def set_bitrate(self, bits_per_second: int) -> None:
        """Ask this camera, and every one after it, for another rate."""
        self._bitrate = bits_per_second
        if self._line is not None:
            self._line.set_bitrate(bits_per_second)

    def flush(self) -> None:
        """Have the camera queue the pictures that it has captured and still holds; from any thread."""
        line = self._last  # one that is just being opened, too
        if line is not None:
            line.flush()

    def push(self, packet: Packet) -> tuple[list[Packet], Fraction]:
        """Take a packet from the queue; return those whose turn has come, and by how many seconds this one had to be
        moved (0: not)."""
        if packet.stream == 0:  # the pictures; sound that goes on does not hide a camera that stands still
            self._touch()
        due, moved = [], Fraction(0)
        for piece in self._filler.push(packet):
            admitted, shift = self._guard.admit(piece)
            due += self._interleaver.push(admitted)
            moved = max(moved, shift)
        return due, moved

    @property
    def sound_lost(self) -> bool:
        """Whether silence stands in the place of sound that does not come."""
        return self._filler.lost

    def drain(self) -> list[Packet]:
        """The packets still held back, in order; the camera goes on."""
        return self._interleaver.drain()

    def close(self) -> list[Packet]:
        """Let the camera go; the packets still held back, in order. What it left in the queue is forgotten."""
        if self._line is not None:
            self._line.close()
            self._line = None
            self._queue.forget_packets()
            self._touch()
        return self.drain()

    def _touch(self) -> None:
        self._quiet_since_ns = self._clock.read().monotonic_ns
