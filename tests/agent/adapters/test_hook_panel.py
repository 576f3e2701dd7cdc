"""A recorder without an MCU: presses on pins are what they are on the line, and lamps show what is ordered."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.hook_panel import PanelCourier, gpio_panel, sounder
from agent.config import HooksConfig
from agent.control.acts import Act
from agent.control.effects import Indicate
from agent.control.lights import SILENT
from agent.control.messages import ButtonPressed, OfficerActed
from agent.control.signs import MODES, NOTICES, TROUBLES, Fault, Mode, Notice
from firmware_hooks.gpio_panel import GpioPanel, Pins, simulated_board
from tests.agent.adapters.recording_bench import eventually
from tests.support.clocks import SteppedClock

RED, GREEN, BUZZER, VIBRATION = 5, 6, 13, 19


@dataclass
class Board:
    """A panel on pins without a board."""

    clock: SteppedClock = field(default_factory=SteppedClock)
    pins: Any = field(default_factory=simulated_board)
    told: list[Any] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    deaths: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        board = GpioPanel(Pins(17, 27, RED, GREEN, BUZZER, VIBRATION), self.pins)
        died, lost = (lambda *why: self.deaths.append(why)), self.losses.append
        self.courier = PanelCourier(board, None, self.clock, self.told.append, died, lost, "secrecy")
        self.courier.start()

    def lit(self, *numbers: int) -> bool:
        return [self.pins.pin(it).state for it in (RED, GREEN)] == [it in numbers for it in (RED, GREEN)]

    def press(self, seconds: float) -> None:
        self.pins.pin(17).drive_low()
        self.clock.step(seconds)
        self.pins.pin(17).drive_high()
        self.clock.step(0.1)


@pytest.fixture
def board() -> Iterator[Board]:
    made = Board()
    yield made
    made.courier.close(5)
    assert made.deaths == []


def test_short_long_and_double_press_and_the_slide_do_what_they_do_on_the_mcu(board: Board) -> None:
    board.press(0.1)
    board.clock.step(1)
    board.press(1.5)
    board.press(0.1)
    board.press(0.1)
    board.pins.pin(27).drive_low()
    board.pins.pin(27).drive_high()
    eventually(lambda: len(board.told) == 5, "every press")
    assert isinstance(board.told[0], ButtonPressed)
    acts = [(it.act, it.cause) for it in board.told[1:] if isinstance(it, OfficerActed)]
    assert acts == [(Act.STEP, ""), (Act.PHOTO, ""), (Act.MUTE, "secrecy"), (Act.UNMUTE, "")]


def test_lamps_show_what_is_ordered_and_go_dark_at_the_end(board: Board) -> None:
    board.courier.show(Indicate(MODES[Mode.RECORDING][0], NOTICES[Notice.RECORDING_BEGAN]))
    eventually(lambda: board.lit(RED), "red")
    eventually(lambda: board.pins.pin(BUZZER).state and board.pins.pin(VIBRATION).state, "the notice")
    board.courier.show(Indicate(MODES[Mode.SOUND_ONLY][0], SILENT))
    eventually(lambda: board.lit(RED, GREEN), "yellow")
    board.courier.show(Indicate(MODES[Mode.OFF][0], SILENT))
    eventually(lambda: board.lit(), "dark")
    board.courier.close(5)
    assert not board.pins.pin(BUZZER).state


def test_board_that_is_not_there_is_told_once_and_a_missing_loudspeaker_too() -> None:
    losses: list[str] = []
    taken = simulated_board()
    first, second = GpioPanel(Pins(red=RED), taken), GpioPanel(Pins(red=RED), taken)
    first.open(lambda _: None, lambda _: None)
    speaker = sounder("default", Path("nowhere"))
    assert speaker is not None
    speaker._command[0] = "no-such-aplay"
    courier = PanelCourier(second, speaker, SteppedClock(), lambda _: None, lambda *_: None, losses.append)
    courier.start()
    for _ in range(3):
        courier.show(Indicate(*TROUBLES[Fault.CAMERA_LOST]))
    eventually(lambda: len(losses) == 2, "both losses")
    courier.close(5)
    first.close()
    assert "GPIO" in losses[0]
    assert "no-such-aplay" in losses[1]


def test_parts_that_the_configuration_leaves_out_are_not_driven() -> None:
    panel = gpio_panel(HooksConfig(gpio=True, gpio_buzzer=-1))
    assert panel._pins == Pins(17, 27, 5, 6, None, 19)
    assert sounder("", Path("voices")) is None
