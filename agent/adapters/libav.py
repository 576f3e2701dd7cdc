"""The only file that knows PyAV (FFmpeg): reading inputs, encoding H.264 and AAC, writing fragmented MP4.

Import it where it is used: it costs 0.07 s and 40 MB.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

import av
import av.error
import av.packet
from av.audio.resampler import AudioResampler
from av.video.frame import PictureType

from agent.adapters.packets import VIDEO_TIME_BASE, Codec, Packet, StreamInfo
from agent.errors import EnvironmentFault
from agent.wire.instant import Instant

Picture = av.VideoFrame
Sound = av.AudioFrame

SAMPLE_RATE = 48_000
AAC_FRAME = 1024  # samples an access unit, ISO/IEC 14496-3 section 4.5.1.1
AUDIO_BIT_RATE = 64_000
ENCODER_THREADS = 2  # sliced threads of zerolatency; leaves half of a Pi's cores alone
MUX_SKEW_US = 500_000  # packets come merged already; the muxer must not hold one back for a silent track
NEW_EXTRADATA = 1  # AV_PKT_DATA_NEW_EXTRADATA


class Sink(Protocol):
    """Where a writer's bytes go."""

    def write(self, data: bytes) -> int:
        """Take `data` whole; return its length."""


@contextlib.contextmanager
def media_errors(device: str) -> Iterator[None]:
    """Turn FFmpeg's errors about `device` into an `EnvironmentFault`."""
    try:
        yield
    except (av.error.FFmpegError, OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise EnvironmentFault(f"无法读取音视频来源 {device}：{cause}。请检查连接、权限与配置 [capture]。") from error


class MediaInput:
    """A camera, microphone, stream or file, decoded to frames. `format_name` "" lets FFmpeg guess."""

    def __init__(self, address: str, format_name: str, options: Mapping[str, str], timeout_s: float) -> None:
        self.address = address
        self._format = format_name or None
        self._options, self._timeout = dict(options), timeout_s
        self._container: av.container.InputContainer | None = None

    def open(self) -> None:
        """Open it; raises `EnvironmentFault` when it cannot be read."""
        with media_errors(self.address):
            self._container = av.open(self.address, format=self._format, options=self._options, timeout=self._timeout)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels of its first picture track; None when it has none."""
        video = self._opened().streams.video
        return (video[0].width, video[0].height) if video else None

    @property
    def has_sound(self) -> bool:
        """Whether it has a sound track."""
        return bool(self._opened().streams.audio)

    def frames(self, *, pictures: bool, sound: bool) -> Iterator[Picture | Sound]:
        """The frames of the first track of each kind asked for, up to the end; raises `EnvironmentFault`."""
        streams = self._opened().streams
        wanted = [*(streams.video[:1] if pictures else ()), *(streams.audio[:1] if sound else ())]
        with media_errors(self.address):
            for frame in self._opened().decode(*wanted):
                if isinstance(frame, Picture | Sound):
                    yield frame

    def rewind(self) -> None:
        """Back to the beginning of a file."""
        with media_errors(self.address):
            self._opened().seek(0)

    def close(self) -> None:
        """Free the device; to be called by the thread that reads."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def _opened(self) -> "av.container.InputContainer":
        if self._container is None:
            raise EnvironmentFault(f"音视频来源 {self.address} 尚未打开或已关闭。请重新开始录制。")
        return self._container


class H264Encoder:
    """Pictures to H.264, no reordering: one packet out for one picture in."""

    def __init__(self, track: int, size: tuple[int, int], fps: int, kbps: int, keyframe_s: Fraction) -> None:
        self._track, self._keyframe_s = track, keyframe_s
        width, height = size[0] & ~1, size[1] & ~1  # 4:2:0 halves both
        self.info = StreamInfo(Codec.H264, VIDEO_TIME_BASE, width=width, height=height)
        self._duration = int(1 / (fps * VIDEO_TIME_BASE))
        self._next_key = Fraction(0)
        encoder = av.VideoCodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.time_base, encoder.framerate = VIDEO_TIME_BASE, Fraction(fps)
        encoder.bit_rate, encoder.thread_count = kbps * 1000, ENCODER_THREADS
        encoder.gop_size = max(1, round(fps * keyframe_s))
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0:repeat-headers=1"}
        self._encoder = encoder

    def ready(self, picture: Picture) -> Picture:
        """`picture` in the size and pixel format of the track."""
        return picture.reformat(width=self.info.width, height=self.info.height, format="yuv420p")

    def encode(self, picture: Picture, at: Fraction, captured: Instant) -> Iterator[Packet]:
        """The packets of a `ready` picture shown `at` seconds; raises `EnvironmentFault` when the encoder fails."""
        picture.pts, picture.time_base = int(at / VIDEO_TIME_BASE), VIDEO_TIME_BASE
        # A decoded picture says what it was coded as, and the encoder would obey: every lavfi frame a keyframe.
        picture.pict_type = PictureType.I if at >= self._next_key else PictureType.NONE
        if at >= self._next_key:
            self._next_key = at + self._keyframe_s
        with media_errors("libx264"):
            for packet in self._encoder.encode(picture):
                yield _ours(packet, self._track, self._duration, captured)


class AacEncoder:
    """Sound to AAC-LC, mono 48 kHz."""

    def __init__(self, track: int) -> None:
        self._track = track
        encoder = av.AudioCodecContext.create("aac", "w")
        encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "mono", "fltp"
        encoder.bit_rate, encoder.time_base = AUDIO_BIT_RATE, Fraction(1, SAMPLE_RATE)
        encoder.open()
        self._encoder = encoder
        self._resampler = AudioResampler("fltp", "mono", SAMPLE_RATE, AAC_FRAME)
        self._origin: Fraction | None = None
        self._samples = 0
        self.info = StreamInfo(
            Codec.AAC, Fraction(1, SAMPLE_RATE), sample_rate=SAMPLE_RATE, channels=1, extradata=encoder.extradata or b""
        )

    def encode(self, sound: Sound, at: Fraction, captured: Instant) -> Iterator[Packet]:
        """The packets `sound`, heard from `at` seconds on, completes; raises `EnvironmentFault`."""
        sound.pts = None
        with media_errors("aac"):
            for block in self._resampler.resample(sound):
                block.pts, block.time_base = self._position(at), Fraction(1, SAMPLE_RATE)
                self._samples += block.samples
                for packet in self._encoder.encode(block):
                    yield _ours(packet, self._track, AAC_FRAME, captured)

    def _position(self, at: Fraction) -> int:
        """Sounds follow each other without a seam; only a real hole (over 0.1 s) moves the origin."""
        if self._origin is None or abs(at - self._origin - Fraction(self._samples, SAMPLE_RATE)) > Fraction(1, 10):
            self._origin, self._samples = at, 0
        return int(self._origin * SAMPLE_RATE) + self._samples


class Mp4Writer:
    """Fragmented MP4 (ISO/IEC 14496-12): `ftyp moov`, then `moof mdat` whenever `fragment_ms` are full."""

    def __init__(self, tracks: Sequence[StreamInfo], sink: Sink, fragment_ms: int) -> None:
        options = {
            "movflags": "empty_moov+delay_moov+default_base_moof+skip_trailer",
            "frag_duration": str(fragment_ms * 1000),
            "video_track_timescale": str(VIDEO_TIME_BASE.denominator),
            "avoid_negative_ts": "disabled",
            "max_interleave_delta": str(MUX_SKEW_US),
        }
        self._container = av.open(sink, "w", format="mp4", options=options)
        self._streams = [self._stream(track) for track in tracks]
        self._headers = {number: track.extradata for number, track in enumerate(tracks) if not track.is_video}

    def write(self, packet: Packet, tracks: Sequence[StreamInfo]) -> None:
        """Hand one packet over; raises `EnvironmentFault` when the muxer refuses it."""
        ours: av.Packet[Any] = av.Packet(packet.data)
        ours.stream, ours.time_base = self._streams[packet.stream], tracks[packet.stream].time_base
        ours.pts, ours.dts, ours.duration = packet.pts, packet.dts, packet.duration
        ours.is_keyframe = packet.keyframe
        if header := self._headers.pop(packet.stream, b""):
            # The stubs hide the constructor, and PyAV has no other way to tell a mux-only stream its AAC header.
            extradata = av.packet.PacketSideData(NEW_EXTRADATA, len(header))  # type: ignore[call-arg]
            extradata.update(header)
            ours.set_sidedata(extradata)
        with media_errors("mp4"):
            self._container.mux_one(ours)

    def close(self) -> None:
        """Write the last fragment out."""
        with media_errors("mp4"):
            self._container.close()

    def _stream(self, track: StreamInfo) -> Any:
        if track.is_video:
            size = {"width": track.width, "height": track.height}
            return self._container.add_mux_stream("h264", time_base=track.time_base, **size)
        return self._container.add_mux_stream("aac", rate=track.sample_rate, time_base=track.time_base)


def _ours(packet: "av.Packet[Any]", track: int, duration: int, captured: Instant) -> Packet:
    pts = packet.pts or 0
    dts = pts if packet.dts is None else packet.dts
    return Packet(track, pts, dts, packet.duration or duration, packet.is_keyframe, bytes(packet), captured)
