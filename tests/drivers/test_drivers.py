"""Our sources on the kernel's own drivers, in a machine of their own (`make test-drivers`): vivid is a camera on USB,
snd-aloop a sound card. The processor is emulated and slow: nothing here tells of speed."""

from fractions import Fraction
from pathlib import Path

import pytest

from agent.adapters.packets import Codec, seconds
from agent.adapters.sources import CaptureSettings, make_source
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason
from tests.agent.adapters.recording_bench import CLOCK, FIRST, RecordingBench, chained, decoded_frames

pytestmark = pytest.mark.drivers
CAMERA = CaptureSettings(
    camera="v4l2:/dev/video0", width=320, height=180, frames_per_second=10, video_kbps=400, audio="alsa:hw:Loopback"
)


def test_the_drivers_are_the_kernels_own():
    """Or everything below would prove nothing."""
    assert Path("/sys/class/video4linux/video0/name").read_text(encoding="ascii").startswith("vivid")
    assert "Loopback" in Path("/proc/asound/cards").read_text(encoding="ascii")


def test_camera_and_microphone_of_the_kernel_become_a_recording_that_verifies(tmp_path):
    bench = RecordingBench(tmp_path / "recordings", iter([make_source(CAMERA, CLOCK)]))
    bench.start()
    bench.wait_for_fragments(6)
    bench.recorder.stop(Reason.STOPPED)
    sealed = bench.wait_for_end()
    assert bench.recorder.close(60)
    assert chained(bench.segments()) == list(range(1, sealed.fragments + 1))
    frames = decoded_frames(bench.spool.segment(FIRST, 1))
    assert frames["video"] > 0
    assert frames["audio"] > 0
    # An emulated processor loses pictures; what is there is whole and trusted.
    assert bench.verdict() in ("complete", "explained-gap", "unexplained-gap")


def test_pictures_of_a_driver_come_in_order_on_one_time_line_with_their_sound():
    source, packets = make_source(CAMERA, CLOCK), []
    tracks = source.open()

    def deliver(packet):
        packets.append(packet)
        if len(packets) == 60:
            source.close()

    source.run(deliver)
    assert [track.codec for track in tracks] == [Codec.H264, Codec.AAC]
    for stream in (0, 1):
        times = [seconds(packet, tracks) for packet in packets if packet.stream == stream]
        assert times == sorted(times)
        assert len(times) == len(set(times)) > 3
    assert abs(packets[0].captured.monotonic_ns - CLOCK.read().monotonic_ns) < 120 * 10**9
    assert max(seconds(packet, tracks) for packet in packets) < Fraction(120)


def test_camera_that_another_program_reads_is_one_line_and_frees_nothing_of_it():
    holder, second = make_source(CAMERA, CLOCK), make_source(CAMERA, CLOCK)
    holder.open()
    try:
        with pytest.raises(EnvironmentFault, match=r"^无法读取音视频来源 .*请检查连接"):
            second.open()
    finally:
        holder.close()
        second.close()
    again = make_source(CAMERA, CLOCK)
    assert again.open()
    again.close()
