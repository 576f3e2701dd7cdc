"""Every source that needs no hardware answers the same questions."""

import shutil
import socket
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from agent.adapters.fake_source import UNPLUGGED, FakeSource, paced, unplugged
from agent.adapters.packets import CaptureSource, SourceDescription
from agent.adapters.pyav_source import Encoding, Input, PyAVSource
from agent.adapters.sources import CaptureSettings, make_source
from tests.agent.adapters.recording_bench import CLOCK, footage
from tests.agent.adapters.source_contract import LosableSource, Seen, SourceContract, pushing
from tests.support.media import make_media

SMALL = {"width": 320, "height": 192}
ABSENT = "file:/nowhere/at/all.mp4"


@pytest.mark.xdist_group("source-fake")
class TestFakeSource(LosableSource):
    pictures = 22

    def make(self) -> CaptureSource:
        tracks, packets = footage(6)
        return FakeSource(tracks, paced((it for it in packets if it.dts >= 0), tracks))

    def absent(self) -> CaptureSource:
        return FakeSource([], [], opening_fault=UNPLUGGED)

    def lost_and_back(self) -> Iterator[CaptureSource]:
        tracks, packets = footage(2)
        gone = repeat(FakeSource([], [], opening_fault=UNPLUGGED), 2)
        return chain([FakeSource(tracks, unplugged(packets))], gone, [FakeSource(tracks, packets)])


@pytest.mark.xdist_group("source-scene")
class TestTestScene(SourceContract):
    def make(self) -> CaptureSource:
        return make_source(CaptureSettings(camera="test", **SMALL), CLOCK)

    def absent(self) -> CaptureSource:
        return make_source(CaptureSettings(camera=ABSENT), CLOCK)


@pytest.mark.xdist_group("source-file")
class TestFile(SourceContract):
    """A film of three seconds that begins again at its end."""

    pictures = 22

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def film(cls, tmp_path_factory) -> None:
        media = make_media()
        cls.place = tmp_path_factory.mktemp("film") / "film.mp4"
        cls.place.write_bytes(media.init + b"".join(media.fragments))

    place = Path()

    def make(self) -> CaptureSource:
        return make_source(CaptureSettings(camera=f"file:{self.place}", frames_per_second=10), CLOCK)

    def absent(self) -> CaptureSource:
        return make_source(CaptureSettings(camera=ABSENT), CLOCK)


@pytest.mark.xdist_group("source-stream")
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
class TestStream(LosableSource):
    """RTSP on loopback; FFmpeg can only receive what is pushed, so the camera connects to us."""

    pictures = 15
    max_drift_s = 3.0  # what FFmpeg read while it probed comes in a burst, and the moment is that of its arrival

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def address(cls) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            cls.where = f"rtsp://127.0.0.1:{probe.getsockname()[1]}/x"

    where = ""

    def make(self) -> CaptureSource:
        options = {"rtsp_flags": "listen", "listen_timeout": "15", "rtsp_transport": "tcp"}
        listening = Input(self.where, "rtsp", options, sound=True)
        return PyAVSource(SourceDescription("rtsp", synthetic=False), [listening], Encoding(10), CLOCK)

    def absent(self) -> CaptureSource:
        return make_source(CaptureSettings(camera=f"rtsp:{self.where}"), CLOCK)

    def watch(self) -> Seen:
        with pushing(self.where, 1):
            return super().watch()

    def lost_and_back(self) -> Iterator[CaptureSource]:
        with pushing(self.where, 2):
            while True:
                yield self.make()
