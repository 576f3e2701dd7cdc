"""The recording machine: presses at every moment, heads in time, numbers and links between recordings."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.control.acts import Act
from agent.control.effects import (
    Effect,
    MarkRecording,
    RecordingEnded,
    ReserveRecording,
    StartRecording,
    StopRecording,
    StoreEvent,
    TakePhoto,
)
from agent.control.messages import (
    FragmentStored,
    GapOpened,
    OfficerActed,
    PhotoTaken,
    RecordingFailed,
    RecordingSealed,
)
from agent.control.recording import (
    HEAD_INTERVAL_MS,
    RecordingMachine,
    RecordingMemory,
    State,
    gap_opened,
    photo_taken,
)
from agent.duty.policies import PolicyShelf
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest, RecordingId, device_id, recording_id
from tests.support.clocks import SteppedClock

DEVICE, UNIT = device_id("REC-0001"), "星河区综合行政执法局"
HEAD = Digest("a" * 64)


class Bench:
    def __init__(self, memory: RecordingMemory | None = None) -> None:
        self.clock = SteppedClock()
        memory = memory or RecordingMemory(0, 0, GENESIS)
        self.machine = RecordingMachine(DEVICE, UNIT, memory, {}, PolicyShelf(UNIT).in_force)
        self.sequence = 0

    def press(self) -> list[Effect]:
        return self.machine.pressed(self.clock.read())

    def fragment(self, recording: RecordingId | None = None, head: Digest = HEAD) -> list[Effect]:
        self.sequence += 1
        now = self.clock.step(0.5)
        recording = recording or self.machine.current or recording_id(DEVICE, 1)
        return self.machine.fragment_stored(FragmentStored(recording, 1, self.sequence, head, now, 500, 1000))

    def seal(self, number: int, head: Digest = HEAD, recovered: bool = False) -> list[Effect]:
        recording = recording_id(DEVICE, number)
        now = self.clock.read()
        return self.machine.sealed(RecordingSealed(recording, 1, 2, head, 1000, 9, "stopped", recovered, 0, now))


def ids(effects: list[Effect]) -> list[str]:
    return [effect.draft.event_id for effect in effects if isinstance(effect, StoreEvent)]


def kinds(effects: list[Effect]) -> list[type]:
    return [type(effect) for effect in effects]


def test_a_number_is_reserved_before_the_recorder_hears_it_and_the_event_comes_last() -> None:
    bench = Bench()
    assert kinds(bench.press()) == [ReserveRecording, StartRecording, StoreEvent]
    assert bench.machine.current == "REC-0001-R000001"


def test_press_press_is_one_recording_and_the_next_carries_its_head() -> None:
    bench = Bench()
    bench.press()
    bench.fragment()
    assert bench.press() == [StopRecording(recording_id(DEVICE, 1), "stopped")]
    sealed = bench.seal(1, Digest("c" * 64))
    assert ids(sealed) == ["R000001/sealed"]
    assert isinstance(sealed[0], StoreEvent)
    assert sealed[0].note == RecordingEnded(1, Digest("c" * 64))
    start = bench.press()[1]
    assert isinstance(start, StartRecording)
    assert (start.recording, start.previous) == ("REC-0001-R000002", "c" * 64)


def test_a_press_during_the_seal_starts_the_next_recording_and_two_presses_do_not() -> None:
    bench = Bench()
    bench.press()
    bench.press()
    assert bench.press() == []
    assert kinds(bench.seal(1)) == [StoreEvent, ReserveRecording, StartRecording, StoreEvent]
    bench.press()
    assert bench.press() == bench.press() == []
    assert kinds(bench.seal(2)) == [StoreEvent]
    assert bench.machine.state is State.IDLE


def test_heads_go_at_the_first_fragment_and_never_more_than_fifteen_seconds_apart() -> None:
    bench = Bench()
    bench.press()
    told = [bench.clock.read().monotonic_ns for _ in range(240) if ids(bench.fragment())]
    gaps = [(later - earlier) / 1e6 for earlier, later in pairwise(told)]
    assert len(told) == 9
    assert max(gaps) + 500 <= HEAD_INTERVAL_MS


def test_a_recovered_older_recording_does_not_take_the_link_from_a_newer_one() -> None:
    bench = Bench(RecordingMemory(5, 5, HEAD))
    assert ids(bench.seal(4, Digest("d" * 64), recovered=True)) == ["R000004/recovered"]
    start = bench.press()[1]
    assert isinstance(start, StartRecording)
    assert (start.recording, start.previous) == ("REC-0001-R000006", HEAD)


def test_a_fragment_of_another_recording_does_not_call_this_one_begun() -> None:
    bench = Bench(RecordingMemory(5, 5, HEAD))
    bench.press()
    assert bench.fragment(recording_id(DEVICE, 5)) == []
    assert bench.machine.state is State.STARTING


def test_a_failed_start_is_told_and_the_next_press_starts_a_new_number() -> None:
    bench = Bench()
    bench.press()
    failed = bench.machine.failed(RecordingFailed(None, "摄像头无法打开。", bench.clock.read()))
    assert ids(failed) == ["R000001/failed"]
    assert bench.machine.state is State.IDLE
    assert bench.press()[0] == ReserveRecording(2)


def test_a_gap_labels_the_recording_and_stops_nothing() -> None:
    bench = Bench()
    bench.press()
    bench.fragment()
    gap = gap_opened(GapOpened(recording_id(DEVICE, 1), "camera-lost", bench.clock.read()))
    assert ids(gap)[0].startswith("R000001/gap/")
    assert bench.machine.state is State.RECORDING


def test_after_a_shutdown_no_press_begins_anything() -> None:
    bench = Bench()
    bench.press()
    assert bench.machine.shut_down(bench.clock.read()) == [StopRecording(recording_id(DEVICE, 1), "shutdown")]
    assert bench.press() == []
    assert kinds(bench.seal(1)) == [StoreEvent]
    assert bench.press() == []


@given(st.lists(st.sampled_from(["press", "fragment", "seal", "fail", "late"]), max_size=40))
def test_whatever_happens_numbers_rise_by_one_and_no_two_recordings_overlap(story: list[str]) -> None:
    bench = Bench()
    started: list[int] = []
    running: RecordingId | None = None
    for word in story:
        effects: list[Effect] = []
        if word == "press":
            effects = bench.press()
        elif word == "fragment":
            effects = bench.fragment()
        elif word == "late":
            effects = bench.seal(1)
            running = None if running == recording_id(DEVICE, 1) else running
        elif running is not None and word == "seal":
            effects, running = bench.seal(int(running[-6:])), None
        elif running is not None:
            failed = RecordingFailed(running, "坏", bench.clock.read())
            effects, running = bench.machine.failed(failed), None
        for effect in effects:
            if isinstance(effect, StartRecording):
                assert running is None
                running = effect.recording
                started.append(int(running[-6:]))
    assert started == list(range(1, len(started) + 1))


def test_acts_belong_to_a_recording_that_is_not_being_closed() -> None:
    bench = Bench()
    at = bench.clock.read()
    mute = OfficerActed(Act.MUTE, "secrecy", at)
    assert bench.machine.acted(mute) == []
    bench.press()
    expected = [MarkRecording(recording_id(DEVICE, 1), Act.MUTE, "secrecy", at)]
    assert bench.machine.acted(mute) == expected
    bench.fragment()
    assert bench.machine.acted(mute) == expected
    bench.press()
    assert bench.machine.acted(mute) == []


def test_photo_is_taken_at_any_time_and_its_hash_goes_to_the_centre() -> None:
    bench = Bench()
    at = bench.clock.read()
    assert bench.machine.acted(OfficerActed(Act.PHOTO, "", at)) == [TakePhoto(DEVICE, "星河区综合行政执法局", at)]
    (stored,) = photo_taken(PhotoTaken(HEAD, 9, None, at))
    assert isinstance(stored, StoreEvent)
    assert stored.draft.data == {"photo": HEAD, "size": 9, "recording": ""}
    bench.machine.shut_down(at)
    assert bench.machine.acted(OfficerActed(Act.PHOTO, "", at)) == []
