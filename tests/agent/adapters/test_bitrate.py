"""Another bit rate in the middle of a recording: smaller fragments, and not a frame or a moment lost."""

from agent.adapters.fake_source import FakeSource
from agent.adapters.orders import BitrateAsked
from agent.adapters.sources import CaptureSettings, make_source
from agent.control.messages import GapOpened
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason
from tests.agent.adapters.recording_bench import CLOCK, FIRST, RecordingBench, decoded_frames, eventually, footage
from tests.agent.adapters.test_recorder import LOST, bench_over


def test_a_lowered_bit_rate_holds_from_the_next_keyframe_and_loses_nothing(tmp_path):
    scene = CaptureSettings(camera="test", width=640, height=360, video_kbps=3000, audio="none")
    bench = RecordingBench(tmp_path / "recordings", iter([make_source(scene, CLOCK)]))
    bench.start()
    bench.wait_for_fragments(4)
    bench.recorder.act(BitrateAsked(150_000))
    bench.wait_for_fragments(10)
    bench.recorder.stop(Reason.STOPPED)
    sealed = bench.wait_for_end()
    assert bench.recorder.close(60)
    sizes = [event.size for event in bench.stored()]
    assert sum(sizes[6:9]) < sum(sizes[1:4]) / 2
    assert bench.verdict() == "complete"
    assert not any(isinstance(event, GapOpened) for event in bench.events)
    frames = decoded_frames(bench.spool.segment(FIRST, 1))
    assert frames["video"] == round(sealed.duration_ms * 30 / 1000)


def test_a_camera_that_comes_back_is_opened_at_the_rate_that_holds(tmp_path):
    tracks, packets = footage(4)
    script: list = [*packets[:100], 0.05, EnvironmentFault(str(LOST))]
    first, second = FakeSource(tracks, script), FakeSource(tracks, packets)
    bench = bench_over(tmp_path, first, second)
    bench.recorder.act(BitrateAsked(500_000))
    bench.start()
    eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "the camera lost")
    eventually(lambda: second.bitrates == [500_000], "the second camera told the rate")
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    assert first.bitrates == [500_000]
