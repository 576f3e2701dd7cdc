"""Sources and the muxer: really encoded, really cut, nothing lost; a source that cannot be read says so in a line."""

import shutil
import socket
import subprocess
import threading
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from agent.adapters.fragment_muxer import BoxCutter, FragmentMuxer
from agent.adapters.libav import ALSA_CONFIG, MediaInput
from agent.adapters.packet_flow import Interleaver, TimestampGuard
from agent.adapters.packets import Codec, SourceDescription, seconds
from agent.adapters.picamera2_source import Picamera2Source, camera_present
from agent.adapters.pyav_source import Encoding, Input, PyAVSource
from agent.adapters.silence import SilenceFiller
from agent.adapters.sources import FIRST_CAMERA, CaptureSettings, make_source
from agent.errors import EnvironmentFault, OperatorFault
from tests.agent.adapters.recording_bench import CLOCK, decoded_frames, footage

VTEST = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
needs_vtest = pytest.mark.skipif(not VTEST.exists(), reason="opencv-doc is not installed")


def captured(settings: CaptureSettings, wanted: int):
    """The tracks and the first `wanted` packets of a real source."""
    source, packets = make_source(settings, CLOCK), []

    def deliver(packet):
        packets.append(packet)
        if len(packets) >= wanted:
            source.close()

    tracks = source.open()
    source.run(deliver)
    return tracks, packets


def muxed(tracks, packets, file: Path, fragment_ms: int = 500):
    muxer, fragments = FragmentMuxer(tracks, fragment_ms), []
    for packet in packets:
        fragments += muxer.write(packet)
    fragments += muxer.finish()
    file.write_bytes(muxer.init_segment + b"".join(fragment.media for fragment in fragments))
    return muxer, fragments


def test_test_scene_is_paced_encoded_and_says_that_it_is_synthetic():
    settings = CaptureSettings(camera="test", width=320, height=180)
    source = make_source(settings, CLOCK)
    assert source.description.synthetic
    begun = CLOCK.read().monotonic_ns
    tracks, packets = captured(settings, 100)
    assert [track.codec for track in tracks] == [Codec.H264, Codec.AAC]
    video = [packet for packet in packets if packet.stream == 0]
    assert video[0].keyframe
    assert [packet.keyframe for packet in video[1:30]] == [False] * 29
    assert video[30].keyframe
    last = max(seconds(packet, tracks) for packet in packets)
    assert (CLOCK.read().monotonic_ns - begun) / 10**9 > float(last) - 0.1


@needs_vtest
def test_file_is_paced_looped_and_keeps_its_size(tmp_path):
    tracks, packets = captured(CaptureSettings(camera=f"file:{VTEST}"), 12)
    assert [(track.width, track.height) for track in tracks] == [(768, 576)]
    assert [int(seconds(packet, tracks) * 10) for packet in packets[:12]] == list(range(12))


def test_file_begins_again_at_its_end(tmp_path):
    tracks, packets = footage(1)
    muxed(tracks, packets, tmp_path / "short.mp4")
    settings = CaptureSettings(camera=f"file:{tmp_path / 'short.mp4'}", frames_per_second=10)
    looped, again = captured(settings, 90)
    assert len(looped) == 2
    times = [float(seconds(packet, looped)) for packet in again if packet.stream == 0]
    assert times[-1] > 1.0
    assert all(0.05 < after - before < 0.25 for before, after in pairwise(times))


@needs_vtest
@pytest.mark.parametrize(("audio", "tracks"), [("auto", 1), ("none", 1), ("test", 2)])
def test_file_without_sound_gets_the_tone_only_when_asked(audio, tracks):
    source = make_source(CaptureSettings(camera=f"file:{VTEST}", audio=audio), CLOCK)
    assert len(source.open()) == tracks
    assert source.description.name == "file:vtest.avi"
    assert not source.description.synthetic
    source.close()


@pytest.mark.skipif(not Path(ALSA_CONFIG).exists(), reason="libasound2-data is not installed")
def test_sound_card_is_found_though_the_wheel_looks_for_alsa_elsewhere():
    source = make_source(CaptureSettings(camera="test", audio="alsa:null"), CLOCK)
    assert [track.codec for track in source.open()] == [Codec.H264, Codec.AAC]
    source.close()


def test_missing_microphone_leaves_the_pictures_and_is_said():
    source = make_source(CaptureSettings(camera="test", audio="alsa:nowhere"), CLOCK)
    assert [track.codec for track in source.open()] == [Codec.H264]
    assert source.description.name == "test (no sound)"
    source.close()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_live_stream_is_anchored_where_it_arrives_and_its_end_is_a_loss():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"rtsp://127.0.0.1:{probe.getsockname()[1]}/x"
    options = {"rtsp_flags": "listen", "listen_timeout": "15", "rtsp_transport": "tcp"}
    listening = Input(address, "rtsp", options, sound=True)
    source = PyAVSource(SourceDescription("rtsp", synthetic=False), [listening], Encoding(10), CLOCK)
    scene = "-re -f lavfi -i testsrc2=size=320x240:rate=10 -f lavfi -i sine -t 2 -c:v libx264 -g 10 -c:a aac"
    push = f"ffmpeg -v quiet {scene} -f rtsp -rtsp_transport tcp {address}"
    until_heard = f"for try in $(seq 100); do {push} && break; done"
    with subprocess.Popen(["sh", "-c", until_heard]) as sender:
        tracks, packets = source.open(), []
        with pytest.raises(EnvironmentFault):
            source.run(packets.append)
        sender.wait(60)
    assert [track.codec for track in tracks] == [Codec.H264, Codec.AAC]
    times = [[float(seconds(packet, tracks)) for packet in packets if packet.stream == number] for number in (0, 1)]
    assert all(before < after for track in times for before, after in pairwise(track))
    assert 15 <= len(times[0]) <= 20
    assert abs(times[0][-1] - times[1][-1]) < 0.5


@pytest.mark.parametrize("camera", ["file:/nowhere/at/all.mp4", "v4l2:/dev/video99", "rtsp:rtsp://127.0.0.1:9/x"])
def test_unreadable_camera_is_one_chinese_line(camera):
    source = make_source(CaptureSettings(camera=camera), CLOCK)
    with pytest.raises(EnvironmentFault, match=r"^无法读取音视频来源 .*请检查连接、权限与配置 \[capture\]。$"):
        source.open()


@pytest.mark.parametrize("settings", [CaptureSettings(camera="webcam"), CaptureSettings(camera="test", audio="loud")])
def test_unknown_word_in_the_configuration_is_refused(settings):
    with pytest.raises(OperatorFault, match=r"无法识别"):
        make_source(settings, CLOCK)


def test_password_of_a_stream_is_not_signed_into_recordings():
    source = make_source(CaptureSettings(camera="rtsp:rtsp://user:secret@10.0.0.9/live"), CLOCK)
    assert "secret" not in source.description.name
    assert "10.0.0.9/live" in source.description.name


@pytest.mark.skipif(FIRST_CAMERA.exists() or camera_present(), reason="this machine has a camera")
def test_auto_without_a_camera_is_the_test_scene_and_says_so():
    assert make_source(CaptureSettings(camera="auto"), CLOCK).description.synthetic


@pytest.mark.skipif(camera_present(), reason="this machine has a Pi camera")
def test_absent_pi_camera_is_one_chinese_line():
    with pytest.raises(EnvironmentFault, match=r"^无法打开树莓派摄像头：.*。$"):
        Picamera2Source((640, 360), Encoding(), CLOCK).open()


def test_close_ends_a_running_source_at_once():
    source = make_source(CaptureSettings(camera="test", width=160, height=96), CLOCK)
    source.open()
    first = threading.Event()
    thread = threading.Thread(target=source.run, args=(lambda _: first.set(),))
    thread.start()
    assert first.wait(60)
    source.close()
    thread.join(60)
    assert not thread.is_alive()


def test_source_used_after_close_refuses():
    media = MediaInput("sine", "lavfi", {}, 1.0)
    with pytest.raises(EnvironmentFault, match="尚未打开"):
        media.rewind()


@pytest.mark.parametrize("sound", [True, False])
def test_fragments_hold_every_sample_and_add_up(tmp_path, sound):
    tracks, packets = footage(4, sound=sound)
    muxer, fragments = muxed(tracks, packets, tmp_path / "all.mp4")
    assert muxer.skipped == sum(packet.dts < 0 for packet in packets)
    assert sum(fragment.samples for fragment in fragments) == len(packets) - muxer.skipped
    assert [fragment.duration_ms for fragment in fragments] == [500] * 8
    assert [fragment.start for fragment in fragments] == [Fraction(number, 2) for number in range(8)]
    assert [fragment.captured for fragment in fragments] == [it.captured for it in packets if it.stream == 0][::5]
    frames = decoded_frames(tmp_path / "all.mp4")
    assert frames["video"] == 40
    assert frames.get("audio", 0) == len(packets) - muxer.skipped - 40


def test_a_file_begins_at_its_first_keyframe(tmp_path):
    tracks, packets = footage(3)
    late = [packet for packet in packets if seconds(packet, tracks) >= Fraction(1, 2)]
    muxer, fragments = muxed(tracks, late, tmp_path / "late.mp4")
    before = sum(seconds(packet, tracks) < 1 for packet in late)
    assert muxer.skipped == before
    assert fragments[0].start == 0
    assert decoded_frames(tmp_path / "late.mp4")["video"] == 20


def test_nothing_written_finishes_without_a_fragment():
    tracks, _ = footage(1)
    assert FragmentMuxer(tracks, 500).finish() == []


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_boxes_are_cut_however_the_bytes_arrive(piece):
    boxes = [b"\0\0\0\x09moova", b"\0\0\0\x0bmoofabc" + b"\0\0\0\x08mdat", b"\0\0\0\x0amfrabc"]
    stream, cutter, found = b"".join(boxes), BoxCutter(), []
    for at in range(0, len(stream), piece):
        cutter.write(stream[at : at + piece])
        found += cutter.boxes()
    assert found == [(b"moov", boxes[0]), (b"moof", boxes[1]), (b"mfra", boxes[2])]


def test_tracks_are_merged_in_order_and_a_silent_one_holds_nothing_back():
    tracks, packets = footage(2)
    interleaver, out = Interleaver(tracks), []
    for packet in [it for it in packets if it.stream == 0] + [it for it in packets if it.stream == 1]:
        out += interleaver.push(packet)
    assert [packet.stream for packet in out[:10]] == [0] * 10  # no sound yet: half a second is waited for it, no more
    interleaver, out = Interleaver(tracks), []
    for packet in sorted(packets, key=lambda it: seconds(it, tracks) + Fraction(it.stream, 5)):
        out += interleaver.push(packet)
    assert out + interleaver.drain() == packets


def test_times_rise_strictly_whatever_the_source_says():
    tracks, packets = footage(3, sound=False)
    wild = [replace(packet, pts=packet.pts % 90_000, dts=packet.dts % 90_000) for packet in packets]
    guard = TimestampGuard(tracks)
    admitted = [guard.admit(packet) for packet in [*wild, packets[0]]]
    assert all(before.dts < after.dts for (before, _), (after, _) in pairwise(admitted))
    assert all(packet.pts >= packet.dts for packet, _ in admitted)
    assert sum(shift > 0 for _, shift in admitted) > 0
    untouched = TimestampGuard(tracks)
    assert [untouched.admit(packet) for packet in packets] == [(packet, 0) for packet in packets]


def test_sound_that_comes_after_its_silence_is_left_out_and_the_next_is_heard():
    tracks, packets = footage(6)
    pictures, sounds = ([it for it in packets if it.stream == number] for number in (0, 1))
    filler = SilenceFiller(tracks)
    filled = [piece for picture in pictures[:40] for piece in filler.push(picture)]
    assert filler.lost
    silence = [seconds(it, tracks) for it in filled if it.stream == 1]
    assert silence[-1] > 3
    early = next(it for it in sounds if seconds(it, tracks) > 1)
    due = next(it for it in sounds if seconds(it, tracks) > 4)
    assert list(filler.push(early)) == []
    assert filler.lost
    assert list(filler.push(due)) == [due]
    assert not filler.lost


def test_a_track_that_stepped_back_far_is_moved_as_a_whole_and_told_once():
    tracks, packets = footage(4, sound=False)
    guard = TimestampGuard(tracks)
    back = [replace(packet, pts=packet.pts - 180_000, dts=packet.dts - 180_000) for packet in packets[20:]]
    admitted = [guard.admit(packet) for packet in [*packets[:20], *back]]
    assert [bool(shift) for _, shift in admitted] == [False] * 20 + [True] + [False] * 19
    steps = {after.dts - before.dts for (before, _), (after, _) in pairwise(admitted[20:])}
    assert steps == {packets[1].dts - packets[0].dts}  # at its own pace, not one tick after the other
