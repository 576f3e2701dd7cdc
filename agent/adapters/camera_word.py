"""What the camera itself says of its pictures, as interruptions of the recording: some were lost, or all look alike."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from agent.adapters.gap_log import GapLog
from agent.adapters.packets import Packet
from agent.evidence.journal import Reason


class CameraWord:
    """Notes in `gaps` what packets carry, and tells each reason at once through `tell`."""

    def __init__(self, gaps: GapLog, tell: Callable[[Reason], None]) -> None:
        self._gaps, self._tell = gaps, tell

    def look(self, packet: Packet) -> None:
        """Take the camera's word of one packet, which is not written yet."""
        if packet.lost_since is not None:
            self._gaps.passed(Reason.FRAMES_DROPPED, packet.lost_since, packet.captured, "pictures lost by the camera")
            self._tell(Reason.FRAMES_DROPPED)
        if packet.stream == 0 and self._gaps.impaired(Reason.PICTURE_FROZEN, lost=packet.still, at=packet.captured):
            self._tell(Reason.PICTURE_FROZEN)

    def remembered(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """The `packets` of a pre-event ring, each looked at when it is taken. What went missing before the first of
        them went missing before the recording."""
        begun = False
        for packet in packets:
            self.look(packet if begun else replace(packet, lost_since=None))
            begun = True
            yield packet
