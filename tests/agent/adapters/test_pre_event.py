"""The pre-event ring: bounded, cut at keyframes, written first with both moments; never triggered, never kept."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import chain, count, pairwise

import pytest

from agent.adapters.fake_source import FakeSource
from agent.adapters.packets import seconds
from agent.adapters.pre_event import PreEventRing, PreEventSettings, ring_bytes
from agent.adapters.recorder import RecorderSettings
from agent.control.messages import GapOpened, WorkFailed
from agent.errors import EnvironmentFault
from agent.evidence.journal import GAP_CLOSED, GAP_OPENED, Reason
from agent.wire.identifiers import recording_id
from tests.agent.adapters.recording_bench import (
    CLOCK,
    FIRST,
    RecordingBench,
    chained,
    decoded_frames,
    eventually,
    footage,
    moment,
    shifted,
)
from tests.agent.evidence.bench import DEVICE

LOST = EnvironmentFault("摄像头已拔出。")


def filled(pre_event: PreEventSettings, duration_s: int) -> PreEventRing:
    tracks, packets = footage(duration_s)
    ring = PreEventRing(pre_event)
    ring.begin(tracks)
    for packet in packets:
        ring.put(replace(packet, data=b"SPOKEN") if packet.stream == 1 else packet)
    return ring


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_ring_keeps_at_most_its_seconds_from_a_keyframe_on(limit):
    tracks, packets = footage(8)
    ring = PreEventRing(PreEventSettings(limit))
    ring.begin(tracks)
    for packet in packets:
        ring.put(packet)
        assert ring.span_ms <= limit * 1000
    kept = list(ring.take())
    assert kept[0].keyframe
    assert kept[0].stream == 0
    assert seconds(packets[-1], tracks) - seconds(kept[0], tracks) > limit - 1.1  # a group of pictures lasts 1 s
    assert ring.forgotten == len(packets) - len(kept)
    assert list(ring.take()) == []


def test_ring_keeps_at_most_its_bytes():
    limit = 6_000
    tracks, packets = footage(8)
    ring = PreEventRing(PreEventSettings(120, sound=True, max_bytes=limit))
    ring.begin(tracks)
    for packet in packets:
        ring.put(packet)
        assert ring.bytes <= limit
        assert ring.bytes == sum(len(kept.data) for group in ring._groups for kept in group)
    assert ring.forgotten > 0


def test_sound_before_the_trigger_is_kept_only_when_asked():
    loud = {packet.data for packet in filled(PreEventSettings(5, sound=True), 3).take() if packet.stream == 1}
    mute = {packet.data for packet in filled(PreEventSettings(5), 3).take() if packet.stream == 1}
    tracks, _ = footage(1)
    assert (loud, mute) == ({b"SPOKEN"}, {tracks[1].silence})


def test_cleared_ring_is_only_a_number():
    ring = filled(PreEventSettings(5), 3)
    before = ring.forgotten
    ring.clear()
    assert (list(ring.take()), ring.bytes, ring.span_ms) == ([], 0, 0)
    assert ring.forgotten > before


def bench_over(root, *sources, pre_event=5, sound=False, **settings) -> RecordingBench:
    made = {"retry_s": 0.2, "margin_bytes": 0, "pre_event": PreEventSettings(pre_event, sound), **settings}
    return RecordingBench(root / "recordings", iter(sources), RecorderSettings(**made))


def forever(tracks, packets, turns_s: int):
    """`packets` again and again, each turn `turns_s` later, at the pace of a slow camera."""
    turns = (shifted(packet, Fraction(turns_s * turn), tracks) for turn in count(1) for packet in packets)
    return chain.from_iterable((packet, 0.002) for packet in turns)


class Gate:
    """A pause in a script that lasts until the test opens it."""

    def __init__(self, *before) -> None:
        import threading

        self.reached, self.opened = threading.Event(), threading.Event()
        self._before = before

    def __iter__(self):
        yield from self._before
        self.reached.set()
        assert self.opened.wait(60)


@pytest.mark.parametrize("sound", [True, False])
def test_what_was_seen_before_the_button_comes_first_and_says_when_it_was_signed(tmp_path, sound):
    tracks, packets = footage(6)
    gate = Gate(*packets[: len(packets) // 2])
    bench = bench_over(tmp_path, FakeSource(tracks, chain(gate, packets[len(packets) // 2 :])), sound=sound)
    bench.recorder.open()
    assert gate.reached.wait(60)
    bench.start()
    eventually(lambda: bench.spool.recordings() != (), "the recording begun")
    gate.opened.set()
    bench.wait_for_fragments(10)
    bench.recorder.stop(Reason.STOPPED)
    sealed = bench.wait_for_end()
    assert bench.recorder.close(60)
    (segment,) = bench.segments()
    context = segment.origin.context
    assert 2000 < context["pre_event_ms"] <= 3000
    assert context["pre_event_sound"] is sound
    assert bench.verdict() == "complete"
    assert chained([segment]) == list(range(1, sealed.fragments + 1))
    captured = [record.entry.moment.captured for record in segment.fragments]
    signed = [record.entry.moment.signed for record in segment.fragments]
    assert captured == sorted(captured, key=lambda it: it.monotonic_ns)
    assert captured[0].monotonic_ns // 10**6 == moment(Fraction(0)).monotonic_ns // 10**6
    assert all(before.monotonic_ns <= after.monotonic_ns for before, after in pairwise(signed))
    assert segment.origin.opened.monotonic_ns <= signed[0].monotonic_ns
    frames = decoded_frames(bench.spool.segment(FIRST, 1))
    assert frames["video"] == 60
    assert frames["audio"] > 250


def test_pictures_lost_before_the_button_are_a_signed_gap_but_not_those_before_the_ring(tmp_path):
    """And a picture that stood still before the button has stood still in the recording too."""
    tracks, packets = footage(6)
    shown = [at for at, packet in enumerate(packets) if packet.stream == 0]
    for number, since in ((0, moment(Fraction(-1))), (25, packets[shown[24]].captured)):
        packets[shown[number]] = replace(packets[shown[number]], lost_since=since)
    for number in (30, 31):
        packets[shown[number]] = replace(packets[shown[number]], still=True)
    gate = Gate(*packets[: len(packets) // 2 + 20])
    bench = bench_over(tmp_path, FakeSource(tracks, chain(gate, packets[len(packets) // 2 + 20 :])), pre_event=10)
    bench.recorder.open()
    assert gate.reached.wait(60)
    bench.start()
    eventually(lambda: bench.spool.recordings() != (), "the recording begun")
    gate.opened.set()
    bench.wait_for_fragments(9)
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    (segment,) = bench.segments()
    signed = [(it.kind, it.reason) for record in segment.fragments for it in record.entry.moment.events]
    lost, still = Reason.FRAMES_DROPPED, Reason.PICTURE_FROZEN
    assert signed == [(GAP_OPENED, lost), (GAP_CLOSED, lost), (GAP_OPENED, still), (GAP_CLOSED, still)]
    assert [event.reason for event in bench.events if isinstance(event, GapOpened)] == [lost, still]
    assert bench.verdict() == "explained-gap"


def test_never_triggered_ring_leaves_nothing_on_the_disk(tmp_path):
    tracks, packets = footage(3)
    gate = Gate(*packets)
    bench = bench_over(tmp_path, FakeSource(tracks, gate))
    bench.recorder.open()
    assert gate.reached.wait(60)
    gate.opened.set()
    assert bench.recorder.close(60)
    assert bench.events == []
    assert not (tmp_path / "recordings").exists()


def test_second_recording_begins_with_what_was_seen_after_the_first(tmp_path):
    tracks, packets = footage(4)
    gate = Gate(*packets)
    bench = bench_over(tmp_path, FakeSource(tracks, chain(gate, forever(tracks, packets, 4))), pre_event=3)
    bench.recorder.open()
    assert gate.reached.wait(60)
    for number in (1, 2):
        before = len(bench.stored())
        bench.start(recording_id(DEVICE, number))
        gate.opened.set()
        bench.wait_for_fragments(before + 4)
        bench.recorder.stop(Reason.STOPPED)
        bench.wait_for_end()
        assert bench.verdict(recording_id(DEVICE, number)) == "complete"
        bench.events.append(None)
    assert bench.recorder.close(60)
    (first,), (second,) = (bench.segments(recording_id(DEVICE, number)) for number in (1, 2))
    assert 0 < first.origin.context["pre_event_ms"] <= 3000
    assert second.origin.context.get("pre_event_ms", 0) <= 3000
    assert chained([second]) == list(range(1, len(second.fragments) + 1))


def test_camera_lost_while_idle_is_told_once_and_the_ring_begins_anew(tmp_path):
    tracks, packets = footage(3)
    gone = [FakeSource(tracks, [], opening_fault=LOST) for _ in range(2)]
    gate = Gate(*packets)
    bench = bench_over(tmp_path, FakeSource(tracks, [*packets, LOST]), *gone, FakeSource(tracks, gate))
    bench.recorder.open()
    assert gate.reached.wait(60)
    told = [event for event in bench.events if isinstance(event, WorkFailed)]
    assert [str(LOST) in event.detail for event in told] == [True]
    bench.start()
    eventually(lambda: bench.spool.recordings() != (), "the recording begun")
    gate.opened.set()
    bench.wait_for_fragments(3)
    assert bench.recorder.close(60)
    bench.wait_for_end()
    (segment,) = bench.segments()
    assert segment.origin.context["pre_event_ms"] <= 3000
    assert not [event for event in bench.events if isinstance(event, GapOpened)]


def test_frozen_camera_while_idle_is_given_up(tmp_path):
    tracks, packets = footage(2)
    gate = Gate(*packets)
    bench = bench_over(tmp_path, FakeSource(tracks, packets), FakeSource(tracks, gate), stall_s=0.3)
    bench.recorder.open()
    assert gate.reached.wait(60)
    gate.opened.set()
    assert bench.recorder.close(60)
    assert [type(event) for event in bench.events] == [WorkFailed]


def test_camera_missing_at_the_trigger_fails_the_recording_but_not_the_recorder(tmp_path):
    tracks, packets = footage(2)
    gone = FakeSource(tracks, [], opening_fault=LOST)
    bench = bench_over(tmp_path, gone, gone, FakeSource(tracks, packets), retry_s=30)
    bench.recorder.open()
    eventually(lambda: bool(bench.events), "the missing camera told")
    bench.start()
    assert str(LOST) in bench.wait_for_end().detail
    bench.start(recording_id(DEVICE, 2))
    bench.wait_for_fragments(2)
    assert bench.recorder.close(60)
    assert replace(bench.wait_for_end(), at=CLOCK.read()).reason == "shutdown"


@pytest.mark.parametrize(("kbps", "least_s"), [(400, 120), (4000, 120), (8000, 120), (50_000, 30)])
def test_ring_has_room_for_what_was_asked_at_the_rate_that_was_asked(kbps, least_s):
    assert least_s * kbps * 125 < ring_bytes(120, kbps) <= 192 * 2**20


MEMORY = """
import os, random, sys
from datetime import UTC, datetime
from fractions import Fraction
from agent.adapters.packets import VIDEO_TIME_BASE, Codec, Packet, StreamInfo
from agent.adapters.pre_event import PreEventRing, PreEventSettings
from agent.wire.instant import Instant, TimeState

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

tracks = [
    StreamInfo(Codec.H264, VIDEO_TIME_BASE, width=1280, height=720),
    StreamInfo(Codec.AAC, Fraction(1, 48_000), sample_rate=48_000, channels=1),
]
ring = PreEventRing(PreEventSettings(120, sound=True))
ring.begin(tracks)
chance, before = random.Random(1), rss()
mean = int(sys.argv[1]) * 1000 // 8 // 30
for n in range(30 * 300):
    now = Instant(datetime.now(UTC), 10**12 + n * 33_333_333, "boot", TimeState.NTP, 40)
    size = int(mean * (8 if n % 30 == 0 else 0.76) * chance.uniform(0.7, 1.3))
    ring.put(Packet(0, n * 3000, n * 3000, 3000, n % 30 == 0, os.urandom(size), now))
    for k in range(2 if n % 2 else 1):
        now = Instant(datetime.now(UTC), 10**12 + n * 33_333_333 + k, "boot", TimeState.NTP, 40)
        ring.put(Packet(1, n * 1600 + k * 800, n * 1600 + k * 800, 1024, True, os.urandom(170), now))
print(ring.span_ms, ring.bytes, rss() - before)
"""


@pytest.mark.parametrize("kbps", [1000, 4000])
def test_full_ring_costs_at_most_a_third_more_memory_than_it_holds(kbps):
    done = subprocess.run([sys.executable, "-c", MEMORY, str(kbps)], capture_output=True, text=True, check=True)
    span_ms, held, grown = map(int, done.stdout.split())
    assert span_ms > 118_000
    assert grown <= 1.35 * held, grown / held
