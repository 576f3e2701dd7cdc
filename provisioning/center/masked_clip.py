"""Re-encoding a clip with parts of the picture covered and, if asked, without sound. Only this file knows PyAV.

What it makes is no original: it is signed as a child of the original (`c2pa_child`), and says what was done to it.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import av.filter
from av.filter.context import FilterContext
from av.video.frame import PictureType
from av.video.stream import VideoStream

from agent.errors import EnvironmentFault, OperatorFault

TICK = Fraction(1, 90_000)  # where a film tells none
CRF = "20"  # x264's constant quality; visually close to the source
FOUR_NUMBERS = re.compile(",".join([r" *(\d{1,5}) *"] * 4), re.ASCII)  # no picture of H.264 has six digits
CELLS = 4  # a blurred rectangle keeps 4 x 4 averages of itself: nobody is recognised by so few, nor by undoing a blur


@dataclass(frozen=True)
class Mask:
    """A rectangle in pixels from the upper left corner, blackened or, with `blur`, made unrecognisable."""

    x: int
    y: int
    width: int
    height: int
    blur: bool = False

    @property
    def words(self) -> str:
        """For the certificate."""
        how = "打码 pixelated" if self.blur else "涂黑 blackened"
        return f"{how} {self.width}x{self.height}+{self.x}+{self.y}"


def parse_mask(text: str, *, blur: bool = False) -> Mask:
    """`x,y,width,height`; raises `OperatorFault`."""
    found = FOUR_NUMBERS.fullmatch(text)
    if found is None:
        raise OperatorFault(f"遮挡区域 {text[:40]!r} 应写成 x,y,宽,高（像素），如 100,40,64,64。")
    x, y, width, height = map(int, found.groups())
    return Mask(x, y, width, height, blur)


def write_masked(source: Path, target: Path, masks: tuple[Mask, ...], *, mute: bool) -> None:
    """Write `source` again as an ordinary MP4 into `target`.

    Raises `OperatorFault` when a mask is not inside the picture, `EnvironmentFault` when the film cannot be coded.
    """
    with _media_errors(source), av.open(source) as film, av.open(target, "w", format="mp4") as sink:
        if not film.streams.video:
            raise OperatorFault(f"{source.name} 只有声音，没有画面可遮挡，也不能去掉声音。请用 --from、--to 原样截取。")
        video = film.streams.video[0]
        _check(masks, video)
        pictures = sink.add_stream("libx264", rate=video.average_rate or 25, options={"crf": CRF})
        pictures.width, pictures.height, pictures.pix_fmt = video.width, video.height, "yuv420p"
        pictures.codec_context.time_base = video.time_base or TICK  # of the original: its pictures need not come evenly
        sounds = None if mute or not film.streams.audio else sink.add_stream_from_template(film.streams.audio[0])
        graph = _graph(video, masks)
        for packet in film.demux([video, *(film.streams.audio[:1] if sounds else [])]):
            if packet.stream is video:
                for picture in _masked(packet, graph):
                    picture.pict_type = PictureType.NONE
                    sink.mux(pictures.encode(picture))
            elif sounds is not None and packet.dts is not None:
                packet.stream = sounds
                sink.mux(packet)
        sink.mux(pictures.encode(None))


def _check(masks: tuple[Mask, ...], video: VideoStream) -> None:
    for mask in masks:
        if (
            mask.width < 1
            or mask.height < 1
            or mask.x + mask.width > video.width
            or mask.y + mask.height > video.height
        ):
            raise OperatorFault(f"遮挡区域 {mask.words} 超出画面 {video.width}x{video.height}。请改正后重试。")


def _masked(packet: "av.Packet[Any]", graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    for picture in packet.decode():
        graph.push(picture)
        with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                yield graph.vpull()


def _graph(video: VideoStream, masks: tuple[Mask, ...]) -> av.filter.Graph:
    graph = av.filter.Graph()
    last = graph.add_buffer(template=video)
    for mask in masks:
        last = _blurred(graph, last, mask) if mask.blur else _blackened(graph, last, mask)
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _blackened(graph: av.filter.Graph, last: FilterContext, mask: Mask) -> FilterContext:
    box = graph.add("drawbox", f"x={mask.x}:y={mask.y}:w={mask.width}:h={mask.height}:color=black:t=fill")
    last.link_to(box)
    return box


def _blurred(graph: av.filter.Graph, last: FilterContext, mask: Mask) -> FilterContext:
    split, over = graph.add("split", "2"), graph.add("overlay", f"x={mask.x}:y={mask.y}")
    crop = graph.add("crop", f"w={mask.width}:h={mask.height}:x={mask.x}:y={mask.y}:exact=1")
    small = graph.add("scale", f"{CELLS}:{CELLS}:flags=area")
    large = graph.add("scale", f"{mask.width}:{mask.height}:flags=neighbor")
    last.link_to(split)
    split.link_to(over, 0, 0)
    split.link_to(crop, 1, 0)
    crop.link_to(small)
    small.link_to(large)
    large.link_to(over, 0, 1)
    return over


@contextlib.contextmanager
def _media_errors(source: Path) -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise EnvironmentFault(f"无法重新编码 {source.name}：{error}。请检查该片段与磁盘空间。") from error
