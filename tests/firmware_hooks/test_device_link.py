"""The serial line: a device that is not there or goes away is `LineLost`, never anything else."""

import pytest

from firmware_hooks import device_link
from firmware_hooks.device_link import BAUD, GARBAGE_PAUSE_S, READ_BYTES, DeviceLink, LineLost, SerialLink
from firmware_hooks.frames import Battery, Button, FrameReader, Press
from firmware_hooks.simulated_mcu import SimulatedMcu


def read_until(link: DeviceLink, count: int) -> list:
    frames = []
    for _ in range(100):
        frames += link.read()
        if len(frames) >= count:
            break
    return frames


def test_presses_arrive_in_order():
    with SimulatedMcu() as mcu, DeviceLink(mcu.device, 0.05) as link:
        mcu.press()
        mcu.press(Press.LONG)
        mcu.send_bytes(b"\xff" * 1000)
        mcu.send(Battery(81, 3900))
        assert read_until(link, 3) == [Button(Press.SHORT, 1), Button(Press.LONG, 2), Battery(81, 3900)]


def test_device_that_takes_nothing_is_no_lost_line(monkeypatch):
    monkeypatch.setattr(device_link, "WRITE_TIMEOUT_S", 0.01)
    with SimulatedMcu() as mcu, DeviceLink(mcu.device, 0.05) as link:
        assert any(not link.write(b"\0" * 4096) for _ in range(1000))
        mcu.press()
        assert read_until(link, 1) == [Button(Press.SHORT, 1)]


def test_silence_is_no_frame():
    with SimulatedMcu() as mcu, DeviceLink(mcu.device, 0.01) as link:
        assert link.read() == []


def test_missing_device_is_a_lost_line():
    with pytest.raises(LineLost, match="/dev/nowhere"):
        DeviceLink("/dev/nowhere").open()


def test_unplugged_device_is_a_lost_line():
    with SimulatedMcu() as mcu, DeviceLink(mcu.device, 0.01) as link:
        mcu.unplug()
        with pytest.raises(LineLost):
            read_until(link, 1)
        with pytest.raises(LineLost, match="not open"):
            link.read()


def test_a_line_that_floods_us_with_noise_gets_no_whole_processor_and_hides_no_press():
    pauses = []
    with SimulatedMcu() as mcu, SerialLink(mcu.device, FrameReader, BAUD, 0.2, pauses.append) as link:
        mcu.send_bytes(b"\xff" * READ_BYTES * 3)
        mcu.press()
        assert read_until(link, 1) == [Button(Press.SHORT, 1)]
        assert pauses
        assert set(pauses) == {GARBAGE_PAUSE_S}
        pauses.clear()
        mcu.press()
        assert read_until(link, 1) == [Button(Press.SHORT, 2)]
        assert pauses == []
    assert READ_BYTES / GARBAGE_PAUSE_S > BAUD / 10, "a line at its own speed never waits for us"
