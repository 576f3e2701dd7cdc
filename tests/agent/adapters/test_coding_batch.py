"""Pictures that wait to be coded together: none is lost, late or recorded at the wrong time because of it."""

import gc
import threading
from dataclasses import replace
from fractions import Fraction
from itertools import chain

import pytest

from agent.adapters import coding_batch
from agent.adapters.coding_batch import CodingBatch, Shot
from agent.adapters.fake_source import FakeSource
from agent.adapters.libav import H264Encoder, MediaInput, Picture, media_errors
from agent.adapters.orders import ActAsked
from agent.adapters.packets import MediaFault, Packet, seconds
from agent.adapters.recorder import RecorderSettings
from agent.adapters.sources import CaptureSettings, make_source
from agent.control.acts import Act
from agent.control.messages import GapOpened
from agent.evidence.journal import Reason
from tests.agent.adapters.recording_bench import (
    CLOCK,
    FIRST,
    RecordingBench,
    decoded_frames,
    eventually,
    footage,
    moment,
)
from tests.agent.adapters.test_pre_event import Gate


class Encoder:
    """Codes a shot to a packet with its number; `fault` breaks it, `hanging` makes it wait, `slow_s` for so long."""

    def __init__(self) -> None:
        self.fault: MediaFault | None = None
        self.hanging, self.let_go = threading.Event(), threading.Event()
        self.let_go.set()
        self.slow_s, self.hurried = 0.0, 0
        self.works_for: int | None = None

    def code(self, shot: Shot) -> list[Packet]:
        self.hanging.set()
        self.let_go.wait()
        threading.Event().wait(self.slow_s)
        if self.works_for is not None:
            self.works_for -= 1
        if self.fault is not None or self.works_for == -1:
            raise self.fault or MediaFault("编码器已停止。")
        return [Packet(0, int(shot.at * 1000), int(shot.at * 1000), 1, True, b"", shot.captured)]

    def hurry(self) -> None:
        self.hurried += 1


class Line:
    """A batch over an encoder, and how many packets each shot set free."""

    def __init__(self, fps: int = 30, fragment_ms: int = 500) -> None:
        self.encoder, self.out = Encoder(), []
        self.batch = CodingBatch(self.encoder.code, self.encoder.hurry, fps, fragment_ms)
        self.batch.deliver = self.out.append
        self._fps = fps

    def shoot(self, number: int) -> int:
        before, at = len(self.out), Fraction(number, self._fps)
        self.batch.take(Shot(None, at, moment(at)))
        return len(self.out) - before


def test_a_picture_that_begins_a_fragment_frees_those_before_so_that_a_kill_costs_no_more():
    """And few of them are left to be coded by then."""
    line = Line()
    assert [line.shoot(number) for number in range(31)] == [1, *[*[0] * 7, 8, *[0] * 4, 5, 0, 2] * 2]
    line = Line()
    for number in range(13):
        line.shoot(number)
    assert line.shoot(16) == 5  # four waited; it is the first after half a second
    assert [packet.pts for packet in line.out] == sorted(packet.pts for packet in line.out)


def test_a_picture_of_a_slow_camera_waits_for_one_more_at_most():
    line = Line(5)
    assert [line.shoot(number) for number in range(7)] == [1, 1, 0, 2, 1, 0, 2]
    line = Line(2)
    assert [line.shoot(number) for number in range(4)] == [1] * 4


def test_a_webcam_that_slows_down_in_the_dark_holds_its_pictures_back_no_longer():
    """Bites when only the number of pictures ends the waiting: eight of a camera at two a second take longer than a
    camera may stand still, and sound would not wait for them."""
    line = Line(30, fragment_ms=5000)
    line.shoot(0)
    assert [line.shoot(number) for number in range(15, 90, 15)] == [0, 2, 0, 2, 0]


def test_pictures_of_4k_are_held_back_two_at_a_time():
    line = Line()
    line.batch.fit(3840 * 2160 * 3 // 2)
    assert [line.shoot(number) for number in range(6)] == [1, 0, 2, 0, 2, 0]


def test_pictures_lost_at_an_encoder_that_fails_once_are_told_by_the_cameras_thread_not_by_who_asked(caplog):
    """Bites when nobody tells of a fault that is over with the next picture: a hole in the film would have no word."""
    line = Line()
    line.shoot(0)
    line.shoot(1)
    line.encoder.fault = MediaFault("编码器已停止。")
    line.batch.flush()
    assert "编码器已停止" in caplog.text
    line.encoder.fault = None
    with pytest.raises(MediaFault, match="编码器已停止"):
        line.shoot(2)


def test_pictures_that_were_coded_before_the_encoder_failed_are_kept():
    line = Line()
    for number in range(5):
        line.shoot(number)
    line.encoder.works_for = 3
    line.batch.flush()
    assert [packet.pts for packet in line.out] == [0, 33, 66, 100]


def test_an_encoder_that_is_asked_in_vain_is_not_called_slow():
    line = Line()
    for _ in range(coding_batch.SLOW_BATCHES):
        line.batch.flush()
    assert line.encoder.hurried == 0


@pytest.mark.parametrize("fails", [False, True])
def test_pictures_in_the_memory_of_a_camera_are_let_go_of_before_it_is_closed(monkeypatch, fails):
    """V4L2 hands out its own buffers: who still had one when the device was gone would write into freed memory."""
    alive = []

    def pictures_alive(media: MediaInput) -> None:
        gc.collect()
        alive.append(sum(1 for it in gc.get_objects() if isinstance(it, Picture) and it.width == 322))
        close(media)

    close = MediaInput.close
    monkeypatch.setattr(MediaInput, "close", pictures_alive)
    scene = make_source(CaptureSettings(camera="test", width=322, height=192, audio="none"), CLOCK)
    scene.open()
    out, faults = [], []

    def film() -> None:
        try:
            scene.run(out.append)
        except MediaFault as fault:
            faults.append(fault)

    camera = threading.Thread(target=film)
    camera.start()
    eventually(lambda: len(out) > 1, "a batch")
    if fails:
        monkeypatch.setattr(H264Encoder, "encode", refuse)
    else:
        scene.close()
    camera.join(60)
    scene.flush()
    assert (alive, len(faults)) == ([0], fails)


def test_an_encoder_goes_with_its_recording_not_when_the_garbage_collector_comes_by():
    """Tens of MB each, and its threads: short recordings in a row would fill a small recorder's memory."""
    scene = make_source(CaptureSettings(camera="test", width=322, height=192, audio="none"), CLOCK)
    scene.open()
    out = []
    gc.collect()
    gc.disable()
    try:
        camera = threading.Thread(target=scene.run, args=(out.append,))
        camera.start()
        eventually(lambda: len(out) > 1, "a batch")
        before = sum(isinstance(it, H264Encoder) for it in gc.get_objects())
        scene.close()
        camera.join(60)
        del scene
        assert sum(isinstance(it, H264Encoder) for it in gc.get_objects()) == before - 1
    finally:
        gc.enable()


def refuse(*_: object) -> list[Packet]:
    with media_errors("libx264"):
        raise ValueError("refused")


def test_an_encoder_that_cannot_scale_a_picture_is_a_media_fault():
    """Bites when only coding is guarded: who presses a button would end with the camera."""
    encoder = H264Encoder(0, (320, 192), 30, 400, Fraction(1))
    with pytest.raises(MediaFault):
        encoder.ready(Picture(320, 192, "xv30be"))


def test_an_encoder_that_hangs_holds_up_nobody_who_asks_for_its_pictures(monkeypatch):
    """Bites when whoever asks waits for the encoder: an officer's press would hang with it."""
    monkeypatch.setattr(coding_batch, "FLUSH_S", 0.05)
    line = Line()
    line.encoder.let_go.clear()
    camera = threading.Thread(target=line.shoot, args=(0,), daemon=True)
    camera.start()
    assert line.encoder.hanging.wait(60)
    asking = threading.Thread(target=line.batch.flush, daemon=True)
    asking.start()
    asking.join(60)
    assert not asking.is_alive()
    line.encoder.let_go.set()
    camera.join(60)
    assert len(line.out) == 1


def test_an_encoder_that_hardly_keeps_pace_is_hurried_and_one_that_stumbles_once_is_not():
    line = Line(100)  # pictures every 10 ms, in batches of eight
    for number in range(100):
        line.encoder.slow_s = 0.02 if number % 50 < 25 else 0.0
        line.shoot(number)
    assert line.encoder.hurried == 0
    line.encoder.slow_s = 0.02
    for number in range(100, 100 + 10 * coding_batch.SLOW_BATCHES):
        line.shoot(number)
    assert line.encoder.hurried == 1


def test_a_thread_more_takes_over_with_a_keyframe_and_the_same_parameter_sets(monkeypatch):
    monkeypatch.setattr("agent.adapters.libav.MAX_ENCODER_THREADS", 2)
    encoder, coded = H264Encoder(0, (320, 192), 30, 400, Fraction(10)), []
    for number in range(6):
        if number == 3:
            encoder.add_thread()
        coded += encoder.encode(Picture(320, 192, "yuv420p"), Fraction(number, 30), moment(Fraction(number, 30)))
    assert [packet.keyframe for packet in coded] == [True, False, False, True, False, False]
    heads = [packet.data[: packet.data.index(b"\x00\x00\x01\x65")] for packet in (coded[0], coded[3])]
    assert heads[0][:20] == heads[1][:20]
    encoder.add_thread()
    encoder.add_thread()
    assert not next(iter(encoder.encode(Picture(320, 192, "yuv420p"), Fraction(1, 5), moment(Fraction(0))))).keyframe


class Holding(FakeSource):
    """A camera that holds its packets until it is asked for them."""

    def run(self, deliver):
        self._deliver, self._held = deliver, []
        super().run(self._held.append)

    def flush(self):
        held, self._held[:] = [*self._held], []
        for packet in held:
            self._deliver(packet)


def holding(root, *parts, **settings) -> RecordingBench:
    tracks, _ = footage(1, sound=False)
    made = RecorderSettings(retry_s=settings.pop("retry_s", 60), margin_bytes=0, **settings)
    bench = RecordingBench(root / "recordings", iter([Holding(tracks, chain(*parts))]), made)
    bench.start()
    return bench


def test_pictures_seen_before_the_stop_are_in_the_recording(tmp_path):
    _, packets = footage(2, sound=False)
    gate = Gate(*packets)
    bench = holding(tmp_path, gate)
    assert gate.reached.wait(60)
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    gate.opened.set()
    assert bench.recorder.close(60)
    assert decoded_frames(bench.spool.segment(FIRST, 1))["video"] == 20


def test_pictures_seen_in_a_pause_are_not_recorded_after_it(tmp_path):
    """Bites when pictures that wait are coded after the press that ends the pause: they would be in the film."""
    _, packets = footage(6, sound=False)
    gates = [Gate(*packets[:20]), Gate(*packets[20:40]), Gate(*packets[40:])]
    bench = holding(tmp_path, *gates)
    for gate, act in zip(gates, (Act.PAUSE, Act.RESUME, None), strict=True):
        assert gate.reached.wait(60)
        if act is not None:
            bench.recorder.act(ActAsked(act, "secrecy" if act is Act.PAUSE else "", moment(Fraction(4))))
        else:
            bench.recorder.stop(Reason.STOPPED)
        gate.opened.set()
    bench.wait_for_end()
    assert bench.recorder.close(60)
    assert sum(decoded_frames(place)["video"] for place in bench.spool.segments(FIRST)) == 40


def test_a_picture_of_the_pause_that_an_encoder_gives_back_late_is_not_recorded(tmp_path):
    """Bites when the order of arrival decides: an encoder that hangs is not waited for, and answers late."""
    _, packets = footage(6, sound=False)
    gates = [Gate(*packets[:20]), Gate(*packets[20:40]), Gate(*packets[40:])]
    bench = holding(tmp_path, *gates)
    assert gates[0].reached.wait(60)
    bench.recorder.act(ActAsked(Act.PAUSE, "secrecy", moment(Fraction(2))))
    gates[0].opened.set()
    assert gates[1].reached.wait(60)
    bench.recorder._queue.signal(ActAsked(Act.RESUME, "", moment(Fraction(4))))  # without its pictures before it
    gates[1].opened.set()
    assert gates[2].reached.wait(60)
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    gates[2].opened.set()
    assert bench.recorder.close(60)
    assert sum(decoded_frames(place)["video"] for place in bench.spool.segments(FIRST)) == 40


class HoldingPictures(Holding):
    """One whose microphone goes on; `codes` is cleared while its encoder hangs."""

    codes = threading.Event()

    def run(self, deliver):
        self._deliver, self._held = deliver, []
        FakeSource.run(self, lambda packet: deliver(packet) if packet.stream else self._held.append(packet))

    def flush(self):
        self.codes.wait(60)
        super().flush()


def with_sound(root, parts, **settings) -> RecordingBench:
    tracks, _ = footage(1)
    made = RecorderSettings(margin_bytes=0, **settings)
    bench = RecordingBench(root / "recordings", iter([HoldingPictures(tracks, parts)]), made)
    HoldingPictures.codes.set()
    bench.start()
    return bench


def test_pictures_seen_before_a_camera_stood_still_are_not_lost_while_its_sound_goes_on(tmp_path):
    """Bites when only a line without any packet is asked for what it holds."""
    tracks, packets = footage(6)
    lone = (step for it in packets if it.stream and seconds(it, tracks) > 2 for step in (it, 0.02))
    bench = with_sound(tmp_path, chain([it for it in packets if seconds(it, tracks) < 2], lone), stall_s=1)
    eventually(lambda: Reason.ENCODER_STALLED in [getattr(it, "reason", None) for it in bench.events], "the stall")
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    assert decoded_frames(bench.spool.segment(FIRST, 1))["video"] == 20


def test_what_is_said_behind_the_mute_is_not_heard_while_pictures_are_still_being_coded(tmp_path):
    """Bites when the press waits for the pictures: the microphone, which waits for nobody, goes on meanwhile."""
    marked = b"SPOKEN-WHILE-MUTED"
    tracks, packets = footage(4)
    secret = [replace(it, data=marked) if it.stream else it for it in packets if seconds(it, tracks) >= 2]
    gates = [Gate(*(it for it in packets if seconds(it, tracks) < 2)), Gate(*secret)]
    bench = with_sound(tmp_path, chain(*gates), retry_s=60, stall_s=60)
    assert gates[0].reached.wait(60)
    HoldingPictures.codes.clear()
    press = threading.Thread(target=bench.recorder.act, args=(ActAsked(Act.MUTE, "", moment(Fraction(2))),))
    press.start()
    press.join(0.5)
    gates[0].opened.set()
    assert gates[1].reached.wait(60)
    HoldingPictures.codes.set()
    press.join(60)
    gates[1].opened.set()
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    assert marked not in bench.spool.segment(FIRST, 1).read_bytes()


def test_pictures_seen_before_a_camera_stood_still_are_not_lost_with_it(tmp_path):
    """Bites when nobody asks a camera that says nothing more: what it held would go with it."""
    _, packets = footage(2, sound=False)
    gate = Gate(*packets)
    bench = holding(tmp_path, gate, retry_s=0.2, stall_s=60)
    assert gate.reached.wait(60)
    bench.wait_for_fragments(3)
    gate.opened.set()
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    assert decoded_frames(bench.spool.segment(FIRST, 1))["video"] == 20


def test_the_test_scene_loses_no_picture_between_batches(tmp_path):
    scene = CaptureSettings(camera="test", width=320, height=192, audio="none")
    bench = RecordingBench(tmp_path / "recordings", iter([make_source(scene, CLOCK)]))
    bench.start()
    eventually(lambda: len(bench.stored()) >= 4, "two seconds")
    bench.recorder.stop(Reason.STOPPED)
    sealed = bench.wait_for_end()
    assert bench.recorder.close(60)
    frames = decoded_frames(bench.spool.segment(FIRST, 1))["video"]
    assert frames == round(sealed.duration_ms * 30 / 1000)
    assert not any(isinstance(event, GapOpened) for event in bench.events)
