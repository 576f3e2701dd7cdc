"""What cameras and disks do in the field, each through the real recorder and judged as `liuhen-verify` judges it: every
fault ends in a signed gap, and the recording goes on behind it."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import chain, repeat
from pathlib import Path

import pytest

from agent.adapters.fake_source import UNPLUGGED, FakeSource, Step, backwards, frozen, repeated, stalled, unplugged
from agent.adapters.orders import ActAsked
from agent.adapters.packets import SourceDescription
from agent.adapters.pyav_source import Encoding, Input, PyAVSource
from agent.adapters.recorder import RecorderSettings
from agent.adapters.spool import Spool
from agent.control.acts import Act
from agent.control.messages import GapOpened, RecordingSealed
from agent.evidence.grounds import Grounds
from agent.evidence.journal import GAP_CLOSED, GAP_OPENED, JournalEvent, Reason
from agent.verify_files import Basis, judge_path
from tests.agent.adapters.recording_bench import (
    AUTHORITY,
    CLOCK,
    FIRST,
    RecordingBench,
    chained,
    decoded_frames,
    eventually,
    examined,
    footage,
    moment,
)

REPOSITORY = Path(__file__).parents[3]
SCRIPT = "tests.agent.adapters.recording_process"


def judged(folder: Path) -> str:
    """The word `liuhen-verify` ends with."""
    basis = Basis((AUTHORITY.root,), Grounds(), datetime.now(UTC))
    return judge_path(folder, basis, [].append).report.verdict.value


def events(folder: Path) -> list[tuple[str, Reason | None]]:
    """The gaps that are signed into the fragments and seals of a recording, in order."""
    segments = [examined(place) for place in sorted(folder.glob("segment-*.mp4"))]
    chained(segments)
    found: list[JournalEvent] = []
    for segment in segments:
        assert segment.sealed
        found += [event for record in segment.fragments for event in record.entry.moment.events]
    return [(event.kind, event.reason) for event in found if event.kind in {GAP_OPENED, GAP_CLOSED}]


def recorded(root: Path, sources: Iterable[FakeSource], enough: int, segment: int = 1, **settings) -> RecordingBench:
    made = RecorderSettings(**{"retry_s": 0.2, "margin_bytes": 0, **settings})
    bench = RecordingBench(root / "recordings", iter(sources), made)
    bench.start()
    eventually(lambda: sum(it.segment == segment for it in bench.stored()) >= enough, "enough fragments")
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingSealed)
    assert bench.recorder.close(60)
    return bench


def test_unplugged_camera_is_a_signed_gap_and_a_resumed_recording(tmp_path):
    tracks, packets = footage(2)
    gone = [FakeSource(tracks, [], opening_fault=UNPLUGGED)] * 2
    bench = recorded(tmp_path, [FakeSource(tracks, unplugged(packets)), *gone, FakeSource(tracks, packets)], 3, 2)
    folder = bench.spool.folder(FIRST)
    assert events(folder) == [(GAP_OPENED, Reason.CAMERA_LOST), (GAP_CLOSED, Reason.CAMERA_LOST)]
    assert judged(folder) == "unexplained-gap"  # an officer has to say why; the device only that
    assert decoded_frames(bench.spool.segment(FIRST, 1))["video"] == 20


def test_pictures_that_the_camera_lost_are_a_signed_gap_of_the_time_they_were_lost_in(tmp_path):
    tracks, packets = footage(3)
    shown = [at for at, packet in enumerate(packets) if packet.stream == 0]
    before, after = packets[shown[24]], packets[shown[25]]
    packets[shown[25]] = replace(after, lost_since=before.captured)
    bench = recorded(tmp_path, [FakeSource(tracks, packets)], 4)
    folder = bench.spool.folder(FIRST)
    assert events(folder) == [(GAP_OPENED, Reason.FRAMES_DROPPED), (GAP_CLOSED, Reason.FRAMES_DROPPED)]
    assert told(bench) == [Reason.FRAMES_DROPPED]
    assert judged(folder) == "explained-gap"


def test_stalled_camera_is_a_signed_gap_and_a_resumed_recording(tmp_path):
    tracks, packets = footage(4)
    sources = [FakeSource(tracks, stalled(packets, tracks, Fraction(2))), FakeSource(tracks, packets)]
    folder = recorded(tmp_path, sources, 3, 2, stall_s=0.3).spool.folder(FIRST)
    assert (GAP_OPENED, Reason.ENCODER_STALLED) in events(folder)
    assert (GAP_CLOSED, Reason.ENCODER_STALLED) in events(folder)
    assert judged(folder) == "unexplained-gap"


def told(bench: RecordingBench) -> list[Reason]:
    return [event.reason for event in bench.events if isinstance(event, GapOpened)]


def test_camera_that_is_lost_in_a_pause_is_told_at_once_and_signed_from_the_moment_the_officer_goes_on(tmp_path):
    """The lamp, the watchdog and the centre would else believe that what the officer resumed is being recorded."""
    tracks, packets = footage(2)
    pulled, plugged_in = threading.Event(), threading.Event()

    def until_pulled() -> Iterator[Step]:
        yield from packets
        assert pulled.wait(60)
        yield UNPLUGGED

    def cameras() -> Iterator[FakeSource]:
        yield FakeSource(tracks, until_pulled())
        while not plugged_in.is_set():
            yield FakeSource(tracks, [], opening_fault=UNPLUGGED)
        yield FakeSource(tracks, packets)

    bench = RecordingBench(tmp_path / "recordings", cameras())
    bench.start()
    bench.wait_for_fragments(2)
    bench.recorder.act(ActAsked(Act.PAUSE, "secrecy", CLOCK.read()))
    eventually(lambda: told(bench) == [Reason.PAUSED], "the pause told")
    pulled.set()
    eventually(lambda: told(bench) == [Reason.PAUSED, Reason.CAMERA_LOST], "the loss told while paused")
    bench.recorder.act(ActAsked(Act.RESUME, "", moment(Fraction(0))))
    eventually(lambda: told(bench)[2:] == [Reason.CAMERA_LOST], "the loss told again to who goes on")
    before = len(bench.stored())
    plugged_in.set()
    bench.wait_for_fragments(before + 2)
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingSealed)
    assert bench.recorder.close(60)
    assert events(bench.spool.folder(FIRST)) == [
        (GAP_OPENED, Reason.PAUSED),
        (GAP_CLOSED, Reason.PAUSED),
        (GAP_OPENED, Reason.CAMERA_LOST),
        (GAP_CLOSED, Reason.CAMERA_LOST),
    ]
    assert len(told(bench)) == 3, "told once each, however often the camera is tried"


def test_camera_that_stays_away_after_a_stall_is_told_as_lost(tmp_path):
    """Bites when only the stall is told: the watchdog then ends a recording that a restart cannot help."""
    tracks, packets = footage(2)
    gone = repeat(FakeSource(tracks, [], opening_fault=UNPLUGGED))
    settings = RecorderSettings(retry_s=0.2, margin_bytes=0, stall_s=0.3)
    bench = RecordingBench(tmp_path / "recordings", chain([FakeSource(tracks, packets)], gone), settings)
    bench.start()
    eventually(lambda: told(bench) == [Reason.ENCODER_STALLED, Reason.CAMERA_LOST], "both told")
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingSealed)
    assert bench.recorder.close(60)
    assert len(told(bench)) == 2


def test_frozen_picture_is_a_signed_gap_while_the_recording_goes_on(tmp_path):
    tracks, packets = footage(6)
    source = FakeSource(tracks, frozen(packets, tracks, Fraction(2), Fraction(4)))
    bench = recorded(tmp_path, [source], 10)
    folder = bench.spool.folder(FIRST)
    assert events(folder) == [(GAP_OPENED, Reason.PICTURE_FROZEN), (GAP_CLOSED, Reason.PICTURE_FROZEN)]
    assert told(bench) == [Reason.PICTURE_FROZEN]
    assert judged(folder) == "explained-gap"
    assert decoded_frames(bench.spool.segment(FIRST, 1))["video"] == 60


def test_source_that_sees_the_same_picture_for_long_says_so(tmp_path):
    """Bites when nobody looks before the clock is drawn: the clock alone makes every picture another."""
    film = tmp_path / "still.y4m"
    picture = b"FRAME\n" + bytes(range(96)) * 160 + bytes([128]) * (160 * 96 // 2)
    film.write_bytes(b"YUV4MPEG2 W160 H96 F10:1 C420\n" + picture * 90)
    source = PyAVSource(SourceDescription("still", synthetic=True), [Input(str(film))], Encoding(10), CLOCK)
    packets = []

    def deliver(packet):
        packets.append(packet)
        if len(packets) == 80:
            source.close()

    source.open()
    source.run(deliver)
    assert [packet.still for packet in packets].index(True) in range(50, 56)
    assert packets[-1].still


def test_unplugged_microphone_ends_its_own_track_and_no_picture(tmp_path):
    """Bites when a microphone's fault ends the camera: the picture would be interrupted, and the camera be blamed."""
    wire = tmp_path / "microphone.wav"
    os.mkfifo(wire)
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "sine=sample_rate=48000:duration=1"]
    scene = Input("testsrc2=size=160x96:rate=10,format=yuv420p", "lavfi", live=False, scene=True)
    spoken = Input(str(wire), "wav", pictures=False, sound=True)
    source = PyAVSource(SourceDescription("bench", synthetic=True), [scene, spoken], Encoding(10), CLOCK)
    bench = RecordingBench(tmp_path / "recordings", iter([source]))
    with subprocess.Popen([*command, "-f", "wav", str(wire)], stdin=subprocess.DEVNULL):
        bench.start()
    eventually(lambda: told(bench) == [Reason.SOUND_LOST], "the loss of the sound, told as such")
    bench.wait_for_fragments(len(bench.stored()) + 2)
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingSealed)
    assert bench.recorder.close(60)
    assert events(bench.spool.folder(FIRST)) == [(GAP_OPENED, Reason.SOUND_LOST)]
    assert len(bench.segments()) == 1


@pytest.mark.parametrize("by", [Fraction(1, 2), Fraction(3)])
def test_times_that_step_back_are_repaired_counted_and_signed(tmp_path, by):
    tracks, packets = footage(6, sound=False)
    bench = recorded(tmp_path, [FakeSource(tracks, backwards(packets, tracks, Fraction(3), by))], 8)
    folder = bench.spool.folder(FIRST)
    found = events(folder)
    assert {reason for _, reason in found} == {Reason.FRAMES_DROPPED}
    assert found[:2] == [(GAP_OPENED, Reason.FRAMES_DROPPED), (GAP_CLOSED, Reason.FRAMES_DROPPED)]
    assert judged(folder) == "explained-gap"
    assert decoded_frames(bench.spool.segment(FIRST, 1))["video"] == 60


def test_times_that_repeat_are_repaired_counted_and_signed(tmp_path):
    tracks, packets = footage(6, sound=False)
    bench = recorded(tmp_path, [FakeSource(tracks, repeated(packets, 20))], 11)
    folder = bench.spool.folder(FIRST)
    assert events(folder) == [(GAP_OPENED, Reason.FRAMES_DROPPED), (GAP_CLOSED, Reason.FRAMES_DROPPED)] * 3
    assert judged(folder) == "explained-gap"
    assert decoded_frames(bench.spool.segment(FIRST, 1))["video"] == 60


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(("room", "gaps", "verdict"), [(32 * 2**20, 0, "complete"), (200_000, 1, "explained-gap")])
def test_disk_that_hangs_for_three_seconds_loses_nothing_or_says_what(tmp_path, room, gaps, verdict):
    """The queue bridges it; where the queue is too small for the hang, what was dropped is a signed gap."""
    root = tmp_path / "recordings"
    slow = "inject=fdatasync:delay_enter=3s:when=4"
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=fdatasync", "-e", slow]
    command += [sys.executable, "-m", SCRIPT, str(root), "600", "10", str(room)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True, timeout=60)
    assert not done.stderr, done.stderr
    folder = Spool(root).folder(FIRST)
    assert events(folder) == [(GAP_OPENED, Reason.FRAMES_DROPPED), (GAP_CLOSED, Reason.FRAMES_DROPPED)] * gaps
    assert judged(folder) == verdict
    (film,) = Spool(root).segments(FIRST)
    moments = [record.entry.moment for record in examined(film).fragments]
    assert max(moment.signed.monotonic_ns - moment.captured.monotonic_ns for moment in moments) > 3 * 10**9
