"""The record button: every short press once, a lost line comes back, and the courier never dies in silence."""

from typing import Self

import pytest

from agent.adapters.hook_courier import NAME, HookCourier
from agent.control.messages import ButtonPressed
from firmware_hooks.frames import Battery, Button, Press
from firmware_hooks.simulated_mcu import SimulatedMcu
from tests.agent.adapters.recording_bench import CLOCK, eventually


class Inbox:
    """What the courier delivered, and what it said of itself."""

    def __init__(self, device: str) -> None:
        self.presses, self.deaths, self.losses = [], [], []
        self.courier = HookCourier(device, CLOCK, self.presses.append, self.died, self.losses.append, reopen_s=0.02)

    def died(self, name, error) -> None:
        self.deaths.append((name, error))

    def __enter__(self) -> Self:
        self.courier.start()
        self.wait_for_line()
        return self

    def wait_for_line(self) -> None:
        eventually(lambda: self.courier.connected, "an open line")

    def __exit__(self, *_) -> None:
        self.courier.close(5)


def test_every_short_press_is_delivered_once():
    with SimulatedMcu() as mcu, Inbox(mcu.device) as inbox:
        mcu.press()
        eventually(lambda: len(inbox.presses) == 1, "the first press")
        mcu.send(Button(Press.SHORT, 1))  # the same frame again
        mcu.send(Battery(50, 3700))
        mcu.press(Press.LONG)
        mcu.press()
        eventually(lambda: len(inbox.presses) == 2, "the second press")
        assert all(isinstance(press, ButtonPressed) for press in inbox.presses)
    assert inbox.deaths == []


def test_unplugged_line_is_opened_again(tmp_path):
    device = tmp_path / "mcu"
    with SimulatedMcu() as first:
        device.symlink_to(first.device)
        with Inbox(str(device)) as inbox:
            first.press()
            eventually(lambda: len(inbox.presses) == 1, "a press")
            device.unlink()
            first.unplug()
            eventually(lambda: len(inbox.losses) >= 2, "the loss told")
            with SimulatedMcu() as second:
                device.symlink_to(second.device)
                inbox.wait_for_line()
                second.press()
                eventually(lambda: len(inbox.presses) == 2, "a press after plugging in")
    assert inbox.deaths == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_death_of_the_courier_is_told():
    def refuse(_: ButtonPressed) -> None:
        raise ValueError("the inbox is gone")

    deaths = []
    with SimulatedMcu() as mcu:
        courier = HookCourier(mcu.device, CLOCK, refuse, lambda name, error: deaths.append((name, error)))
        courier.start()
        eventually(lambda: courier.connected, "an open line")
        mcu.press()
        eventually(lambda: bool(deaths), "the death")
        courier.close(5)
    assert [(name, str(error)) for name, error in deaths] == [(NAME, "the inbox is gone")]
