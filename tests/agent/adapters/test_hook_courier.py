"""The record button: every short press once, a lost line comes back, and the courier never dies in silence."""

from typing import Self

import pytest

from agent.adapters.hook_courier import ACTIONS, NAME, PRESSES, HookCourier
from agent.control.acts import Act
from agent.control.effects import Indicate
from agent.control.health import HealthRead
from agent.control.lights import Colour as LightColour
from agent.control.lights import Light
from agent.control.lights import Pattern as LightPattern
from agent.control.lights import Pulse as CuePulse
from agent.control.messages import ButtonPressed
from agent.control.signs import NOTICES, Notice
from firmware_hooks.frames import (
    Action,
    Battery,
    Button,
    Colour,
    Dock,
    Pattern,
    Press,
    Pulse,
    Show,
    Tamper,
)
from firmware_hooks.simulated_mcu import SimulatedMcu, obey
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
        mcu.press()
        eventually(lambda: len(inbox.presses) == 2, "the second press")
        assert all(isinstance(press, ButtonPressed) for press in inbox.presses)
    assert inbox.deaths == []


def test_battery_casing_and_dock_are_told():
    with SimulatedMcu() as mcu, Inbox(mcu.device) as inbox:
        for frame in (Battery(50, 3700), Tamper(True), Tamper(False), Dock(True)):
            mcu.send(frame)
        eventually(lambda: len(inbox.presses) == 4, "everything")
    battery, opened, closed, dock = inbox.presses
    assert battery == HealthRead(battery.at, battery_percent=50)
    assert (opened.opened, closed.opened, dock.docked) == (True, False, True)


def test_what_is_to_be_shown_reaches_the_mcu_and_again_after_it_was_unplugged(tmp_path):
    device, red = tmp_path / "mcu", Indicate(Light(LightColour.RED), NOTICES[Notice.RECORDING_BEGAN])
    with SimulatedMcu() as first:
        device.symlink_to(first.device)
        with Inbox(str(device)) as inbox:
            inbox.courier.show(red)
            assert first.shown(5) == [Show(Colour.RED, Pattern.STEADY, Pulse.LONG, Pulse.LONG)]
            device.unlink()
            first.unplug()
            with SimulatedMcu() as second:
                device.symlink_to(second.device)
                assert second.shown(5) == [Show(Colour.RED, Pattern.STEADY, Pulse.NONE, Pulse.NONE)]
    assert inbox.deaths == []


def test_both_sides_use_the_same_names_for_lights_and_pulses():
    for ours, theirs in ((LightColour, Colour), (LightPattern, Pattern), (CuePulse, Pulse)):
        assert [it.name for it in ours] == [it.name for it in theirs]


def test_every_other_press_is_the_act_of_an_officer_with_his_cause():
    wanted = [
        (Act.STEP, ""),
        (Act.PHOTO, ""),
        (Act.MUTE, "secrecy"),
        (Act.UNMUTE, ""),
        (Act.PAUSE, "other"),
        (Act.RESUME, ""),
        (Act.EXPLAIN, "equipment-failure"),
        (Act.EXPLAINED, ""),
        (Act.PHOTO, ""),
        (Act.MARK, ""),
    ]
    lines = ["press long", "press double", "mute 7", "unmute", "pause 9", "resume", "explain 1", "explained"]
    lines += ["photo", "mark"]
    with SimulatedMcu() as mcu, Inbox(mcu.device) as inbox:
        for line in lines:
            obey(mcu, line.split())
        eventually(lambda: len(inbox.presses) == len(wanted), "every act")
        assert [(it.act, it.cause) for it in inbox.presses] == wanted
    assert set(ACTIONS) == set(Action)
    assert {Press.SHORT, *PRESSES} == set(Press)


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


def test_a_board_that_is_not_there_is_told_once(tmp_path):
    device, losses = tmp_path / "mcu", []
    courier = HookCourier(str(device), CLOCK, lambda _: None, lambda *_: None, losses.append, reopen_s=0.001)
    courier.start()
    eventually(lambda: losses, "the loss told")
    with SimulatedMcu() as mcu:  # the courier tries again and again while this board starts
        device.symlink_to(mcu.device)
        eventually(lambda: courier.connected, "an open line")
        courier.close(5)
    assert len(losses) == 1


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


def test_a_number_of_the_departments_list_is_passed_on_as_that():
    with SimulatedMcu() as mcu, Inbox(mcu.device) as inbox:
        mcu.ask(Action.PAUSE, 20)
        mcu.ask(Action.MUTE, 7)
        eventually(lambda: len(inbox.presses) == 2, "both acts")
        told = [(it.act, it.cause, it.listed) for it in inbox.presses]
        assert told == [(Act.PAUSE, "", 5), (Act.MUTE, "secrecy", 0)]
