"""Pictures of a sensor on their way through an encoder that somebody else runs: marked, dated, put on our time line."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

from agent.adapters.packets import VIDEO_TIME_BASE, Deliver, MediaFault, Packet
from agent.adapters.pyav_source import Encoding
from agent.adapters.still_watch import StillWatch
from agent.adapters.watermark import Watermark
from agent.clock import Clock
from agent.wire.instant import Instant

SILENT_S = 2.5  # ours, below what a recorder waits: libcamera says nothing when the cable is off
OLDEST_NS = 10**9  # a picture that claims to be older was dated by another clock than ours
HOLE_NS = 150_000_000  # ours; a sensor that exposes longer in the dark is slower than asked, and has lost nothing
REMEMBERED = 64  # pictures between the sensor and the encoder's output; picamera2 has 6 buffers
MICROSECOND_NS = 1000


class SensorFlow:
    """`taken` and `encoded` belong to the threads of whoever runs the encoder, in this order for every picture; `check`
    to anyone. Seconds count from where it was made."""

    def __init__(self, deliver: Deliver, clock: Clock, encoding: Encoding, watermark: Watermark) -> None:
        self._deliver, self._clock, self._watermark = deliver, clock, watermark
        self._still = StillWatch()
        self._origin_ns = self._last_ns = clock.read().monotonic_ns
        self._length = int(1 / (encoding.frames_per_second * VIDEO_TIME_BASE))
        # Half a picture early: the sensor's pace is never exact, and a keyframe must not slip by one.
        self._group_us = int((encoding.keyframe_s - Fraction(1, 2 * encoding.frames_per_second)) * 10**6)
        self._key_us: int | None = None
        self._taken: dict[int, tuple[Instant, bool]] = {}
        self._sensor_ns, self._hole_ns = 0, max(HOLE_NS, 5 * 10**9 // (2 * encoding.frames_per_second))
        self._before: Instant | None = None  # when the picture that came out of the encoder last was taken
        self._holes: set[int] = set()  # pictures that came too long after the one before
        self._shift_us: int | None = None

    def taken(self, sensor_ns: int, luma: memoryview, stride: int) -> bool:
        """Mark a picture and note when it was taken, by the sensor's own word (CLOCK_BOOTTIME) where that is ours.
        Returns whether it must become a keyframe: an encoder that counts pictures is late when some are lost."""
        now = self._clock.read()
        self._last_ns = now.monotonic_ns
        captured = _earlier(now, now.monotonic_ns - sensor_ns)
        still = self._still.look(luma, stride, Fraction(sensor_ns, 10**9))
        self._watermark.draw(luma, stride, captured)
        self._taken[sensor_ns // MICROSECOND_NS] = captured, still
        if self._sensor_ns and sensor_ns - self._sensor_ns > self._hole_ns:
            self._holes.add(sensor_ns // MICROSECOND_NS)
        self._sensor_ns = sensor_ns
        if len(self._taken) > REMEMBERED:
            self._forget(next(iter(self._taken)))
        return self._key_due(sensor_ns // MICROSECOND_NS)

    def encoded(self, data: bytes, sensor_us: int, *, keyframe: bool) -> None:
        """Hand on what the picture of `sensor_us` became."""
        lost = self._lost(sensor_us)
        captured, still = self._taken.pop(sensor_us) if sensor_us in self._taken else (self._clock.read(), False)
        if self._shift_us is None:
            self._shift_us = max(0, captured.monotonic_ns - self._origin_ns) // MICROSECOND_NS - sensor_us
        at = (sensor_us + self._shift_us) * VIDEO_TIME_BASE.denominator // 10**6
        since, self._before = self._before if lost else None, captured
        self._deliver(Packet(0, at, at, self._length, keyframe, data, captured, still, since))

    def check(self) -> None:
        """Raise `MediaFault` when no picture has come for `SILENT_S`."""
        if self._clock.read().monotonic_ns - self._last_ns > SILENT_S * 10**9:
            raise MediaFault(f"树莓派摄像头 {SILENT_S:g} 秒没有画面。请检查排线后重新录制。")

    def _lost(self, sensor_us: int) -> bool:
        """Whether pictures before that one never came: out of the sensor, or out of the encoder."""
        passed = [taken for taken in [*self._taken] if taken < sensor_us]  # copied: the other thread adds to it
        for taken in passed:
            self._forget(taken)
        hole = sensor_us in self._holes
        self._holes.discard(sensor_us)
        return hole or bool(passed)

    def _forget(self, taken: int) -> None:
        self._taken.pop(taken, None)
        self._holes.discard(taken)

    def _key_due(self, sensor_us: int) -> bool:
        due = self._key_us is None or sensor_us - self._key_us >= self._group_us
        if due:
            self._key_us = sensor_us
        return due


def _earlier(now: Instant, age_ns: int) -> Instant:
    if not 0 <= age_ns < OLDEST_NS:
        return now
    wall = now.wall - timedelta(microseconds=age_ns // MICROSECOND_NS)
    return replace(now, wall=wall, monotonic_ns=now.monotonic_ns - age_ns)
