"""Cameras that hang, refuse or carry secrets: nobody waits for ever, and no password is told to anyone."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.adapters.fake_source import FakeSource
from agent.adapters.libav import AacEncoder, H264Encoder, Mp4Writer
from agent.adapters.packets import Codec, MediaFault, SourceDescription, StreamInfo
from agent.adapters.pyav_source import Encoding, Input, PyAVSource
from agent.adapters.source_address import masked
from agent.adapters.sources import CaptureSettings, make_source
from agent.config import parse_config, shown
from agent.control.messages import GapOpened, RecordingFailed, RecordingSealed
from agent.errors import EnvironmentFault, OperatorFault
from agent.evidence.journal import Reason
from firmware_hooks.simulated_mcu import SimulatedMcu
from tests.agent.adapters.recording_bench import CLOCK, FIRST, FPS, RecordingBench, eventually, footage
from tests.agent.adapters.test_recorder import LOST, bench_over
from tests.support.device import DistrictKeys, agent_toml

SECRET = "geheim-77"
SECRETIVE = [
    f"rtsp://admin:{SECRET}@192.0.2.9:554/live",
    f"rtsp://admin:{SECRET}@192.0.2.9:554/a/b@c",
    f"rtsp://192.0.2.9:554/user=admin&password={SECRET}&channel=1.sdp",
    f"rtsp://192.0.2.9/cam?username=admin&password={SECRET}",
    f"rtsp://admin:p@/?#{SECRET}@192.0.2.9/live",
    f"rtsp://{SECRET}@192.0.2.9",
    f"http://192.0.2.9/live;{SECRET}",
]


class HangingSource(FakeSource):
    """A driver that does not come back from opening until `let_go`."""

    def __init__(self, tracks: Sequence[StreamInfo]) -> None:
        super().__init__(tracks, [])
        self.let_go, self.freed = threading.Event(), threading.Event()

    def open(self) -> Sequence[StreamInfo]:
        self.let_go.wait(60)
        return super().open()

    def run(self, deliver) -> None:
        super().run(deliver)
        self.freed.set()


@pytest.mark.parametrize("address", SECRETIVE)
def test_no_form_of_address_tells_its_password(address):
    for form in (address, f"rtsp:{address}"):
        assert SECRET not in masked(form)
        assert "192.0.2.9" in masked(form) or "@c" in form
    assert SECRET not in masked(f"rtsp:admin:{SECRET}@192.0.2.9/live")


@pytest.mark.parametrize("name", ["/media/a@b.mp4", "file:/media/a@b.mp4", "v4l2:/dev/video0", "rtsp://192.0.2.9/ch/1"])
def test_what_holds_no_secret_is_told_as_it_is(name):
    assert masked(name) == name


@pytest.mark.parametrize("address", SECRETIVE[:4])
def test_password_of_a_camera_that_does_not_answer_is_not_in_its_fault(address):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    here = address.replace("192.0.2.9:554", f"127.0.0.1:{port}").replace("192.0.2.9", f"127.0.0.1:{port}")
    with pytest.raises(EnvironmentFault) as caught:
        make_source(CaptureSettings(camera=f"rtsp:{here}"), CLOCK).open()
    told: BaseException | None = caught.value
    while told is not None:
        assert SECRET not in str(told)
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_password_of_a_camera_is_in_no_file_and_no_event_of_the_recording_it_breaks_off(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        place = f"127.0.0.1:{probe.getsockname()[1]}/x"
    options = {"rtsp_flags": "listen", "listen_timeout": "15", "rtsp_transport": "tcp"}
    listening = Input(f"rtsp://admin:{SECRET}@{place}", "rtsp", options)
    source = PyAVSource(SourceDescription(listening.name, synthetic=False), [listening], Encoding(10), CLOCK)
    again = make_source(CaptureSettings(camera=f"rtsp:rtsp://admin:{SECRET}@{place}"), CLOCK)
    bench = bench_over(tmp_path, source, *[again] * 50, open_s=20)
    scene = "-re -f lavfi -i testsrc2=size=320x240:rate=10 -t 3 -c:v libx264 -g 10 -pix_fmt yuv420p"
    push = f"ffmpeg -v quiet {scene} -f rtsp -rtsp_transport tcp rtsp://{place}"
    with subprocess.Popen(["sh", "-c", f"for try in $(seq 100); do {push} && break; done"]) as sender:
        bench.start()
        eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "the camera lost")
        sender.wait(60)
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingSealed)
    assert bench.recorder.close(60)
    (segment,) = bench.segments()
    notes = [event.note for event in segment.manifest.seal.closing.gaps]
    notes += [event.note for record in segment.fragments for event in record.entry.moment.events]
    assert any(f"***@{place}" in note for note in notes), "the fault is told, without the password"
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) >= 4
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]
    assert SECRET not in repr(bench.events)


def test_password_of_a_camera_is_not_in_the_log_the_state_or_the_configuration(tmp_path):
    """The whole daemon: its camera refuses at the first press."""
    with socket.create_server(("127.0.0.1", 0)) as closed, SimulatedMcu() as mcu:
        port = closed.getsockname()[1]
        closed.close()
        camera = f"rtsp:rtsp://admin:{SECRET}@127.0.0.1:{port}/cam?password={SECRET}"
        more = f'[capture]\ncamera = "{camera}"\n[hooks]\nmcu = "{mcu.device}"\n'
        config = DistrictKeys().write_folder(tmp_path / "device", 1, more=more)
        command = [sys.executable, "-m", "agent"]
        log = tmp_path / "log"
        with log.open("wb") as out:
            daemon = subprocess.Popen(
                [*command, "run", "--config", str(config), "--log-level", "debug"], stdout=out, stderr=out
            )
            try:
                eventually(lambda: "is ready" in log.read_text(), "ready")
                mcu.press()
                eventually(lambda: "无法读取音视频来源" in log.read_text(), "the alarm")
            finally:
                daemon.terminate()
                daemon.wait(60)
        told = [
            subprocess.run([*command, *words, "--config", str(config)], capture_output=True, check=True).stdout
            for words in (["config"], ["config", "--json"], ["status"], ["status", "--json"])
        ]
    state = [file for file in (config.parent / "state").rglob("*") if file.is_file()]
    assert not [file for file in [log, *state] if SECRET.encode() in file.read_bytes()]
    assert all(SECRET.encode() not in text for text in told)
    assert f"***@127.0.0.1:{port}".encode() in told[0]


def test_password_in_a_mistyped_camera_is_not_told():
    text = agent_toml("REC-0001", 8883, more=f'[capture]\ncamera = "rstp:rtsp://admin:{SECRET}@192.0.2.9/x"\n')
    with pytest.raises(OperatorFault) as caught:
        parse_config(text, Path("/etc/liuhen"))
    assert SECRET not in str(caught.value)
    right = parse_config(text.replace("rstp:", "rtsp:"), Path("/etc/liuhen"))
    assert shown(right)["capture"]["camera"] == "rtsp:rtsp://***@192.0.2.9/x"
    assert SECRET in right.capture.camera


@pytest.mark.parametrize("kind", ["fifo", "directory", "nothing"])
def test_file_that_is_no_regular_file_is_refused_and_not_waited_for(tmp_path, kind):
    place = tmp_path / "film.mp4"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "directory":
        place.mkdir()
    with pytest.raises(EnvironmentFault, match="不是普通文件"):
        make_source(CaptureSettings(camera=f"file:{place}"), CLOCK).open()


def test_camera_that_hangs_while_it_opens_fails_the_recording_and_is_freed_at_last(tmp_path):
    tracks, packets = footage(2)
    hanging = HangingSource(tracks)
    bench = bench_over(tmp_path, hanging, FakeSource(tracks, packets), open_s=0.2)
    bench.start()
    failed = bench.wait_for_end()
    assert isinstance(failed, RecordingFailed)
    assert "0.2 秒内没有打开" in failed.detail
    bench.events.clear()
    bench.start()
    again = bench.wait_for_end()
    assert "仍没有响应" in again.detail, "no second thread hangs in the same driver"
    hanging.let_go.set()
    assert hanging.freed.wait(60)
    bench.events.clear()
    eventually(lambda: starts(bench), "a recording once the driver answers")
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingSealed)
    assert bench.recorder.close(60)


def starts(bench: RecordingBench) -> bool:
    """Try a recording; whether fragments come."""
    bench.start()
    eventually(lambda: bool(bench.events), "an answer")
    stored = bool(bench.stored())
    if not stored:
        bench.events.clear()
    return stored


def test_camera_that_hangs_when_it_is_opened_again_leaves_the_recording_and_its_gap(tmp_path):
    tracks, packets = footage(2)
    hanging = HangingSource(tracks)
    bench = bench_over(tmp_path, FakeSource(tracks, [*packets, LOST]), hanging, open_s=0.2)
    bench.start()
    eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "the camera lost")
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingSealed)
    hanging.let_go.set()
    assert bench.recorder.close(60)


def test_recorder_that_hangs_does_not_keep_the_process_alive(tmp_path):
    code = (
        "import sys, threading; from pathlib import Path;"
        "from tests.agent.adapters.test_recorder import *; from agent.adapters.fake_source import FakeSource\n"
        "class Never(FakeSource):\n"
        "    def open(self): threading.Event().wait()\n"
        "bench = bench_over(Path(sys.argv[1]), Never([], []), open_s=3600)\n"
        "bench.start(); print(bench.recorder.close(0.2))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, timeout=60)
    assert done.stdout == b"False\n", done.stderr


def test_coders_and_muxer_that_refuse_are_media_faults():
    with pytest.raises(MediaFault):
        H264Encoder(0, (0, 0), FPS, 100, 1)
    with pytest.raises(MediaFault):
        H264Encoder(0, (2**40, 96), FPS, 100, 1)
    sound = AacEncoder(0).info
    with pytest.raises(MediaFault):
        Mp4Writer([StreamInfo(Codec.AAC, sound.time_base, sample_rate=2**40, channels=1)], Sink(), 500)


class Sink:
    """Takes everything."""

    def write(self, data: bytes) -> int:
        return len(data)


def test_muxer_that_refuses_the_tracks_is_a_signed_gap_of_the_encoder_and_not_of_the_disk(tmp_path):
    tracks, packets = footage(2)
    wrong = [tracks[0], StreamInfo(Codec.AAC, tracks[1].time_base, sample_rate=2**40, channels=1)]
    bench = bench_over(tmp_path, FakeSource(wrong, packets))
    bench.start()
    eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "a gap")
    bench.recorder.stop(Reason.STOPPED)
    failed = bench.wait_for_end()
    assert bench.recorder.close(60)
    assert {event.reason for event in bench.events if isinstance(event, GapOpened)} == {"encoder-stalled"}
    assert "没有录到可保存的画面" in failed.detail
    assert failed.recording == FIRST
