"""The capture side's jobs, each in a process of its own: `python -m tests.benchmarks.capture_jobs NAME FOLDER ARGS...`.

Prints one JSON object. Films are really coded once and repeated, filled up to the bit rate with H.264 filler, so that a
job about disks or memory costs no encoding.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from agent.adapters.fake_source import FakeSource, Step
from agent.adapters.packets import VIDEO_TIME_BASE, Codec, Packet, StreamInfo
from agent.adapters.packets import seconds as seconds_of
from agent.adapters.pre_event import PreEventRing, PreEventSettings
from agent.adapters.recorder import Recorder, RecorderSettings, RecordingEvent, RecordingOrder
from agent.adapters.sources import CaptureSettings, make_source
from agent.adapters.spool import Spool
from agent.adapters.watermark import Caption
from agent.clock import Clock
from agent.control.messages import FragmentStored, GapOpened, RecordingFailed, RecordingSealed
from agent.evidence.journal import Reason
from agent.wire.device_events import GENESIS
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER, UNIT, moment

FPS = 30
CAPTION = Caption("REC-0001", "星河区综合行政执法局", "110042")
PATIENCE_S = 120.0


class Bench:
    """A recorder in `folder` and what it says."""

    def __init__(self, folder: Path, make: Callable[[], Any], settings: RecorderSettings, spool: Spool | None = None):
        self.events: list[RecordingEvent] = []
        self._changed = threading.Condition()
        self.spool = spool or Spool(folder / "recordings")
        self.recorder = Recorder(self.spool, SIGNER, CLOCK, make, self._tell, settings)

    def start(self) -> None:
        self.recorder.start(RecordingOrder(FIRST, UNIT, GENESIS, {"version": "bench"}))

    def wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, PATIENCE_S):
                raise SystemExit(f"waited in vain; last: {self.events[-1:]}")

    def stored_ms(self) -> int:
        return sum(event.duration_ms for event in self.events if isinstance(event, FragmentStored))

    def ended(self) -> bool:
        return any(isinstance(event, RecordingSealed | RecordingFailed) for event in self.events)

    def gaps(self) -> list[str]:
        return [event.reason for event in self.events if isinstance(event, GapOpened)]

    def _tell(self, event: RecordingEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()


class SpoolThatTells(Spool):
    """A spool that remembers when its folder changed last before the sidecars: a seal ends, the film synced, with the
    removal of its draft; the sums of the whole film come after it."""

    sealed_at = 0.0

    def write_sidecars(self, *arguments: Any, **named: Any) -> None:
        self.sealed_at = self.folder(FIRST).stat().st_mtime
        super().write_sidecars(*arguments, **named)


def film(seconds: int, kbps: int, clock: Clock = CLOCK) -> Iterator[Packet]:
    """One track of pictures, a keyframe a second, every packet with bytes of its own."""
    from agent.adapters.libav import H264Encoder
    from tests.benchmarks.workload import _filled, _picture

    coder = H264Encoder(0, TRACK_SIZE, FPS, 400, Fraction(1))
    share, now = kbps * 1000 // 8 // FPS, clock.read()
    group = [it for n in range(FPS) for it in coder.encode(_picture(n), Fraction(n, FPS), now)]
    coded = [replace(it, data=_filled(it.data, share)) for it in group]
    ticks = int(1 / VIDEO_TIME_BASE)
    for number in range(seconds):
        for it in coded:
            at = it.dts + number * ticks
            yield replace(it, pts=at, dts=at, data=bytes(bytearray(it.data)), captured=clock.read())


TRACK_SIZE = (320, 240)
TRACKS = [StreamInfo(Codec.H264, VIDEO_TIME_BASE, width=TRACK_SIZE[0], height=TRACK_SIZE[1])]


def record(folder: Path, camera: str, width: str, height: str, kbps: str) -> dict[str, Any]:
    """Record until standard input ends; says a line when the first fragment is on the disk."""
    settings = CaptureSettings(
        camera=camera, width=int(width), height=int(height), video_kbps=int(kbps), audio="none", frames_per_second=FPS
    )
    bench = Bench(folder, lambda: make_source(settings, CLOCK, CAPTION), RecorderSettings(margin_bytes=0))
    bench.start()
    bench.wait(lambda: bench.stored_ms() > 0)
    os.write(1, b"recording\n")
    sys.stdin.read()
    bench.recorder.close(20)
    return {"stored_ms": bench.stored_ms(), "gaps": bench.gaps()}


def watermark(_: Path, width: str, height: str, kbps: str) -> dict[str, Any]:
    """Processor time of the watermark (its own thread) and of encoding (all threads) over the same pictures."""
    from agent.adapters.libav import H264Encoder, MediaInput
    from agent.adapters.watermark import Watermark

    seconds = 12
    scene = MediaInput(f"testsrc2=size={width}x{height}:rate={FPS},format=yuv420p", "lavfi", {}, 3.0)
    scene.open()
    coder, mark = H264Encoder(0, (int(width), int(height)), FPS, int(kbps), Fraction(1)), Watermark(CAPTION)
    mark.fit(int(height))
    drawing = encoding = 0.0
    for number, picture in zip(range(seconds * FPS), scene.frames(pictures=True, sound=False), strict=False):
        now, ready = CLOCK.read(), coder.ready(picture, shared=False)
        begin = time.thread_time()
        mark.draw(memoryview(ready.planes[0]), ready.planes[0].line_size, now)
        drawing += time.thread_time() - begin
        begin = time.process_time()
        list(coder.encode(ready, Fraction(number, FPS), now))
        encoding += time.process_time() - begin
    scene.close()
    return {"drawing_s": drawing / seconds, "encoding_s": encoding / seconds, "font": mark.font}


def ring(_: Path, seconds: str, kbps: str) -> dict[str, Any]:
    """What a full ring costs in memory over its payload."""
    kept = PreEventRing(PreEventSettings(int(seconds), max_bytes=2**40))
    kept.begin(TRACKS)
    for packet in film(2, 100):  # what the encoder and the first packets cost is not the ring's
        kept.put(packet)
    kept.begin(TRACKS)
    before = _rss()
    for packet in film(int(seconds) + 5, int(kbps)):
        kept.put(packet)
    return {"payload": kept.bytes, "grown": _rss() - before, "span_ms": kept.span_ms}


def flush(folder: Path, seconds: str, kbps: str) -> dict[str, Any]:
    """A full ring, then the button: until everything that was in it is signed and synced."""
    full, packets = threading.Event(), list(film(int(seconds), int(kbps)))

    def script() -> Iterator[Step]:
        for number, packet in enumerate(packets):
            yield packet
            if number % FPS == 0:
                yield 0.01  # let the recorder take it, or the queue would be full
        yield 0.5
        full.set()

    ring_of = PreEventSettings(int(seconds) + 1, max_bytes=2**40)
    bench = Bench(folder, lambda: FakeSource(TRACKS, script()), RecorderSettings(pre_event=ring_of, margin_bytes=0))
    bench.recorder.open()
    full.wait(PATIENCE_S)
    begin, spent = time.perf_counter(), time.process_time()
    bench.start()
    wanted = (int(seconds) - 1) * 1000  # the last fragment is not full before the next picture comes
    bench.wait(lambda: bench.stored_ms() >= wanted)
    took, spent = time.perf_counter() - begin, time.process_time() - spent
    bench.recorder.stop(Reason.STOPPED)
    bench.wait(bench.ended)
    bench.recorder.close(20)
    (segment,) = bench.spool.segments(FIRST)
    found = {"frames_in": len(packets), "frames_out": _frames(segment), "size": segment.stat().st_size}
    return {"flush_s": took, "cpu_s": spent, "gaps": bench.gaps(), **found}


def cut(folder: Path) -> dict[str, Any]:
    """Segments of two seconds: pictures in and out, and the longest time between the end of one and the next."""
    from agent.adapters.fake_source import paced
    from tests.agent.adapters.recording_bench import examined

    seconds, played = 8, threading.Event()

    def script() -> Iterator[Step]:
        # Taken when their times say: the film's own clock, not a busy machine's, tells whether a stretch is missing.
        for step in paced(film(seconds, 2000), TRACKS):
            yield replace(step, captured=moment(seconds_of(step, TRACKS))) if isinstance(step, Packet) else step
        yield 0.5
        played.set()

    settings = RecorderSettings(segment_minutes=2 / 60, margin_bytes=0)
    bench = Bench(folder, lambda: FakeSource(TRACKS, script()), settings)
    bench.start()
    played.wait(PATIENCE_S)
    bench.recorder.stop(Reason.STOPPED)
    bench.wait(bench.ended)
    bench.recorder.close(20)
    places = bench.spool.segments(FIRST)
    rows = [[record.entry.moment for record in examined(place).fragments] for place in places]
    gaps = [
        (after[0].captured.monotonic_ns - before[-1].captured.monotonic_ns) / 1e6 - before[-1].duration_ms
        for before, after in pairwise(rows)
    ]
    frames = sum(map(_frames, places))
    return {"frames_in": seconds * FPS, "frames_out": frames, "gap_ms": max(gaps), "segments": len(places)}


def stop(folder: Path, minutes: str, kbps: str) -> dict[str, Any]:
    """From the stop of a long recording to its seal on the disk, and to its sums and their signature."""
    seconds = int(minutes) * 60
    spool, played = SpoolThatTells(folder / "recordings"), threading.Event()

    def script() -> Iterator[Step]:
        for number, packet in enumerate(film(seconds, int(kbps))):
            yield packet
            while number % FPS == 0 and number * 1000 / FPS - bench.stored_ms() > 4000:
                yield 0.005
        yield 1.0
        played.set()

    settings = RecorderSettings(segment_minutes=2 * int(minutes), margin_bytes=0)
    bench = Bench(folder, lambda: FakeSource(TRACKS, script()), settings, spool)
    bench.start()
    played.wait(PATIENCE_S)
    begin = time.time()  # the clock of the folder's own times
    bench.recorder.stop(Reason.STOPPED)
    bench.wait(bench.ended)
    end = time.time()
    bench.recorder.close(20)
    size = spool.size(FIRST)
    return {"sealed_s": spool.sealed_at - begin, "done_s": end - begin, "size": size, "gaps": bench.gaps()}


def _frames(film: Path) -> int:
    import av

    with av.open(film) as container:
        return sum(1 for _ in container.decode(video=0))


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    job.__name__: job for job in (record, watermark, ring, flush, cut, stop)
}

if __name__ == "__main__":
    found = JOBS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
    sys.stdout.write(json.dumps(found) + "\n")
