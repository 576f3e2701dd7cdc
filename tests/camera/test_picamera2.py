"""The Pi's source on the real picamera2 and the real libcamera: over its virtual pipeline (`make test-camera`), and
over the camera of a real Pi (`make test-hardware`)."""

import gc
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest

from agent.adapters.packets import VIDEO_TIME_BASE, CaptureSource, Codec, Packet, seconds
from agent.adapters.picamera2_source import Picamera2Source, camera_present, first_camera, opened_camera
from agent.adapters.pyav_source import Encoding
from agent.adapters.sensor_flow import HOLE_NS
from agent.adapters.sources import CaptureSettings, make_source
from agent.control.messages import GapOpened
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason
from tests.agent.adapters.recording_bench import AUTHORITY, CLOCK, FIRST, RecordingBench, eventually
from tests.agent.adapters.source_contract import LosableSource, SourceContract
from tests.support.decoding import decoded_pictures

VIRTUAL = pytest.param("virtual", marks=pytest.mark.camera)
REAL = pytest.param("real", marks=pytest.mark.hardware)

FPS = 30
ENCODING = Encoding(frames_per_second=FPS, video_kbps=2000)
SIZE = (1280, 720)
CLOSE_S = 2.0  # what a camera line waits (agent.adapters.camera_line)


def virtual_camera():
    from tests.camera.virtual_camera import VirtualPicamera2

    return opened_camera(VirtualPicamera2, FPS)


def tone():
    return make_source(CaptureSettings(camera="none", audio="test"), CLOCK)


class Camera:
    """Makes sources over the machine's first camera, and keeps what they opened."""

    def __init__(self, kind: str) -> None:
        self.kind, self.opened, self.sources = kind, [], []

    def __call__(self):
        self.opened.append(first_camera() if self.kind == "real" else virtual_camera())
        return self.opened[-1]

    def source(self, sound=None) -> Picamera2Source:
        self.sources.append(Picamera2Source(SIZE, ENCODING, CLOCK, sound, make_camera=self))
        return self.sources[-1]


class Picamera2Contract(SourceContract):
    encoding = ENCODING
    max_drift_s = 0.01  # both are the sensor's own time

    def make(self) -> Picamera2Source:
        raise NotImplementedError

    def absent(self) -> Picamera2Source:
        from picamera2 import Picamera2

        return Picamera2Source(SIZE, ENCODING, CLOCK, make_camera=lambda: opened_camera(Picamera2, 99))


@pytest.mark.camera
class TestVirtualCamera(Picamera2Contract, LosableSource):
    def make(self) -> Picamera2Source:
        return Picamera2Source(SIZE, ENCODING, CLOCK, tone(), make_camera=virtual_camera)

    def lost_and_back(self) -> Iterator[CaptureSource]:
        camera = Camera("virtual")
        while True:
            source = camera.source()
            if not camera.opened:
                threading.Timer(3, lambda: camera.opened[0].camera.unplug()).start()
            yield source


@pytest.mark.hardware
class TestRealCamera(Picamera2Contract):
    def make(self) -> Picamera2Source:
        return Picamera2Source(SIZE, ENCODING, CLOCK)


@pytest.fixture(params=[VIRTUAL, REAL])
def camera(request):
    """The machine's only one: whatever a test leaves open is closed for the next."""
    camera = Camera(request.param)
    yield camera
    for source in camera.sources:
        source.close()
    eventually(lambda: not any(opened.is_open for opened in camera.opened), "every camera closed")


only_virtual = pytest.mark.parametrize("camera", [VIRTUAL], indirect=True)  # nobody is there to pull a cable


def descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


class Run:
    """A source that runs in its own thread, as the recorder lets it."""

    def __init__(self, source: Picamera2Source, spoil: Callable[[Packet], None] = lambda _: None) -> None:
        self.source, self.packets, self.fault = source, [], None
        self._spoil = spoil
        self.tracks = source.open()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.source.run(self._take)
        except EnvironmentFault as fault:
            self.fault = fault

    def _take(self, packet: Packet) -> None:
        self.packets.append(packet)
        self._spoil(packet)

    def until(self, count: int) -> None:
        eventually(lambda: len(self.packets) >= count or not self.thread.is_alive(), f"{count} packets")

    def close(self) -> list[Packet]:
        self.source.close()
        self.thread.join(10)
        assert not self.thread.is_alive()
        return self.packets


def test_the_real_library_sees_the_camera(camera):
    assert camera_present()


def test_a_picture_is_dated_when_the_sensor_took_it_and_not_when_it_was_encoded(camera):
    delays = []
    run = Run(camera.source(), lambda packet: delays.append(CLOCK.read().monotonic_ns - packet.captured.monotonic_ns))
    run.until(40)
    packets = run.close()
    times = [packet.captured.monotonic_ns for packet in packets]
    assert all(before < after for before, after in pairwise(times))
    assert all(delay > 0 for delay in delays)
    first = packets[0]
    for packet in packets:  # the track's time is the sensor's
        apart = (packet.captured.monotonic_ns - first.captured.monotonic_ns) / 10**9
        assert apart == pytest.approx((packet.pts - first.pts) / 90_000, abs=0.0001)


def test_sound_of_another_source_is_the_second_track_on_the_same_time_line(camera):
    run = Run(camera.source(tone()))
    run.until(200)
    packets = run.close()
    assert [track.codec for track in run.tracks] == [Codec.H264, Codec.AAC]
    origins = [
        min(packet.captured.monotonic_ns / 10**9 - float(seconds(packet, run.tracks)) for packet in track)
        for track in ([it for it in packets if it.stream == number] for number in (0, 1))
    ]
    assert abs(origins[0] - origins[1]) < 0.5, "how far each has come when it is closed is the machine's business"


@only_virtual
def test_microphone_is_read_through_alsa_wherever_the_wheel_was_built(camera, tmp_path, monkeypatch):
    """Bites without ALSA_CONFIG_PATH; a file stands for the sound card."""
    (tmp_path / "tone.raw").write_bytes(bytes(range(256)) * 4000)
    card = f'type file file /dev/null format raw infile {tmp_path / "tone.raw"} slave.pcm "null"'
    (Path.home() / ".asoundrc").write_text(f"pcm.card {{ {card} }}\n")
    monkeypatch.delenv("ALSA_CONFIG_PATH", raising=False)
    microphone = make_source(CaptureSettings(camera="none", audio="alsa:card"), CLOCK)
    run = Run(camera.source(microphone))
    eventually(lambda: sum(packet.stream == 1 for packet in run.packets) > 5, "sound")
    run.close()
    assert [track.codec for track in run.tracks] == [Codec.H264, Codec.AAC]


@only_virtual
def test_missing_microphone_leaves_the_pictures_and_is_said(camera):
    run = Run(camera.source(make_source(CaptureSettings(camera="none", audio="alsa:nowhere"), CLOCK)))
    run.until(5)
    run.close()
    assert [track.codec for track in run.tracks] == [Codec.H264]
    assert run.source.description.name == "picamera2:virtual (no sound)"


def test_close_frees_the_camera_for_the_next_source(camera):
    for _ in range(3):
        run = Run(camera.source())
        run.until(3)
        begun = CLOCK.read().monotonic_ns
        run.close()
        assert (CLOCK.read().monotonic_ns - begun) / 10**9 < CLOSE_S
    assert not any(opened.is_open for opened in camera.opened)


def test_another_bit_rate_holds_while_the_camera_runs_and_loses_no_picture(camera):
    """Bites when the governor's rate waits for the camera to be opened next, which a long recording never does."""
    source = camera.source()
    run = Run(source)
    run.until(3 * FPS)
    before, change = run.packets[FPS : 3 * FPS], len(run.packets)
    source.set_bitrate(ENCODING.video_kbps * 1000 // 8)
    run.until(change + 4 * FPS)
    packets = run.close()
    after = packets[change + FPS : change + 3 * FPS]
    assert sum(len(packet.data) for packet in after) < sum(len(packet.data) for packet in before) / 2
    for packet, later in pairwise(packets):  # what a busy sensor left out is a hole; what the encoder swallows is none
        assert later.pts >= packet.pts  # the virtual sensor may date two alike; the recorder moves the second
        assert later.lost_since is None or (later.pts - packet.pts) * VIDEO_TIME_BASE * 10**9 > HOLE_NS
    decoder = av.VideoCodecContext.create("h264", "r")
    pictures = [it for packet in packets for it in decoder.decode(av.Packet(packet.data))] + decoder.decode(None)
    assert len(pictures) == len(packets)


def test_opened_and_never_run_is_freed_by_close(camera):
    unused = camera.source()
    unused.open()
    unused.close()
    run = Run(camera.source())
    run.until(1)
    run.close()


def test_camera_in_use_is_one_chinese_line_and_costs_no_descriptors(camera):
    holder = Run(camera.source())
    holder.until(1)
    before = descriptors()
    for _ in range(5):
        with pytest.raises(EnvironmentFault, match=r"^无法打开树莓派摄像头：.*其他程序占用。$"):
            camera.source().open()
    assert descriptors() <= before
    holder.close()


@only_virtual
def test_cable_off_is_a_fault_and_not_a_silent_recording(camera):
    run = Run(camera.source())
    run.until(10)
    camera.opened[0].camera.unplug()
    run.thread.join(15)
    assert not run.thread.is_alive()
    assert "没有画面" in str(run.fault)
    assert not camera.opened[0].is_open


@pytest.mark.parametrize("picture", [1, 10])
@pytest.mark.parametrize("error", [OSError("device gone"), ArithmeticError("foreseen by nobody")])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_fails_in_the_event_loop_is_a_fault_and_frees_the_camera(camera, error, picture):
    def fail(packet: Packet) -> None:
        if len(run.packets) == picture:
            raise error

    run = Run(camera.source(), fail)
    run.thread.join(15)
    assert not run.thread.is_alive()
    assert str(run.fault).startswith("树莓派摄像头已停止")
    assert not camera.opened[0].is_open
    again = Run(camera.source())
    again.until(3)
    again.close()


def recorded(bench: RecordingBench, fragments: int) -> None:
    bench.start()
    bench.wait_for_fragments(fragments)
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()


def test_recording_is_complete_and_trusted_by_foreign_software(camera, tmp_path):
    from tests.agent.evidence.foreign import c2pa_state, encypher_accepts

    bench = RecordingBench(tmp_path, iter([camera.source(tone())]))
    recorded(bench, 8)
    gaps = {event.reason for event in bench.events if isinstance(event, GapOpened)}
    assert gaps <= {Reason.FRAMES_DROPPED}, "a busy machine may drop frames, and then it is said"
    (place,) = bench.spool.segments(FIRST)
    (tmp_path / "root.pem").write_bytes(AUTHORITY.root_pem)
    command = [sys.executable, "-m", "agent.verify_cli", str(place.parent), "--roots", str(tmp_path / "root.pem")]
    judged = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
    verdict = (10, "explained-gap") if gaps else (0, "complete")
    assert (judged.returncode, json.loads(judged.stdout)["verdict"]) == verdict
    assert c2pa_state(place.read_bytes(), AUTHORITY.root_pem) == "Trusted"
    assert encypher_accepts(place.read_bytes(), AUTHORITY.root_pem)
    assert gaps or decoded_pictures(place) >= 4 * FPS - FPS // 2
    bench.recorder.close(10)
