"""A small fragmented MP4 (H.264 and AAC) made with PyAV, for tests that need real media but no camera."""

import array
import functools
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av

FRAMES_PER_SECOND = 10
SAMPLE_RATE = 16000
WIDTH, HEIGHT = 160, 120
FRAGMENT_MS = 500
OPTIONS = {"movflags": "frag_keyframe+empty_moov+default_base_moof+skip_trailer"}


@dataclass(frozen=True)
class Media:
    """`init` is ftyp and moov; every fragment is moof and mdat, `FRAGMENT_MS` long."""

    init: bytes
    fragments: tuple[bytes, ...]


@functools.cache
def make_media(fragments: int = 6, per_keyframe: int = 1) -> Media:
    """`fragments` fragments of a moving grey picture and a 440 Hz tone, really encoded; only every `per_keyframe`th
    begins with a keyframe."""
    sink = _Sink()
    with av.open(sink, "w", format="mp4", options=_options(per_keyframe)) as container:
        video = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        gop = FRAMES_PER_SECOND * FRAGMENT_MS // 1000
        keys = gop * per_keyframe
        video.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x264-params": f"keyint={keys}:min-keyint={keys}",
        }
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for number in range(fragments * gop):
            container.mux(video.encode(_picture(number)))
            container.mux(audio.encode(_sound(number)))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return _cut(bytes(sink.getbuffer()))


def _options(per_keyframe: int) -> dict[str, str]:
    if per_keyframe == 1:
        return OPTIONS
    flags = OPTIONS["movflags"].replace("frag_keyframe+", "")
    return {"movflags": flags, "frag_duration": str(FRAGMENT_MS * 1000)}


class _Sink(io.BytesIO):
    """Not seekable, so that the muxer writes as it would to a pipe."""

    def seekable(self) -> bool:
        return False


def _picture(number: int) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for index, plane in enumerate(frame.planes):
        level = 128 if index else 40 + number * 3 % 160
        plane.update(bytes((level + column % 32) % 256 for column in range(plane.line_size)) * plane.height)
    frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_SECOND)
    return frame


def _sound(number: int) -> av.AudioFrame:
    count = SAMPLE_RATE // FRAMES_PER_SECOND
    start = number * count
    tone = array.array(
        "h", (round(8000 * math.sin(2 * math.pi * 440 * (start + i) / SAMPLE_RATE)) for i in range(count))
    )
    frame = av.AudioFrame(format="s16", layout="mono", samples=count)
    frame.planes[0].update(tone.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    return frame


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4])
        yield data[position + 4 : position + 8], data[position : position + size]
        position += size


def _cut(data: bytes) -> Media:
    boxes = [(kind, box) for kind, box in _boxes(data) if kind in (b"ftyp", b"moov", b"moof", b"mdat")]
    assert [kind for kind, _ in boxes[:2]] == [b"ftyp", b"moov"]
    rest = boxes[2:]
    assert [kind for kind, _ in rest] == [b"moof", b"mdat"] * (len(rest) // 2)
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return Media(boxes[0][1] + boxes[1][1], tuple(moof + mdat for (_, moof), (_, mdat) in pairs))
