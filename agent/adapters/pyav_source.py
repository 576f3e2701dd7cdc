"""Cameras, streams, files and the test scene, read and encoded through PyAV; one thread for each input."""

import logging
import threading
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.coding_batch import CodingBatch, Shot
from agent.adapters.freed_memory import keep_freed_memory
from agent.adapters.packets import Deliver, MediaFault, Packet, SourceDescription, StreamInfo
from agent.adapters.source_address import masked
from agent.adapters.still_watch import StillWatch
from agent.adapters.watermark import Caption, Watermark
from agent.clock import Clock
from agent.errors import EnvironmentFault
from agent.wire.instant import Instant

if TYPE_CHECKING:
    from agent.adapters.libav import AacEncoder, H264Encoder, MediaInput, Picture, Sound

READ_TIMEOUT_S = 3.0  # ours: an RTSP camera silent for so long is lost
MAX_LATE = Fraction(1)  # seconds a paced input may lag before it gives up catching up
MAX_AHEAD = Fraction(5)  # ours; what FFmpeg read while it probed a live input comes in a burst, but not more than this
MAX_KEYFRAME_S = Fraction(1)
RAW_BYTES = 16 << 20  # ours; the raw pictures of a batch at 1080p

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Input:
    """One thing to open. `live` inputs tell the pace themselves; others are paced in real time and begin again at
    their end. `scene` adds the synthetic mark to every picture's watermark; a `file` must be a regular one."""

    address: str
    format_name: str = ""
    options: dict[str, str] = field(default_factory=dict)
    pictures: bool = True
    sound: bool = False
    live: bool = True
    scene: bool = False
    file: bool = False

    @property
    def name(self) -> str:
        """The address as it may be told."""
        return masked(self.address)


@dataclass(frozen=True)
class Encoding:
    """How pictures are coded: frames a second of inputs that do not say, kbit/s, and the fragment's length in ms."""

    frames_per_second: int = 30
    video_kbps: int = 4000
    fragment_ms: int = 500

    @property
    def keyframe_s(self) -> Fraction:
        """A keyframe every second fragment, at most a second apart."""
        return min(Fraction(2 * self.fragment_ms, 1000), MAX_KEYFRAME_S)


class PyAVSource:
    """A `CaptureSource` over one input with pictures and at most one with sound, or over one with sound alone. Every
    picture gets the watermark of `caption`."""

    def __init__(
        self,
        description: SourceDescription,
        inputs: Sequence[Input],
        encoding: Encoding,
        clock: Clock,
        caption: Caption | None = None,
    ) -> None:
        self.description = description
        self._inputs, self._encoding, self._clock = inputs, encoding, clock
        self._caption = caption or Caption()
        self._closed = threading.Event()
        self._running = False
        self._feeds: list[_Feed] = []

    def open(self) -> Sequence[StreamInfo]:
        """Open every input and its encoder; raises `EnvironmentFault`, with nothing left open. A microphone that
        cannot be opened is left out, and the description says so: pictures without sound are better than none."""
        tracks: list[StreamInfo] = []
        try:
            for wanted in self._inputs:
                tracks += self._opened(wanted, len(tracks))
        except EnvironmentFault:
            self._release()
            raise
        return tracks

    def _opened(self, wanted: Input, first_track: int) -> list[StreamInfo]:
        watermark = Watermark(self._caption, synthetic=wanted.scene)
        feed = _Feed(wanted, self._encoding, self._clock, self._closed, watermark)
        self._feeds.append(feed)
        try:
            tracks = feed.open(first_track)
        except EnvironmentFault:
            if wanted.pictures or len(self._inputs) == 1:
                raise
            self._feeds.pop()
            self.description = replace(self.description, name=f"{self.description.name} (no sound)")
            return []
        if watermark.font:
            self.description = replace(self.description, watermark_font=watermark.font)
        return tracks

    def run(self, deliver: Deliver) -> None:
        """Read the first input here and the second in a thread "microphone"; ends with `close` or a fault of the first.
        When the second fails only its track ends: pictures without sound are better than none."""
        self._running = True
        origin = self._clock.read().monotonic_ns
        others = [
            threading.Thread(target=self._run_other, args=(feed, deliver, origin), name="microphone", daemon=True)
            for feed in self._feeds[1:]
        ]
        for thread in others:
            thread.start()
        try:
            self._feeds[0].run(deliver, origin)
        except EnvironmentFault as fault:
            _let_go(fault)
            raise
        finally:
            self._closed.set()
            for thread in others:
                thread.join()
            self._release()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Code pictures at this rate from the next one on."""
        self._encoding = replace(self._encoding, video_kbps=max(1, bits_per_second // 1000))
        for feed in self._feeds:
            feed.set_bitrate(bits_per_second)

    def flush(self) -> None:
        """Code and deliver the pictures that wait for company."""
        for feed in self._feeds:
            feed.flush()

    def close(self) -> None:
        """End `run`, whose thread then frees the inputs; a source that never ran is freed here."""
        self._closed.set()
        if not self._running:
            self._release()

    def _run_other(self, feed: "_Feed", deliver: Deliver, origin: int) -> None:
        try:
            feed.run(deliver, origin)
        except EnvironmentFault as fault:
            logger.warning("the microphone is gone, pictures go on: %s", fault)

    def _release(self) -> None:
        for feed in self._feeds:
            feed.close()


class _Feed:
    """One input, its encoders and its place on the common time line."""

    def __init__(
        self, wanted: Input, encoding: Encoding, clock: Clock, closed: threading.Event, watermark: Watermark
    ) -> None:
        self._wanted, self._encoding, self._clock, self._closed = wanted, encoding, clock, closed
        self._watermark, self._still = watermark, StillWatch()
        self._batch = CodingBatch(self._coded, self._hurry, encoding.frames_per_second, encoding.fragment_ms)
        self._media: MediaInput | None = None
        self._video: H264Encoder | None = None
        self._audio: AacEncoder | None = None
        self._shared = True
        self._shift: Fraction | None = None
        self._end = Fraction(0)
        self._latest: dict[type[Picture | Sound], Fraction] = {}
        self._origin_ns = 0
        self._length = Fraction(1, encoding.frames_per_second)

    def open(self, first_track: int) -> list[StreamInfo]:
        from agent.adapters.libav import AacEncoder, H264Encoder, MediaInput, Picture  # heavy

        self._picture_type = Picture
        wanted, encoding = self._wanted, self._encoding
        if wanted.file and not Path(wanted.address).is_file():  # opening a FIFO would never end
            raise MediaFault(
                f"无法读取音视频来源 {wanted.name}：不存在或不是普通文件。请检查连接、权限与配置 [capture]。"
            )
        self._media = MediaInput(wanted.address, wanted.format_name, wanted.options, READ_TIMEOUT_S)
        self._media.open()
        if wanted.pictures:
            self._shared = self._media.shares_pictures
            keep_freed_memory(RAW_BYTES)
            if self._media.size is None:
                raise EnvironmentFault(f"音视频来源 {wanted.name} 中没有画面。请检查配置 [capture] camera。")
            fps, kbps = encoding.frames_per_second, encoding.video_kbps
            self._video = H264Encoder(first_track, self._media.size, fps, kbps, encoding.keyframe_s)
            self._watermark.fit(self._video.info.height)
            self._batch.fit(self._media.size[0] * self._media.size[1] * 3 // 2)
        if wanted.sound and self._media.has_sound:
            self._audio = AacEncoder(first_track + bool(self._video))
        return [coder.info for coder in (self._video, self._audio) if coder is not None]

    def run(self, deliver: Deliver, origin_ns: int) -> None:
        self._origin_ns = origin_ns
        self._batch.deliver = deliver
        try:
            for frame in self._frames():
                self._take(frame, deliver)
                if self._closed.is_set():
                    return
        except EnvironmentFault:
            self.flush()  # what was seen before the cable was pulled
            raise

    def flush(self) -> None:
        self._batch.flush()

    def set_bitrate(self, bits_per_second: int) -> None:
        if (video := self._video) is not None:
            video.set_bitrate(bits_per_second)

    def close(self) -> None:
        self._batch.close()
        self._video = self._audio = None  # an encoder's threads and memory, tens of MB, wait for no garbage collector
        if self._media is not None:
            self._media.close()

    def _frames(self) -> "Iterator[Picture | Sound]":
        media = self._media
        if media is None:
            raise EnvironmentFault(f"音视频来源 {self._wanted.name} 尚未打开。请重新开始录制。")
        while not self._closed.is_set():
            yield from media.frames(pictures=self._video is not None, sound=self._audio is not None)
            if self._wanted.live:
                raise EnvironmentFault(f"音视频来源 {self._wanted.name} 已断开。请检查连接。")
            media.rewind()
            self._shift = None

    def _take(self, frame: "Picture | Sound", deliver: Deliver) -> None:
        at = self._place(frame)
        captured = self._clock.read() if self._wanted.live else None
        if captured is None:
            at, captured = self._wait_for(at)
        if isinstance(frame, self._picture_type):
            self._batch.take(Shot(frame, at, captured))
        elif self._audio is not None:
            for packet in self._audio.encode(frame, at, captured):
                deliver(packet)

    def _coded(self, shot: Shot) -> Iterator[Packet]:
        if (video := self._video) is None:
            return iter(())
        ready = video.ready(shot.picture, shared=self._shared)
        luma, stride = memoryview(ready.planes[0]), ready.planes[0].line_size
        frozen = self._still.look(luma, stride, shot.at)
        self._watermark.draw(luma, stride, shot.captured)
        packets = video.encode(ready, shot.at, shot.captured)
        return (replace(packet, still=True) for packet in packets) if frozen else packets

    def _hurry(self) -> None:
        if self._video is not None:
            self._video.add_thread()

    def _place(self, frame: "Picture | Sound") -> Fraction:
        """Seconds since the origin: the input's own clock, anchored where its first frame arrived or the last ended."""
        own = None if frame.pts is None else (frame.time_base or Fraction(0)) * frame.pts
        if own is None:
            own = self._end - (self._shift or 0)
        if self._shift is None:
            self._shift = (self._elapsed() if self._wanted.live else self._end) - own
        if self._wanted.live:
            self._follow(type(frame), own)
        at = own + self._shift
        self._latest[type(frame)] = at
        self._end = max(self._end, at + self._length)
        return at

    def _follow(self, kind: "type[Picture | Sound]", own: Fraction) -> None:
        """Anchor a live input anew when its clock steps, as an RTSP stream's does with its first RTCP report."""
        at, latest, now = own + (self._shift or 0), self._latest.get(kind), self._elapsed()
        if (latest is not None and at <= latest) or at > now + MAX_AHEAD:
            self._shift = max(now, Fraction(0) if latest is None else latest + self._length) - own

    def _elapsed(self) -> Fraction:
        return Fraction(self._clock.read().monotonic_ns - self._origin_ns, 10**9)

    def _wait_for(self, at: Fraction) -> tuple[Fraction, Instant]:
        """Wait until `at`, and tell the moment; a pace that cannot be kept moves the rest of the input later instead of
        racing after it."""
        early = at - self._elapsed()
        if early > 0:
            self._closed.wait(float(early))
        elif -early > MAX_LATE and self._shift is not None:
            self._shift -= early
            self._end -= early
            at -= early
        return at, self._clock.read()


def _let_go(fault: BaseException | None) -> None:
    """Forget the pictures that the calls which ended in `fault` had in hand: they may lie in the device's own memory
    (V4L2's buffers), which is unmapped while the fault is still being told."""
    while fault is not None:
        traceback.clear_frames(fault.__traceback__)
        fault = fault.__context__
