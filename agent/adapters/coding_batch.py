"""Pictures that are coded a few at a time: the encoder's code and tables are then in the processor's caches already.

Measured with x264 ultrafast at 720p30: 107 ms of processor a second of video one by one, 73 in batches of eight and one
thread. What it costs is memory, and time: a picture waits for the next ones, half a fragment at most.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from agent.adapters.packets import Deliver, Packet
from agent.errors import EnvironmentFault
from agent.wire.instant import Instant

if TYPE_CHECKING:
    from agent.adapters.libav import Picture

MOST = 8  # ours; pictures
MOST_BYTES = MOST * 1920 * 1088 * 3 // 2  # ours; 25 MB: a camera of 4K holds two pictures back
LONGEST_S = Fraction(1, 4)  # ours; well below what sound waits for pictures (`packet_flow.MAX_SKEW`)
FLUSH_S = 0.5  # ours; an encoder that hangs does not hang the officer's press as well
SLOW = 0.7  # ours; of the time that the camera takes for as many pictures
SLOW_BATCHES = 12  # in a row; two seconds

logger = logging.getLogger(__name__)


class Shot(NamedTuple):
    """A picture, the second at which it is shown, and the moment when it was captured."""

    picture: "Picture"
    at: Fraction
    captured: Instant


class CodingBatch:
    """Keeps pictures until there are enough of them, or one begins a fragment, which completes the one before: a power
    cut costs no more than without batches. Nearly all of a fragment is coded before that: it is on the disk as soon as
    it is complete. A camera slower than its `fps` (a webcam in the dark, a stream) fills none:
    the first picture that comes after half a fragment ends the waiting. `code` makes packets of a shot; `hurry` is
    called when it hardly keeps pace. `take` and `close` belong to the camera's thread, `flush` to any."""

    def __init__(
        self, code: Callable[[Shot], Iterable[Packet]], hurry: Callable[[], None], fps: int, fragment_ms: int
    ) -> None:
        self._code, self._hurry, self._fps, self._picture_s = code, hurry, fps, Fraction(1, fps)
        self._fragment_s, self._next_fragment = Fraction(fragment_ms, 1000), Fraction(0)
        self._most = max(1, min(MOST, ceil(fps * self._fragment_s / 2)))
        self._longest_s = min(self._fragment_s / 2, LONGEST_S)
        self._waiting: list[Shot] = []
        self._fault: EnvironmentFault | None = None
        self._coding = threading.Lock()
        self._slow = 0
        self.deliver: Deliver = lambda _: None

    def fit(self, picture_bytes: int) -> None:
        """Hold back no more pictures of this size than there is memory for."""
        self._most = max(1, min(self._most, MOST_BYTES // max(1, picture_bytes)))

    def take(self, shot: Shot) -> None:
        """Keep `shot`, or code it and deliver it with what waits. Raises what `code` raises, here or in `flush`."""
        with self._coding:
            if self._fault is not None:
                raise self._fault
            self._waiting.append(shot)
            if self._ends_with(shot) or len(self._waiting) >= self._most:
                self._code_all()

    def flush(self) -> None:
        """Code and deliver what waits. A fault is only logged: the camera's thread tells it with its next picture,
        because those that were lost here leave a hole, and what follows cannot be decoded without them."""
        if not self._coding.acquire(timeout=FLUSH_S):
            logger.warning("the encoder does not answer; its pictures are not waited for")
            return
        try:
            self._code_all()
        except EnvironmentFault as fault:
            self._fault = fault
            logger.warning("pictures that waited could not be coded: %s", fault)
        finally:
            self._coding.release()

    def close(self) -> None:
        """Forget what waits, once nobody codes it any more: a camera's pictures may lie in the device's own memory,
        which goes with the device."""
        with self._coding:
            self._waiting = []

    def _ends_with(self, shot: Shot) -> bool:
        begins = shot.at >= self._next_fragment
        if begins:
            self._next_fragment = shot.at + self._fragment_s
        nears = 0 <= shot.at + 2 * self._picture_s - self._next_fragment < self._picture_s  # one comes in between
        return begins or nears or shot.at - self._waiting[0].at >= self._longest_s

    def _code_all(self) -> None:
        shots, self._waiting = self._waiting, []
        if not shots:  # asked for in vain; no time is not too slow
            return
        begun, packets = time.monotonic(), list[Packet]()
        try:
            for shot in shots:
                packets += self._code(shot)
            self._watch_pace(time.monotonic() - begun, len(shots))
        finally:  # those before a fault, too
            for packet in packets:  # together: the recorder's thread, once awake, drives the encoder out of the caches
                self.deliver(packet)

    def _watch_pace(self, took_s: float, pictures: int) -> None:
        self._slow = self._slow + 1 if took_s > SLOW * pictures / self._fps else 0
        if self._slow >= SLOW_BATCHES:
            self._slow = 0
            self._hurry()
