"""The only file that knows PyAV (FFmpeg): reading inputs, encoding H.264 and AAC, writing fragmented MP4.

Import it where it is used: it costs 0.07 s and 40 MB.
"""

import contextlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

import av
import av.error
import av.packet
from av.audio.resampler import AudioResampler
from av.video.frame import PictureType

from agent.adapters.packets import VIDEO_TIME_BASE, Codec, MediaFault, Packet, StreamInfo
from agent.adapters.source_address import masked
from agent.wire.instant import Instant

Picture = av.VideoFrame
Sound = av.AudioFrame

SAMPLE_RATE = 48_000
AAC_FRAME = 1024  # samples an access unit, ISO/IEC 14496-3 section 4.5.1.1
AUDIO_BIT_RATE = 64_000
MAX_ENCODER_THREADS = max(1, (os.cpu_count() or 1) - 1)  # sliced threads of zerolatency; one core is for the rest
MUX_BYTES = 2**20  # handed out at once; half a second at 16 Mbit/s is one piece then, which nobody has to join
MUX_SKEW_US = 500_000  # packets come merged already; the muxer must not hold one back for a silent track
RAW = frozenset({"rawvideo", "wrapped_avframe"})  # decoders that hand out what they were given
ALSA_CONFIG = "/usr/share/alsa/alsa.conf"  # Debian's libasound2-data
JPEG_QUALITY = 2  # FFmpeg's finest quantiser but one
NEW_EXTRADATA = 1  # AV_PKT_DATA_NEW_EXTRADATA


class Sink(Protocol):
    """Where a writer's bytes go."""

    def write(self, data: bytes) -> int:
        """Take `data` whole; return its length."""


@contextlib.contextmanager
def media_errors(address: str) -> Iterator[None]:
    """Turn FFmpeg's errors about `address` into a `MediaFault` that says nothing secret of it."""
    try:
        yield
    except (av.error.FFmpegError, OSError, ValueError, OverflowError) as error:
        name = masked(address)
        cause = getattr(error, "strerror", None) or str(error).replace(address, name)
        # Not `from error`: FFmpeg's own errors name the address, and a log of this one would print them as well.
        raise MediaFault(f"无法读取音视频来源 {name}：{cause}。请检查连接、权限与配置 [capture]。") from None


class MediaInput:
    """A camera, microphone, stream or file, decoded to frames. `format_name` "" lets FFmpeg guess; `name` is the
    address as it may be told."""

    def __init__(self, address: str, format_name: str, options: Mapping[str, str], timeout_s: float) -> None:
        self.address, self.name = address, masked(address)
        self._format = format_name or None
        self._options, self._timeout = dict(options), timeout_s
        self._container: av.container.InputContainer | None = None

    def open(self) -> None:
        """Open it; raises `EnvironmentFault` when it cannot be read."""
        if self._format == "alsa":  # the sound library in PyAV's wheels looks where it was built, and finds nothing
            os.environ.setdefault("ALSA_CONFIG_PATH", ALSA_CONFIG)
        with media_errors(self.address):
            self._container = av.open(self.address, format=self._format, options=self._options, timeout=self._timeout)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels of its first picture track; None when it has none."""
        video = self._opened().streams.video
        return (video[0].width, video[0].height) if video else None

    @property
    def shares_pictures(self) -> bool:
        """Whether its decoder may still need a picture that it has handed out, to predict later ones from."""
        video = self._opened().streams.video
        return bool(video) and video[0].codec_context.name not in RAW

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
            raise MediaFault(f"音视频来源 {self.name} 尚未打开或已关闭。请重新开始录制。")
        return self._container


class H264Encoder:
    """Pictures to H.264, no reordering: one packet out for one picture in. Raises `EnvironmentFault` when the encoder
    does not take them."""

    def __init__(self, track: int, size: tuple[int, int], fps: int, kbps: int, keyframe_s: Fraction) -> None:
        self._track, self._keyframe_s = track, keyframe_s
        width, height = size[0] & ~1, size[1] & ~1  # 4:2:0 halves both
        self._fps, self._bit_rate = fps, kbps * 1000
        self.info = StreamInfo(Codec.H264, VIDEO_TIME_BASE, width=width, height=height)
        self._duration = int(1 / (fps * VIDEO_TIME_BASE))
        self._next_key = Fraction(0)
        self._wanted_rate = self._bit_rate
        self._threads = self._wanted_threads = 1
        self._encoder = self._new_encoder()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Code the pictures from the next one on at this rate. x264 changes a rate only under a VBV, so a new encoder
        takes over: with a keyframe and the same parameter sets. From any thread."""
        self._wanted_rate = bits_per_second

    def add_thread(self) -> None:
        """Code the pictures from the next one on with a thread more, where a core is left: by a new encoder, with a
        keyframe. One thread is the cheapest way while it keeps pace. From any thread."""
        self._wanted_threads = min(MAX_ENCODER_THREADS, self._threads + 1)

    def ready(self, picture: Picture, *, shared: bool = True) -> Picture:
        """`picture` in the size and pixel format of the track, free to be drawn on; a decoder may still need a `shared`
        one, which is then copied."""
        ready = picture
        if (picture.width, picture.height, picture.format.name) != (self.info.width, self.info.height, "yuv420p"):
            with media_errors("swscale"):
                ready = picture.reformat(width=self.info.width, height=self.info.height, format="yuv420p")
        if shared and ready is picture:
            with media_errors("libx264"):
                ready.make_writable()
        return ready

    def encode(self, picture: Picture, at: Fraction, captured: Instant) -> Iterator[Packet]:
        """The packets of a `ready` picture shown `at` seconds; raises `EnvironmentFault` when the encoder fails."""
        picture.pts, picture.time_base = int(at / VIDEO_TIME_BASE), VIDEO_TIME_BASE
        if (self._wanted_rate, self._wanted_threads) != (self._bit_rate, self._threads):
            self._bit_rate, self._threads, self._next_key = self._wanted_rate, self._wanted_threads, at
            self._encoder = self._new_encoder()
        # A decoded picture says what it was coded as, and the encoder would obey: every lavfi frame a keyframe.
        picture.pict_type = PictureType.I if at >= self._next_key else PictureType.NONE
        if at >= self._next_key:
            self._next_key = at + self._keyframe_s
        with media_errors("libx264"):
            for packet in self._encoder.encode(picture):
                yield _ours(packet, self._track, self._duration, captured)

    def _new_encoder(self) -> av.VideoCodecContext:
        size, group = (self.info.width, self.info.height), max(1, round(self._fps * self._keyframe_s))
        with media_errors("libx264"):
            return _h264_encoder(size, self._fps, self._bit_rate, group, self._threads)


class AacEncoder:
    """Sound to AAC-LC, mono 48 kHz. Raises `EnvironmentFault` when there is no encoder."""

    def __init__(self, track: int) -> None:
        self._track = track
        with media_errors("aac"):
            encoder = self._encoder = _aac_encoder()
            self._resampler = AudioResampler("fltp", "mono", SAMPLE_RATE, AAC_FRAME)
            silence = _silence()
        self._origin: Fraction | None = None
        self._samples = 0
        self.info = StreamInfo(
            Codec.AAC,
            Fraction(1, SAMPLE_RATE),
            sample_rate=SAMPLE_RATE,
            channels=1,
            extradata=encoder.extradata or b"",
            silence=silence,
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


def photo_of(keyframe: bytes) -> bytes:
    """A JPEG of the picture in one H.264 access unit with its parameter sets; raises `EnvironmentFault`."""
    with media_errors("h264"):
        decoder = av.VideoCodecContext.create("h264", "r")
        pictures = [*decoder.decode(av.Packet(keyframe)), *decoder.decode(None)]
    if not pictures:
        raise MediaFault("这一帧画面无法解码，照片未拍成。请重新拍照。")
    with media_errors("mjpeg"):
        encoder = av.VideoCodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = pictures[0].width, pictures[0].height, "yuvj420p"
        encoder.time_base, encoder.qmin, encoder.qmax = VIDEO_TIME_BASE, JPEG_QUALITY, JPEG_QUALITY
        picture = pictures[0].reformat(format="yuvj420p")
        picture.pts, picture.time_base = 0, VIDEO_TIME_BASE
        return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


class Mp4Writer:
    """Fragmented MP4 (ISO/IEC 14496-12): `ftyp moov`, then `moof mdat` whenever `fragment_ms` are full. Raises
    `EnvironmentFault` when the muxer does not take the tracks."""

    def __init__(self, tracks: Sequence[StreamInfo], sink: Sink, fragment_ms: int) -> None:
        options = {
            "movflags": "empty_moov+delay_moov+default_base_moof+skip_trailer",
            "frag_duration": str(fragment_ms * 1000),
            "video_track_timescale": str(VIDEO_TIME_BASE.denominator),
            "avoid_negative_ts": "disabled",
            "max_interleave_delta": str(MUX_SKEW_US),
        }
        with media_errors("mp4"):
            self._container = av.open(sink, "w", format="mp4", options=options, buffer_size=MUX_BYTES)
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


def _h264_encoder(size: tuple[int, int], fps: int, bit_rate: int, group: int, threads: int) -> av.VideoCodecContext:
    encoder = av.VideoCodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.time_base, encoder.framerate = VIDEO_TIME_BASE, Fraction(fps)
    encoder.bit_rate, encoder.thread_count, encoder.gop_size = bit_rate, threads, group
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0:repeat-headers=1"}
    encoder.open()
    return encoder


def _aac_encoder() -> av.AudioCodecContext:
    encoder = av.AudioCodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "mono", "fltp"
    encoder.bit_rate, encoder.time_base = AUDIO_BIT_RATE, Fraction(1, SAMPLE_RATE)
    encoder.open()
    return encoder


def _silence() -> bytes:
    """A packet of silence; the first ones out of an encoder are still about its beginning."""
    encoder, packets = _aac_encoder(), []
    for number in range(4):
        block = Sound("fltp", "mono", AAC_FRAME)
        block.sample_rate, block.pts, block.time_base = SAMPLE_RATE, number * AAC_FRAME, Fraction(1, SAMPLE_RATE)
        block.planes[0].update(bytes(block.planes[0].buffer_size))
        packets += [bytes(packet) for packet in encoder.encode(block)]
    return packets[-1]


def _ours(packet: "av.Packet[Any]", track: int, duration: int, captured: Instant) -> Packet:
    pts = packet.pts or 0
    dts = pts if packet.dts is None else packet.dts
    return Packet(track, pts, dts, packet.duration or duration, packet.is_keyframe, bytes(packet), captured)


def first_picture(film: bytes, width: int) -> bytes:
    """The first picture of an MP4 in memory, as JPEG `width` pixels wide; raises `EnvironmentFault` when there is none
    or it cannot be decoded."""
    with media_errors("mp4"), av.open(io.BytesIO(film), "r", format="mp4") as container:
        picture = next(container.decode(video=0), None) if container.streams.video else None
        if picture is None:
            raise MediaFault("没有可解码的画面。请用原件重试，或换一段片段。")
        height = max(2, picture.height * width // picture.width & ~1)
        encoder = av.VideoCodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
        encoder.time_base = Fraction(1, 1)
        small = picture.reformat(width=width, height=height, format="yuvj420p")
        small.pts, small.time_base, small.pict_type = 0, Fraction(1, 1), PictureType.NONE
        return b"".join(bytes(packet) for packet in (*encoder.encode(small), *encoder.encode(None)))
