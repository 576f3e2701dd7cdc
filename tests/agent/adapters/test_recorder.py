"""The recorder: what is on the disk verifies, whatever camera and disk do."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import chain, count, repeat
from pathlib import Path

import pytest

from agent.adapters.fake_source import FakeSource
from agent.adapters.orders import StopAsked
from agent.adapters.packet_flow import Dropped, PacketQueue
from agent.adapters.recorder import RecorderSettings
from agent.adapters.sources import CaptureSettings, make_source
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import recover
from agent.control.messages import FragmentStored, GapOpened, RecordingFailed, RecordingSealed
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason
from tests.agent.adapters.recording_bench import (
    CLOCK,
    FIRST,
    SIGNER,
    RecordingBench,
    chained,
    decoded_frames,
    eventually,
    footage,
    shifted,
    verdict,
)

LOST = EnvironmentFault("摄像头已拔出。")


def bench_over(root: Path, *sources: FakeSource, **settings) -> RecordingBench:
    made = RecorderSettings(**{"retry_s": 0.2, "margin_bytes": 0, **settings})
    return RecordingBench(root / "recordings", iter(sources), made)


def test_recording_of_the_test_scene_decodes_whole_and_is_sealed(tmp_path):
    scene = CaptureSettings(camera="test", width=640, height=360)
    bench = RecordingBench(tmp_path / "recordings", iter([make_source(scene, CLOCK)]))
    bench.start()
    bench.wait_for_fragments(4)
    bench.recorder.stop(Reason.STOPPED)
    sealed = bench.wait_for_end()
    assert bench.recorder.close(60)
    assert isinstance(sealed, RecordingSealed)
    assert (sealed.segments, sealed.reason, sealed.recovered, sealed.discarded_bytes) == (1, "stopped", False, 0)
    assert bench.verdict() == "complete"
    (segment,) = bench.segments()
    assert segment.sealed
    assert not segment.damage
    assert not segment.tail
    assert chained([segment]) == list(range(1, sealed.fragments + 1))
    context = dict(segment.origin.context)
    assert context.pop("watermark_font")
    assert context == {"version": "0.1.0", "source": "test", "synthetic": True, "sound": True}
    assert {event.duration_ms for event in bench.stored()[:-1]} == {500}
    frames = decoded_frames(bench.spool.segment(FIRST, 1))
    assert frames["video"] == round(sealed.duration_ms * 30 / 1000)
    assert frames["audio"] >= sealed.duration_ms * 48 // 1024 - 3
    assert {place.name for place in bench.spool.folder(FIRST).iterdir()} == {
        "segment-0001.mp4",
        "journal.jsonl",
        "SHA256SUMS",
        "SHA256SUMS.p7s",
    }


def test_segment_cut_keeps_the_chain_and_every_frame(tmp_path):
    tracks, packets = footage(6)
    late = sorted(packets, key=lambda it: it.dts * tracks[it.stream].time_base + Fraction(it.stream, 5))  # slow sound
    bench = bench_over(tmp_path, FakeSource(tracks, late), segment_minutes=2 / 60)
    bench.start()
    bench.wait_for_fragments(10)
    bench.recorder.stop(Reason.STOPPED)
    sealed = bench.wait_for_end()
    assert bench.recorder.close(60)
    assert sealed.segments == 3
    assert bench.verdict() == "complete"
    assert chained(bench.segments()) == list(range(1, sealed.fragments + 1))
    counts = [decoded_frames(place) for place in bench.spool.segments(FIRST)]
    assert sum(count["video"] for count in counts) == 60
    begun = [packet for packet in packets if packet.stream == 1 and packet.dts >= 0]
    assert sum(count["audio"] for count in counts) == len(begun)
    assert not [event for event in bench.events if isinstance(event, GapOpened)]
    assert [segment.manifest.seal.closing.reason for segment in bench.segments()] == [
        Reason.CONTINUED,
        Reason.CONTINUED,
        Reason.STOPPED,
    ]


def test_power_cut_before_the_first_fragment_of_a_next_segment_takes_no_segment_away(tmp_path):
    tracks, packets = footage(3)
    begun = [it for it in packets if it.dts * tracks[it.stream].time_base < Fraction(23, 10)]
    bench = bench_over(tmp_path / "live", FakeSource(tracks, begun), segment_minutes=2 / 60)
    bench.start()
    bench.wait_for_fragments(4)  # the segment was cut at two seconds; of the next one the muxer holds 0.3 s
    shutil.copytree(tmp_path / "live", tmp_path / "cut")
    assert bench.recorder.close(60)
    (sealed,) = recover(Spool(tmp_path / "cut" / "recordings"), SIGNER, CLOCK)
    assert (sealed.segments, sealed.fragments, sealed.reason) == (1, 4, Reason.DEVICE_RESTART)
    assert verdict(tmp_path / "cut" / "recordings" / FIRST) == "explained-gap"


def test_camera_that_dies_and_comes_back_leaves_a_signed_gap(tmp_path):
    tracks, packets = footage(2)
    gone = FakeSource(tracks, [], opening_fault=LOST)
    bench = bench_over(tmp_path, FakeSource(tracks, [*packets, LOST]), gone, FakeSource(tracks, packets))
    bench.start()
    eventually(lambda: any(event.segment == 2 for event in bench.stored()), "a second segment")
    bench.recorder.stop(Reason.STOPPED)
    sealed = bench.wait_for_end()
    assert bench.recorder.close(60)
    assert [event.reason for event in bench.events if isinstance(event, GapOpened)] == ["camera-lost"]
    first, second = bench.segments()
    assert (sealed.segments, sealed.reason) == (2, "stopped")
    assert chained([first, second]) == list(range(1, sealed.fragments + 1))
    last = first.fragments[-1].entry.moment.events
    assert [(event.kind, event.reason, event.note) for event in last] == [("gap-opened", Reason.CAMERA_LOST, str(LOST))]
    assert [event.kind for event in second.fragments[0].entry.moment.events] == ["gap-closed"]
    assert decoded_frames(bench.spool.segment(FIRST, 1))["video"] == 20
    assert bench.verdict() == "unexplained-gap"


def test_silent_camera_is_given_up_and_opened_again(tmp_path):
    tracks, packets = footage(2)
    bench = bench_over(tmp_path, FakeSource(tracks, packets), FakeSource(tracks, packets), stall_s=0.3)
    bench.start()
    eventually(lambda: any(event.segment == 2 for event in bench.stored()), "a second segment")
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    assert [event.reason for event in bench.events if isinstance(event, GapOpened)][:1] == ["encoder-stalled"]


def test_sound_that_goes_on_does_not_hide_a_camera_that_stands_still(tmp_path):
    tracks, packets = footage(2)
    sound = [packet for packet in packets if packet.stream == 1]
    again = (shifted(packet, Fraction(2 * turn), tracks) for turn in count(1) for packet in sound)
    talking = (step for packet in again for step in (packet, 0.02))
    still = FakeSource(tracks, chain(packets, talking))
    bench = bench_over(tmp_path, still, FakeSource(tracks, packets), stall_s=0.3)
    bench.start()
    eventually(lambda: any(event.segment == 2 for event in bench.stored()), "a second segment")
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    assert [event.reason for event in bench.events if isinstance(event, GapOpened)][:1] == ["encoder-stalled"]
    assert bench.verdict() == "unexplained-gap"


def test_missing_camera_fails_with_one_line_and_leaves_no_folder(tmp_path):
    bench = bench_over(tmp_path, FakeSource([], [], opening_fault=LOST))
    bench.start()
    failed = bench.wait_for_end()
    assert bench.recorder.close(60)
    assert failed == RecordingFailed(FIRST, str(LOST), failed.at)
    assert bench.spool.recordings() == ()


def test_times_that_do_not_rise_are_repaired_and_told(tmp_path):
    tracks, packets = footage(4, sound=False)
    stuck = [
        replace(packet, pts=packets[3].pts, dts=packets[3].dts) if n == 4 else packet
        for n, packet in enumerate(packets)
    ]
    back = [shifted(packet, Fraction(-2), tracks) if n >= 30 else packet for n, packet in enumerate(stuck)]
    bench = bench_over(tmp_path, FakeSource(tracks, back))
    bench.start()
    bench.wait_for_fragments(5)
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    (segment,) = bench.segments()
    assert decoded_frames(bench.spool.segment(FIRST, 1)) == {"video": 40}
    events = [event for record in segment.fragments for event in record.entry.moment.events]
    assert [event.reason for event in events] == [Reason.FRAMES_DROPPED] * 4
    assert [event.kind for event in events] == ["gap-opened", "gap-closed"] * 2
    assert bench.verdict() == "explained-gap"


def test_full_queue_drops_whole_groups_and_signs_the_gap(tmp_path):
    _, packets = footage(4, sound=False)
    queue = PacketQueue(sum(len(packet.data) for packet in packets[:15]))
    for packet in packets:
        queue.put(packet)
    taken = []
    while (item := queue.take(0)) is not None:
        taken.append(item)
    assert taken == packets[: len(taken)]
    for packet in packets[25:]:
        queue.put(packet)
    dropped, resumed = queue.take(0), queue.take(0)
    assert dropped.packets == len(packets) - len(taken) + 5
    assert dropped.since == packets[len(taken)].captured
    assert resumed == packets[30]


def test_pictures_dropped_just_before_the_camera_stands_still_are_counted_and_signed(tmp_path):
    """No keyframe comes behind them any more: with the camera, what was dropped of it was forgotten."""
    tracks, packets = footage(2, sound=False)
    limit = 50_000
    too_large = replace(packets[14], data=bytes(limit + 1))
    last = FakeSource(tracks, [*packets[:14], too_large, *packets[15:18]])
    bench = bench_over(tmp_path, last, FakeSource(tracks, packets), stall_s=0.3, queue_bytes=limit)
    bench.start()
    eventually(lambda: any(event.segment == 2 for event in bench.stored()), "the camera again")
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    events = [event for it in bench.segments() for record in it.fragments for event in record.entry.moment.events]
    (opened, _) = [event for event in events if event.reason is Reason.FRAMES_DROPPED]
    assert (opened.kind, opened.note, opened.at) == ("gap-opened", "4 packets", packets[14].captured)
    assert "frames-dropped" in [event.reason for event in bench.events if isinstance(event, GapOpened)]


def test_sound_between_dropped_pictures_makes_one_gap_of_them_and_an_order_is_told_of_it_first():
    _, packets = footage(3)
    pictures, sounds = ([it for it in packets if it.stream == number] for number in (0, 1))
    queue = PacketQueue(2**20)
    for picture, sound in zip([replace(pictures[10], data=bytes(2**21)), *pictures[11:20]], sounds[:10], strict=True):
        queue.put(picture)
        queue.put(sound)
    queue.signal(StopAsked(Reason.STOPPED))
    taken = [queue.take(0) for _ in range(12)]
    assert taken == [*sounds[:10], Dropped(10, pictures[10].captured), StopAsked(Reason.STOPPED)]
    assert queue.take(0) is None


def test_stop_before_the_first_frame_fails_without_a_trace_of_evidence(tmp_path):
    tracks, _ = footage(1)
    bench = bench_over(tmp_path, FakeSource(tracks, []))
    bench.start()
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingFailed)
    assert bench.recorder.close(60)


def test_shutdown_seals_the_running_recording(tmp_path):
    tracks, packets = footage(2)
    bench = bench_over(tmp_path, FakeSource(tracks, packets))
    bench.start()
    bench.wait_for_fragments(2)
    assert bench.recorder.close(60)
    assert bench.wait_for_end().reason == "shutdown"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tiny disk needs root")
def test_full_disk_ends_in_a_gap_and_goes_on_when_there_is_room(tmp_path):
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], check=True)
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(150_000))
        tracks, packets = footage(60)
        script = chain(
            packets[:600], repeat(0.02, 20), chain.from_iterable((packet, 0.002) for packet in packets[600:])
        )
        bench = bench_over(disk, FakeSource(tracks, script))
        bench.start()
        eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "the disk full")
        before = len(bench.stored())
        assert before > 0
        ballast.unlink()
        eventually(lambda: len(bench.stored()) > before, "a fragment after room was made")
        bench.recorder.stop(Reason.STOPPED)
        sealed = bench.wait_for_end()
        assert bench.recorder.close(60)
        assert isinstance(sealed, RecordingSealed), sealed
        segments = bench.segments()
        assert all(segment.sealed for segment in segments)
        assert bench.verdict() == "unexplained-gap"
        assert chained(segments) == [event.sequence for event in bench.stored()]
        assert "storage-failed" in {event.reason for event in bench.events if isinstance(event, GapOpened)}
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_low_room_stops_writing_before_the_disk_is_full(tmp_path):
    tracks, packets = footage(2)
    bench = bench_over(tmp_path, FakeSource(tracks, packets), margin_bytes=2**60)
    bench.start()
    eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "a gap")
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingFailed)
    assert bench.recorder.close(60)
    assert not [event for event in bench.events if isinstance(event, FragmentStored)]


OUTLIVING = """
import sys, threading
from pathlib import Path
from agent.adapters.recorder import Recorder, RecorderSettings, RecordingOrder
from agent.adapters.spool import Spool
from agent.evidence.journal import Reason
from agent.wire.device_events import GENESIS
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER, UNIT
opening = threading.Event()
def hang():
    opening.set()
    threading.Event().wait()
recorder = Recorder(Spool(Path(sys.argv[1])), SIGNER, CLOCK, hang, lambda event: None, RecorderSettings())
recorder.start(RecordingOrder(FIRST, UNIT, GENESIS))
opening.wait()
sys.exit(7 if not recorder.close(0.01) else 0)
"""


def test_camera_that_never_answers_does_not_keep_the_process_after_its_end(tmp_path):
    done = subprocess.run([sys.executable, "-c", OUTLIVING, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == 7


def test_microphone_that_never_speaks_does_not_hold_the_pictures_back(tmp_path):
    """Bites when the recorder does not fill with silence: then no fragment reaches the disk before the stop."""
    tracks, packets = footage(8)
    bench = bench_over(tmp_path, FakeSource(tracks, [it for it in packets if it.stream == 0]), segment_minutes=4 / 60)
    bench.start()
    bench.wait_for_fragments(12)
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    assert [event.reason for event in bench.events if isinstance(event, GapOpened)] == ["sound-lost"]
    counts = [decoded_frames(place) for place in bench.spool.segments(FIRST)]
    assert sum(count["video"] for count in counts) == 80
    assert all(count["audio"] > 150 for count in counts)
    assert bench.verdict() == "unexplained-gap"


def test_sound_that_comes_back_is_told_and_keeps_its_place(tmp_path):
    tracks, packets = footage(12)
    marked = tracks[1].silence + b"BACK"
    spoken = [replace(it, data=marked) if it.stream == 1 and it.dts >= 48_000 * 8 else it for it in packets]
    broken = [it for it in spoken if it.stream == 0 or not 48_000 * 3 <= it.dts < 48_000 * 8]
    bench = bench_over(tmp_path, FakeSource(tracks, broken))
    bench.start()
    bench.wait_for_fragments(22)
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    (segment,) = bench.segments()
    events = [event for record in segment.fragments for event in record.entry.moment.events]
    assert [(event.kind, event.reason) for event in events] == [
        ("gap-opened", Reason.SOUND_LOST),
        ("gap-closed", Reason.SOUND_LOST),
    ]
    written = bench.spool.segment(FIRST, 1).read_bytes()
    sent = sum(1 for it in broken if it.stream == 1 and it.dts >= 48_000 * 8)
    assert sent - 2 <= written.count(b"BACK") <= sent
