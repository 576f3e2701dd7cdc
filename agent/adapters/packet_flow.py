"""What happens to packets between a source and the muxer: times made to rise, tracks merged, a bounded queue."""

import heapq
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from agent.adapters.orders import Asked
from agent.adapters.packets import Packet, StreamInfo, seconds
from agent.errors import EnvironmentFault
from agent.wire.instant import Instant

QUEUE_BYTES = 32 * 2**20  # ours: 64 s at 4 Mbit/s; half of the 64 MB a slow card may cost (reliability.md, fault 21)
MAX_SKEW = Fraction(1, 2)  # seconds one track may lag before the others go on without it
MAX_NUDGE = Fraction(1)  # seconds a time may step back and still be nudged; beyond it the track is re-based


class TimestampGuard:
    """Makes the decoding times of every track rise strictly; a muxer refuses a packet whose time does not."""

    def __init__(self, tracks: Sequence[StreamInfo]) -> None:
        self._tracks = tracks
        self._next = [0] * len(tracks)
        self._shift = [0] * len(tracks)
        self._started = [False] * len(tracks)

    def admit(self, packet: Packet) -> tuple[Packet, Fraction]:
        """`packet` with rising times, and by how many seconds it had to be moved because of it just now (0: not).

        A track that stepped back far is moved as a whole from then on, and that is told once.
        """
        track, wanted = packet.stream, packet.dts + self._shift[packet.stream]
        late = self._next[track] - wanted if self._started[track] else 0
        told = Fraction(0)
        if late > 0:
            wanted += late
            told = late * self._tracks[track].time_base
            if told > MAX_NUDGE:
                self._shift[track] += late
        self._started[track] = True
        self._next[track] = wanted + 1
        moved = wanted - packet.dts
        if not moved and packet.pts >= wanted:
            return packet, told
        return replace(packet, dts=wanted, pts=max(wanted, packet.pts + moved)), told


class Interleaver:
    """Merges the tracks into one row by decoding time, so that a cut at a keyframe leaves no sound behind."""

    def __init__(self, tracks: Sequence[StreamInfo]) -> None:
        self._tracks = tracks
        self._heap: list[tuple[Fraction, int, int, Packet]] = []
        self._waiting = [0] * len(tracks)
        self._count = 0
        self._newest = Fraction(0)

    def push(self, packet: Packet) -> list[Packet]:
        """Take one packet; return those whose turn has come, in order."""
        time = seconds(packet, self._tracks)
        heapq.heappush(self._heap, (time, packet.stream, self._count, packet))
        self._count += 1
        self._waiting[packet.stream] += 1
        self._newest = max(self._newest, time)
        due = []
        while self._heap and (all(self._waiting) or self._newest - self._heap[0][0] > MAX_SKEW):
            due.append(self._pop())
        return due

    def drain(self) -> list[Packet]:
        """Everything that is left, in order."""
        return [self._pop() for _ in range(len(self._heap))]

    def _pop(self) -> Packet:
        packet = heapq.heappop(self._heap)[-1]
        self._waiting[packet.stream] -= 1
        return packet


@dataclass(frozen=True)
class Dropped:
    """`packets` were dropped since `since`, because the disk did not keep up."""

    packets: int
    since: Instant


@dataclass(frozen=True)
class SourceEnded:
    """The source delivers no more; `fault` says why, None after `close`."""

    fault: EnvironmentFault | None


Item = Packet | Dropped | SourceEnded | Asked


class PacketQueue:
    """Between the camera's thread and the recorder's: bounded in bytes, never blocks the camera, tells what it dropped.

    After a drop pictures are taken again only from the next keyframe on, so that what is kept can be decoded.
    """

    def __init__(self, limit_bytes: int = QUEUE_BYTES) -> None:
        self._limit = limit_bytes
        self._items: deque[Item] = deque()
        self._bytes = self._pictures = 0
        self._dropped = 0
        self._since: Instant | None = None
        self._broken: set[int] = set()
        self._changed = threading.Condition()

    @property
    def holds_pictures(self) -> bool:
        """Whether a picture waits: then the camera lives, however long nobody took one."""
        with self._changed:
            return self._pictures > 0

    def put(self, packet: Packet) -> None:
        """Queue `packet`, or drop and count it when the queue is full."""
        with self._changed:
            if self._bytes + len(packet.data) > self._limit or (packet.stream in self._broken and not packet.keyframe):
                self._drop(packet)
                return
            self._broken.discard(packet.stream)
            if not self._broken:  # sound that finds room between dropped pictures does not make many gaps of one
                self._tell_dropped()
            self._bytes += len(packet.data)
            self._pictures += packet.stream == 0
            self._items.append(packet)
            self._changed.notify()

    def signal(self, item: SourceEnded | Asked) -> None:
        """Queue a signal behind the packets; never dropped."""
        with self._changed:
            self._tell_dropped()
            self._items.append(item)
            self._changed.notify()

    def take_dropped(self) -> list[Dropped]:
        """What was dropped and nobody was told of yet; with the packets of a camera that stands still it would be
        forgotten."""
        with self._changed:
            self._tell_dropped()
            dropped = [item for item in self._items if isinstance(item, Dropped)]
            self._items = deque(item for item in self._items if not isinstance(item, Dropped))
            return dropped

    def forget_packets(self) -> None:
        """Drop everything that came from a camera which is closed now; what was asked for stays."""
        with self._changed:
            self._items = deque(item for item in self._items if isinstance(item, Asked))
            self._bytes, self._pictures, self._dropped, self._since = 0, 0, 0, None
            self._broken.clear()

    def take(self, timeout: float | None) -> Item | None:
        """The next item; None when nothing came for `timeout` seconds (`None`: wait for ever)."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items), timeout)
            if not self._items:
                return None
            item = self._items.popleft()
            if isinstance(item, Packet):
                self._bytes -= len(item.data)
                self._pictures -= item.stream == 0
            return item

    def _drop(self, packet: Packet) -> None:
        self._broken.add(packet.stream)
        self._dropped += 1
        self._since = self._since or packet.captured

    def _tell_dropped(self) -> None:
        if self._since is not None:
            self._items.append(Dropped(self._dropped, self._since))
            self._dropped, self._since = 0, None
