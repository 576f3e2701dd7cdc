"""What was seen before the button: a ring of encoded packets in memory, bounded in seconds and in bytes."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agent.adapters.packets import Packet, StreamInfo, seconds

MAX_PRE_EVENT_BYTES = 64 * 2**20  # ours: 120 s at 4 Mbit/s
MOST_PRE_EVENT_BYTES = 192 * 2**20  # ours: a third of what a Pi with 1 GB has left; above it fewer seconds are kept
SOUND_KBPS = 64
BURSTS = 1.25  # ours; an encoder is above its rate for a while


def ring_bytes(seconds: int, video_kbps: int) -> int:
    """How much room `seconds` of picture and sound may take."""
    wanted = round(seconds * (video_kbps + SOUND_KBPS) * 125 * BURSTS)
    return min(max(MAX_PRE_EVENT_BYTES, wanted), MOST_PRE_EVENT_BYTES)


@dataclass(frozen=True)
class PreEventSettings:
    """`seconds` before the trigger are kept, 0 for none (REC-02: 0 to 120 s). Without `sound` silence stands in the
    place of what was heard before the trigger; what is heard is then never in memory longer than a packet takes."""

    seconds: int = 0
    sound: bool = False
    max_bytes: int = MAX_PRE_EVENT_BYTES


class PreEventRing:
    """The newest packets, from a keyframe of the first track on; the oldest group of pictures falls out first.

    Packets come in the order of their decoding times, of one camera without a break: after one, call `clear`.
    `forgotten` counts the packets that fell out or were cleared and never became anybody's recording.
    """

    def __init__(self, settings: PreEventSettings) -> None:
        self._settings = settings
        self._tracks: Sequence[StreamInfo] = ()
        self._groups: deque[list[Packet]] = deque()
        self.bytes = self.forgotten = 0

    @property
    def span_ms(self) -> int:
        """Milliseconds from the first picture to the newest."""
        if not self._groups:
            return 0
        first, last = self._groups[0][0], self._groups[-1][-1]
        return round(float(seconds(last, self._tracks) - seconds(first, self._tracks)) * 1000)

    def begin(self, tracks: Sequence[StreamInfo]) -> None:
        """A camera with these tracks was opened."""
        self.clear()
        self._tracks = tracks

    def put(self, packet: Packet) -> None:
        """Keep `packet`, and let go of what is too old or too much."""
        if packet.stream == 0 and packet.keyframe:
            self._groups.append([])
        if not self._groups:
            self.forgotten += 1
            return
        if not self._tracks[packet.stream].is_video and not self._settings.sound and not self._is_sound_only:
            packet = muted(packet, self._tracks)
        self._groups[-1].append(packet)
        self.bytes += len(packet.data)
        self._evict()

    def take(self) -> Iterator[Packet]:
        """Everything, oldest first; each group is let go of when it has been taken."""
        while self._groups:
            group = self._groups.popleft()
            self.bytes -= _size(group)
            yield from group

    def clear(self) -> None:
        """Forget everything."""
        self.forgotten += sum(1 for _ in self.take())

    @property
    def _is_sound_only(self) -> bool:
        return not self._tracks[0].is_video

    def _evict(self) -> None:
        limit, most = self._settings.seconds * 1000, self._settings.max_bytes
        while self._groups and (self.span_ms > limit or self.bytes > most):
            oldest = self._groups.popleft()
            self.bytes -= _size(oldest)
            self.forgotten += len(oldest)


def _size(packets: Sequence[Packet]) -> int:
    return sum(len(packet.data) for packet in packets)


def muted(packet: Packet, tracks: Sequence[StreamInfo]) -> Packet:
    """`packet` with silence in the place of sound; a picture is left as it is."""
    track = tracks[packet.stream]
    return packet if track.is_video else replace(packet, data=track.silence)
