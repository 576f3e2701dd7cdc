"""A microphone that falls silent must not hold back the pictures: silence takes its place, and that is told.

Without it a segment whose sound never begins would not be written at all: the muxer waits for every track.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from agent.adapters.packets import Packet, StreamInfo, seconds

MAX_SILENT_S = Fraction(2)  # ours; sound of a slow card lags by tenths of a second
AAC_FRAME = 1024  # samples an access unit, ISO/IEC 14496-3 section 4.5.1.1


class SilenceFiller:
    """Watches the sound tracks behind the pictures; `lost` tells whether silence stands in for one now."""

    def __init__(self, tracks: Sequence[StreamInfo]) -> None:
        self._tracks = tracks
        self._ends: dict[int, Fraction] = {}
        pictures = bool(tracks) and tracks[0].is_video
        self._sound = [number for number, track in enumerate(tracks) if pictures and track.silence]
        self.lost = False

    def push(self, packet: Packet) -> Iterator[Packet]:
        """`packet` and the silence that is due before it; sound that comes later than its silence is left out."""
        time = seconds(packet, self._tracks)
        if packet.stream in self._sound:
            if time < self._ends.get(packet.stream, time):
                return
            self._ends[packet.stream] = time + self._length(packet.stream)
            self.lost = False
        elif packet.stream == 0:
            for track in self._sound:
                yield from self._fill(track, time, packet)
        yield packet

    def _fill(self, track: int, until: Fraction, picture: Packet) -> Iterator[Packet]:
        end = self._ends.setdefault(track, until)
        if not self.lost and until - end <= MAX_SILENT_S:
            return
        self.lost = True
        info = self._tracks[track]
        while end < until:
            at = int(end / info.time_base)
            yield Packet(track, at, at, AAC_FRAME, True, info.silence, picture.captured)
            end += self._length(track)
        self._ends[track] = end

    def _length(self, track: int) -> Fraction:
        return AAC_FRAME * self._tracks[track].time_base
