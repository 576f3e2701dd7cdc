"""A recorder with a pre-event ring that records the test scene into the folder it is given, triggered by a line on its
standard input, and says on its standard output what the camera saw and what is stored. It runs until killed.

A machine that is busy may hold up the recorder as long as it likes: the camera waits before it is farther ahead of the
disk than may be lost, and its waiting is no stall. A camera that was held up itself brings its next picture late, and
that one is let through: the recorder would wait for it to fill a fragment. A recorder that wants more pictures than may
be lost before it stores anything ends the process instead.

With a past of so many seconds the ring is filled at once with pictures of 1 Mbit/s that came before the scene. While
such a ring goes to the disk the camera does not wait; that the disk has come near again is said as `near`.
"""

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from agent.adapters import pyav_source
from agent.adapters.coding_batch import CodingBatch, Shot
from agent.adapters.data_keys import DataKeys, read_archive_key
from agent.adapters.libav import H264Encoder, Picture
from agent.adapters.packets import VIDEO_TIME_BASE, Deliver, Packet
from agent.adapters.recorder import PreEventSettings, Recorder, RecorderSettings, RecordingOrder
from agent.adapters.sources import CaptureSettings, make_source
from agent.adapters.spool import Spool
from agent.control.messages import FragmentStored
from agent.wire.device_events import GENESIS
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER, UNIT

RING_S = 2
PAST_KBPS, FPS, SECOND_NS = 1000, 30, 10**9
AHEAD_NS = 700 * 10**6  # order B: what a kill may cost
PATIENCE_S = 60.0


class Stored:
    """How far the disk has got, as the recorder tells it; monotonic nanoseconds, 0 before the first fragment."""

    def __init__(self, *, far: bool) -> None:
        self._end_ns, self._before_ns, self._told = 0, 0, threading.Condition()
        self._far = far

    def tell(self, event: FragmentStored) -> None:
        with self._told:
            self._end_ns = event.captured.monotonic_ns + event.duration_ms * 10**6
            self._told.notify_all()

    def see(self, captured_ns: int) -> None:
        """Wait until the recorder may have what was captured then, and say it aloud."""
        self._wait_for(captured_ns)
        say("delivered", captured_ns)

    def _wait_for(self, captured_ns: int) -> None:
        """Until the disk is so near that the picture of this moment may be delivered."""
        far_ns, self._before_ns = min(captured_ns, self._before_ns + SECOND_NS // FPS), captured_ns
        if self._far:
            if self._end_ns and captured_ns - self._end_ns <= AHEAD_NS:
                self._far = False
                say("near", self._end_ns)
            return
        with self._told:
            near = self._told.wait_for(lambda: not self._end_ns or far_ns - self._end_ns <= AHEAD_NS, PATIENCE_S)
        if not near:
            os._exit(1)


class TappedBatch(CodingBatch):
    """Says every picture aloud before it waits to be coded."""

    def __init__(self, stored: Stored, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._stored = stored

    def take(self, shot: Shot) -> None:
        self._stored.see(shot.captured.monotonic_ns)
        super().take(shot)


class Tapped:
    """A source whose every picture is said aloud as soon as it is seen, before it waits to be coded; without pictures,
    every packet of sound."""

    def __init__(self, camera: str, past_s: int, stored: Stored) -> None:
        audio = "test" if camera == "none" else "none" if past_s else "auto"
        self._past_s, self._sound = past_s, stored if camera == "none" else None
        pyav_source.CodingBatch = partial(TappedBatch, stored)
        self._source = make_source(CaptureSettings(camera=camera, audio=audio, width=320, height=192), CLOCK)
        self.description = self._source.description
        self.open, self.flush, self.close = self._source.open, self._source.flush, self._source.close

    def run(self, deliver: Deliver) -> None:
        begin_ns = CLOCK.read().monotonic_ns - self._past_s * SECOND_NS
        for packet in past(begin_ns) if self._past_s else ():
            deliver(packet)
            if packet.keyframe:
                time.sleep(0.005)  # the recorder takes what there is; the queue holds less than two minutes
        shift = 0

        def tap(packet: Packet) -> None:
            nonlocal shift
            if self._sound is not None:
                self._sound.see(packet.captured.monotonic_ns)
            if self._past_s and not shift:
                since = Fraction(packet.captured.monotonic_ns - begin_ns, SECOND_NS)
                shift = int(since / VIDEO_TIME_BASE) - packet.dts
            deliver(replace(packet, pts=packet.pts + shift, dts=packet.dts + shift) if shift else packet)

        self._source.run(tap)


def past(begin_ns: int) -> Iterator[Packet]:
    """What a camera would have delivered from that moment up to now."""
    coder, now = H264Encoder(0, (320, 192), FPS, 300, Fraction(1)), CLOCK.read()
    group = [it for n in range(FPS) for it in coder.encode(Picture(320, 192, "yuv420p"), Fraction(n, FPS), now)]
    filler = b"\0\0\0\1\x0c" + b"\xff" * (PAST_KBPS * 125 // FPS) + b"\x80"
    for number, it in enumerate(itertools.cycle(group)):
        taken_ns, at = begin_ns + number * SECOND_NS // FPS, int(Fraction(number, FPS) / VIDEO_TIME_BASE)
        if taken_ns > CLOCK.read().monotonic_ns:
            return
        yield replace(it, pts=at, dts=at, data=it.data + filler, captured=replace(now, monotonic_ns=taken_ns))


def say(word: str, number: int) -> None:
    os.write(1, f"{word} {number}\n".encode())


def main(root: str, camera: str, past_s: str = "0", archive: str = "") -> None:
    long = int(past_s)
    stored = Stored(far=long > 0)

    def report(event: object) -> None:
        if isinstance(event, FragmentStored):
            stored.tell(event)
            say("stored", event.sequence)

    ring = PreEventSettings(RING_S + long)
    settings = RecorderSettings(retry_s=0.2, stall_s=PATIENCE_S, margin_bytes=0, pre_event=ring)
    keys = DataKeys(Path(root).with_name("keys"), read_archive_key(Path(archive))) if archive else None
    spool = Spool(Path(root), keys=keys)
    recorder = Recorder(spool, SIGNER, CLOCK, lambda: Tapped(camera, long, stored), report, settings)
    recorder.open()
    sys.stdin.readline()
    recorder.start(RecordingOrder(FIRST, UNIT, GENESIS))
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
