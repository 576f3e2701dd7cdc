"""A sensor's pictures on our time line, without any sensor: what its clock, its losses and its silence do."""

from datetime import timedelta
from fractions import Fraction

import pytest

from agent.adapters.packets import MediaFault
from agent.adapters.pyav_source import Encoding
from agent.adapters.sensor_flow import OLDEST_NS, SILENT_S, SensorFlow
from agent.adapters.watermark import Caption, Watermark
from tests.agent.adapters.recording_bench import moment
from tests.agent.evidence.bench import START

STRIDE, ROWS = 320, 180
FPS = 10


class SteppedClock:
    def __init__(self) -> None:
        self.at = Fraction(0)

    def read(self):
        return moment(self.at)


class Sensor:
    """A picture every tenth of a second, seen 20 ms after it was taken and encoded 10 ms later."""

    def __init__(self) -> None:
        self.clock, self.packets, self.keys = SteppedClock(), [], []
        watermark = Watermark(Caption("REC-0001"))
        watermark.fit(ROWS)
        self.flow = SensorFlow(self.packets.append, self.clock, Encoding(FPS), watermark)
        self.luma = bytearray(STRIDE * ROWS)

    def picture(self, number: int, *, off_ns: int = 0) -> None:
        taken = moment(Fraction(number, FPS)).monotonic_ns
        self.clock.at = Fraction(number, FPS) + Fraction(2, 100)
        self.keys.append(self.flow.taken(taken + off_ns, memoryview(self.luma), STRIDE))
        self.clock.at += Fraction(1, 100)
        self.flow.encoded(b"picture", (taken + off_ns) // 1000, keyframe=self.keys[-1])


@pytest.fixture
def sensor() -> Sensor:
    return Sensor()


def test_picture_is_dated_by_the_sensor_and_not_by_when_it_came(sensor: Sensor):
    for number in range(1, 4):
        sensor.picture(number)
    moments = [packet.captured.monotonic_ns for packet in sensor.packets]
    assert moments == [moment(Fraction(number, FPS)).monotonic_ns for number in range(1, 4)]
    assert {START.wall - packet.captured.wall for packet in sensor.packets} == {timedelta(milliseconds=20)}
    assert [packet.pts for packet in sensor.packets] == [9_000, 18_000, 27_000]


@pytest.mark.parametrize("off_ns", [OLDEST_NS * 60, -OLDEST_NS * 60])
def test_sensor_of_another_clock_is_dated_when_it_came(sensor: Sensor, off_ns: int):
    for number in range(1, 3):
        sensor.picture(number, off_ns=off_ns)
    assert [packet.captured for packet in sensor.packets] == [moment(Fraction(12, 100)), moment(Fraction(22, 100))]
    assert sensor.packets[1].pts - sensor.packets[0].pts == 9_000


def test_lost_pictures_leave_a_hole_in_time_and_the_next_keyframe_is_not_late(sensor: Sensor):
    for number in [*range(8), *range(12, 30)]:
        sensor.picture(number)
    assert sensor.packets[8].pts - sensor.packets[7].pts == 5 * 9_000
    keys = [packet.pts / 90_000 for packet in sensor.packets if packet.keyframe]
    assert keys == pytest.approx([0, 1.2, 2.2])


def test_pictures_that_the_sensor_did_not_take_are_told_with_when_the_last_one_was(sensor: Sensor):
    for number in [*range(8), *range(12, 15), *range(16, 18)]:
        sensor.picture(number)
    told = [(at, packet.lost_since) for at, packet in enumerate(sensor.packets) if packet.lost_since is not None]
    assert told == [(8, sensor.packets[7].captured)]  # one picture late, as in the dark, is no loss


def test_pictures_that_the_encoder_swallowed_are_told(sensor: Sensor):
    """But not those it was given before it began."""
    encoded = sensor.flow.encoded
    for number in range(12):
        sensor.flow.encoded = (lambda *_, **__: None) if number in (0, 1, 6) else encoded
        sensor.picture(number)
    told = [(at, packet.lost_since) for at, packet in enumerate(sensor.packets) if packet.lost_since is not None]
    assert told == [(4, sensor.packets[3].captured)]


def test_every_picture_is_marked_before_it_is_encoded(sensor: Sensor):
    sensor.picture(0)
    assert max(sensor.luma) > 200


def test_silence_of_the_sensor_is_a_fault(sensor: Sensor):
    sensor.picture(0)
    sensor.flow.check()
    sensor.clock.at += Fraction(SILENT_S)
    with pytest.raises(MediaFault, match="没有画面"):
        sensor.flow.check()


def test_encoder_that_answers_for_an_unknown_picture_is_dated_now(sensor: Sensor):
    sensor.flow.encoded(b"picture", 77, keyframe=True)
    assert sensor.packets[0].captured == sensor.clock.read()
