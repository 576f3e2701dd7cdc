"""What every source is asked, fake or real: `class TestMine(SourceContract)` with a `make` of its own inherits the
questions. A source that can go away also answers `LosableSource`."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from agent.adapters.camera_line import CLOSE_S
from agent.adapters.fragment_muxer import FragmentMuxer
from agent.adapters.packet_flow import Interleaver, TimestampGuard
from agent.adapters.packets import CaptureSource, Codec, Packet, StreamInfo, seconds
from agent.adapters.pyav_source import Encoding
from agent.adapters.recorder import RecorderSettings
from agent.control.messages import GapOpened, RecordingSealed
from agent.errors import EnvironmentFault
from agent.evidence.journal import GAP_CLOSED, GAP_OPENED, JournalEvent, JournalRecord, Reason
from tests.agent.adapters.recording_bench import FIRST, RecordingBench, chained, decoded_frames, eventually

ENCODING = Encoding()
PATIENCE_S = 60.0  # a hang is longer than any start
LINE = re.compile(r"^[^\n]*[\u4e00-\u9fff][^\n]*。$")
SPS, PPS, IDR = 7, 8, 5  # NAL unit types, ITU-T H.264 table 7-1


@dataclass
class Seen:
    """One run of a source: opened, looked at for a while, closed from another thread."""

    source: CaptureSource
    pictures_wanted: int
    tracks: Sequence[StreamInfo] = ()
    packets: list[Packet] = field(default_factory=list)
    before_tracks: int = 0
    after_close: int = 0
    fault: EnvironmentFault | None = None
    close_s: float = 0.0

    def __post_init__(self) -> None:
        self._opened, self._enough, self._returned = threading.Event(), threading.Event(), threading.Event()

    def look(self) -> "Seen":
        """Do it; fails where the source hangs."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        assert self._enough.wait(PATIENCE_S), "the source never delivered enough"
        begin = time.monotonic()
        self.source.close()
        thread.join(PATIENCE_S)
        self.close_s = time.monotonic() - begin
        assert not thread.is_alive(), "the source runs on after close"
        self._returned.set()
        self.source.close()
        return self

    def of_track(self, number: int) -> list[Packet]:
        return [packet for packet in self.packets if packet.stream == number]

    def _run(self) -> None:
        try:
            self.tracks = self.source.open()
            self._opened.set()
            self.source.run(self._deliver)
        except EnvironmentFault as fault:
            self.fault = fault
        self._enough.set()

    def _deliver(self, packet: Packet) -> None:
        self.before_tracks += not self._opened.is_set()
        self.after_close += self._returned.is_set()
        self.packets.append(packet)
        if sum(it.stream == 0 for it in self.packets) >= self.pictures_wanted:
            self._enough.set()


class SourceContract:
    """`pictures` are looked at; `encoding` is what the source was asked for; `max_drift_s` is how far a picture's time
    in the film and the moment it is said to be taken may come apart."""

    pictures = 45
    max_drift_s = 1.0
    encoding = ENCODING

    def make(self) -> CaptureSource:
        """A new source that works."""
        raise NotImplementedError

    def absent(self) -> CaptureSource:
        """A source whose device is not there."""
        raise NotImplementedError

    def watch(self) -> Seen:
        """One run of it, which most questions are about."""
        return Seen(self.make(), self.pictures).look()

    @pytest.fixture(scope="class")
    @classmethod
    def seen(cls) -> Seen:
        return cls().watch()

    def test_tracks_are_told_before_any_packet_pictures_first(self, seen: Seen):
        assert seen.fault is None
        assert seen.before_tracks == 0
        assert [track.codec for track in seen.tracks] in ([Codec.H264], [Codec.H264, Codec.AAC])
        assert min(seen.tracks[0].width, seen.tracks[0].height) > 0
        assert all(track.sample_rate and track.extradata and track.silence for track in seen.tracks[1:])
        assert seen.source.description.name

    def test_every_packet_is_whole_and_of_a_track_that_was_told(self, seen: Seen):
        assert {packet.stream for packet in seen.packets} == set(range(len(seen.tracks)))
        assert all(packet.data and packet.duration > 0 and packet.pts >= packet.dts for packet in seen.packets)
        assert not any(packet.still for packet in seen.packets)

    def test_first_picture_is_a_keyframe_and_the_next_is_near(self, seen: Seen):
        """Bites when a segment or a clip could begin nowhere."""
        pictures = seen.of_track(0)
        assert pictures[0].keyframe
        keys = [seconds(packet, seen.tracks) for packet in pictures if packet.keyframe]
        length = pictures[0].duration * seen.tracks[0].time_base
        assert all(after - before <= self.encoding.keyframe_s + 2 * length for before, after in pairwise(keys))
        assert seconds(pictures[-1], seen.tracks) - keys[-1] <= self.encoding.keyframe_s + 2 * length

    def test_every_keyframe_can_be_decoded_by_itself(self, seen: Seen):
        for packet in seen.of_track(0):
            kinds = [unit[0] & 31 for unit in re.split(rb"\x00\x00\x01", packet.data)[1:]]
            assert packet.keyframe is (IDR in kinds)
            assert not packet.keyframe or kinds.index(SPS) < kinds.index(PPS) < kinds.index(IDR)

    def test_times_rise_strictly_and_need_no_repair(self, seen: Seen):
        guard = TimestampGuard(seen.tracks)
        assert [moved for _, moved in map(guard.admit, seen.packets) if moved] == []

    def test_moments_go_with_the_times_and_never_back(self, seen: Seen):
        for number in range(len(seen.tracks)):
            row = seen.of_track(number)
            assert len({packet.captured.boot for packet in row}) == 1
            assert all(before.captured.monotonic_ns <= after.captured.monotonic_ns for before, after in pairwise(row))
        first, last = seen.of_track(0)[0], seen.of_track(0)[-1]
        film = float(seconds(last, seen.tracks) - seconds(first, seen.tracks))
        assert abs((last.captured.monotonic_ns - first.captured.monotonic_ns) / 10**9 - film) < self.max_drift_s

    @pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffmpeg is not installed")
    def test_what_it_delivers_plays(self, seen: Seen, tmp_path: Path):
        muxer, interleaver = FragmentMuxer(seen.tracks, 500), Interleaver(seen.tracks)
        row = [due for packet in seen.packets for due in interleaver.push(packet)] + interleaver.drain()
        fragments = [fragment for packet in row for fragment in muxer.write(packet)] + muxer.finish()
        film = tmp_path / "film.mp4"
        film.write_bytes(muxer.init_segment + b"".join(fragment.media for fragment in fragments))
        assert decoded_frames(film)["video"] == len(seen.of_track(0))

    def test_close_ends_it_soon_and_nothing_comes_after(self, seen: Seen):
        assert seen.close_s < CLOSE_S
        assert seen.after_close == 0

    def test_closed_before_it_ran_it_is_free_again(self):
        for _ in range(2):
            source = self.make()
            source.close()
            source.close()

    def test_device_that_is_not_there_is_one_chinese_line_and_no_hang(self):
        source, found = self.absent(), []

        def attempt() -> None:
            try:
                source.open()
            except EnvironmentFault as fault:
                found.append(fault)

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(PATIENCE_S)
        source.close()
        assert not thread.is_alive(), "opening an absent device hangs"
        assert [bool(LINE.match(str(fault))) for fault in found] == [True], found


LOST = (GAP_OPENED, Reason.CAMERA_LOST)


class LosableSource(SourceContract):
    """A source whose device can be taken away while it runs."""

    def lost_and_back(self) -> Iterator[CaptureSource]:
        """One source after the other as a recorder opens them: the first is lost after a while, a later one works."""
        raise NotImplementedError

    def test_device_that_goes_away_is_a_signed_gap_and_the_recording_goes_on(self, tmp_path: Path):
        settings = RecorderSettings(retry_s=0.2, margin_bytes=0)
        bench = RecordingBench(tmp_path / "recordings", self.lost_and_back(), settings)
        bench.start()
        eventually(lambda: any(event.segment == 2 for event in bench.stored()), "a fragment after the loss")
        bench.recorder.stop(Reason.STOPPED)
        assert isinstance(bench.wait_for_end(), RecordingSealed)
        assert bench.recorder.close(60)
        reasons = {event.reason for event in bench.events if isinstance(event, GapOpened)}
        assert Reason.CAMERA_LOST in reasons
        assert reasons <= {Reason.CAMERA_LOST, Reason.FRAMES_DROPPED}, "a busy machine may drop frames, nothing else"
        first, second, *_ = segments = bench.segments()
        chained(segments)
        assert [(it.kind, it.reason) for it in _besides_dropped(first.fragments[-1])] == [LOST]
        assert [it.kind for it in _besides_dropped(second.fragments[0])] == [GAP_CLOSED]
        assert bench.verdict() == "unexplained-gap"
        assert all(sum(decoded_frames(place).values()) for place in bench.spool.segments(FIRST))


def _besides_dropped(record: JournalRecord) -> list[JournalEvent]:
    return [it for it in record.entry.moment.events if it.reason is not Reason.FRAMES_DROPPED]


def pushing(address: str, times: int, *, rate: int = 10, length_s: float = 2.5) -> "subprocess.Popen[bytes]":
    """A camera that connects to `address` (an RTSP receiver on this machine) and goes away, so many times over."""
    scene = f"-re -f lavfi -i testsrc2=size=320x240:rate={rate} -f lavfi -i sine -t {length_s} -c:v libx264 -g {rate}"
    push = f"ffmpeg -v quiet {scene} -preset ultrafast -tune zerolatency -c:a aac -f rtsp -rtsp_transport tcp {address}"
    once = f"for try in $(seq 200); do {push} && break; sleep 0.05; done"
    return subprocess.Popen(["sh", "-c", "; ".join([once] * times)])
