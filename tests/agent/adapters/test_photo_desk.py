"""Photos of the recorder: with a recording and without, bound to its journal, and never in its way."""

import hashlib
import json
from dataclasses import replace
from itertools import chain

from agent.adapters.fake_source import FakeSource
from agent.adapters.orders import PhotoAsked
from agent.adapters.recorder import PreEventSettings, RecorderSettings
from agent.adapters.sources import CaptureSettings, make_source
from agent.control.messages import PhotoTaken, WorkFailed
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason
from agent.evidence.photo import open_photo
from agent.evidence.position import Position
from tests.agent.adapters.recording_bench import CLOCK, FIRST, RecordingBench, eventually, footage
from tests.agent.adapters.test_officer_acts import Acts
from tests.agent.adapters.test_pre_event import Gate
from tests.agent.evidence.bench import DEVICE, UNIT

LOST = EnvironmentFault("摄像头已拔出。")


def wish() -> PhotoAsked:
    return PhotoAsked(DEVICE, UNIT, CLOCK.read())


def taken(bench: RecordingBench) -> list[PhotoTaken]:
    return [event for event in bench.events if isinstance(event, PhotoTaken)]


def only_photo(bench: RecordingBench) -> bytes:
    (place,) = (*bench.spool.photos.glob("*.jpg"), *bench.spool.folder(FIRST).glob("photo-*.jpg"))
    return place.read_bytes()


def test_photo_in_a_recording_is_named_in_its_journal_and_names_it(tmp_path):
    acts = Acts(tmp_path, 2)
    assert acts.gates[0].reached.wait(60)
    acts.bench.recorder.act(wish())
    acts.bench.recorder.act(wish())  # before the next keyframe: the same photo
    acts.gates[0].opened.set()
    acts.end()
    (event,) = taken(acts.bench)
    data = only_photo(acts.bench)
    assert event.digest == hashlib.sha256(data).hexdigest()
    assert (event.size, event.recording) == (len(data), FIRST)
    assert acts.events() == [("photo", None, event.digest)]
    place = open_photo(data).statement.place
    (segment,) = acts.bench.segments()
    heads = {record.entry.sequence: record.head for record in segment.fragments}
    assert place.recording == FIRST
    assert place.head == heads[place.sequence - 1]
    noted = [record.entry.sequence for record in segment.fragments if record.entry.moment.events]
    assert noted == [place.sequence]
    assert acts.bench.verdict() == "complete"
    lines = (acts.bench.spool.folder(FIRST) / "journal.jsonl").read_text().splitlines()
    assert event.digest in {noted["note"] for line in lines for noted in json.loads(line)["events"]}
    (name,) = (place.name for place in acts.bench.spool.folder(FIRST).glob("photo-*.jpg"))
    assert f"{event.digest}  {name}" in (acts.bench.spool.folder(FIRST) / "SHA256SUMS").read_text().splitlines()


def test_photo_without_a_recording_opens_the_camera_for_it_alone(tmp_path):
    source = make_source(CaptureSettings(camera="test", width=640, height=360), CLOCK)
    bench = RecordingBench(tmp_path / "recordings", iter([source]))
    bench.recorder.act(wish())
    eventually(lambda: bool(taken(bench)), "a photo")
    eventually(lambda: source._closed.is_set(), "the camera off again")
    assert bench.recorder.close(60)
    statement = open_photo(only_photo(bench)).statement
    assert statement.place is None
    assert statement.synthetic
    assert bench.spool.recordings() == ()


def test_photo_says_where_it_was_taken_by_the_position_of_that_moment(tmp_path):
    here, elsewhere = Position(399_000_000, 1_164_000_000, 1, 9, 80), Position(0, 0, 1, 9, 80)
    tracks, packets = footage(2)
    bench = RecordingBench(tmp_path / "recordings", iter([FakeSource(tracks, packets)]))
    taken_at = packets[0].captured
    bench.positions.tell(here, taken_at)
    bench.positions.tell(elsewhere, replace(taken_at, monotonic_ns=taken_at.monotonic_ns + 5 * 10**9))
    bench.recorder.act(wish())
    eventually(lambda: bool(taken(bench)), "a photo")
    assert bench.recorder.close(5)
    found = open_photo(only_photo(bench)).statement.position
    assert found is not None
    assert replace(found, age_ms=0) == here


def test_photo_while_a_pre_event_ring_runs_takes_its_next_keyframe(tmp_path):
    tracks, packets = footage(4)
    gate = Gate(*packets[:60])
    made = RecorderSettings(retry_s=0.2, margin_bytes=0, stall_s=60, pre_event=PreEventSettings(5))
    bench = RecordingBench(tmp_path / "recordings", iter([FakeSource(tracks, chain(gate, packets[60:]))]), made)
    bench.recorder.open()
    assert gate.reached.wait(60)
    bench.recorder.act(wish())
    gate.opened.set()
    eventually(lambda: bool(taken(bench)), "a photo")
    assert bench.recorder.close(60)


def test_camera_that_cannot_be_opened_costs_only_the_photo(tmp_path):
    tracks, packets = footage(2)
    gone = FakeSource(tracks, [], opening_fault=LOST)
    bench = RecordingBench(tmp_path / "recordings", iter([gone, FakeSource(tracks, packets)]))
    bench.recorder.act(wish())
    eventually(lambda: bool(bench.events), "the failure told")
    assert [str(LOST) in event.detail for event in bench.events if isinstance(event, WorkFailed)] == [True]
    bench.start()
    bench.wait_for_fragments(2)
    assert bench.recorder.close(60)
    assert bench.verdict() == "explained-gap"  # 设备关机


def test_picture_that_cannot_be_decoded_costs_the_photo_and_not_the_recording(tmp_path):
    acts = Acts(tmp_path, 2)
    spoilt = [
        replace(packet, data=b"\0\0\0\1\x65junk") if packet.stream == 0 and packet.keyframe else packet
        for packet in acts.gates[1]._before
    ]
    acts.gates[1]._before = spoilt
    assert acts.gates[0].reached.wait(60)
    acts.bench.recorder.act(wish())
    acts.gates[0].opened.set()
    sealed = acts.end()
    assert sealed.reason == Reason.STOPPED
    assert taken(acts.bench) == []
    assert ["照片未拍成" in event.detail for event in acts.bench.events if isinstance(event, WorkFailed)] == [True]
    assert acts.bench.verdict() == "complete"


def test_photo_of_a_sound_only_recorder_is_refused_in_a_line(tmp_path):
    source = make_source(CaptureSettings(camera="none", audio="test"), CLOCK)
    bench = RecordingBench(tmp_path / "recordings", iter([source]))
    bench.start()
    bench.wait_for_fragments(1)
    bench.recorder.act(wish())
    eventually(lambda: any(isinstance(event, WorkFailed) for event in bench.events), "the refusal")
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    assert bench.verdict() == "complete"
