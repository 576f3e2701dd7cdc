"""Lamps, buzzer, vibration, button and mute slide on GPIO pins, where no MCU does it. The only import of gpiozero.

Pins are BCM numbers, None for what the board does not have. Button and slide pull to ground; everything else is driven
high. `simulated_board` is gpiozero's own mock of the pins, for tests and rehearsals.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BOUNCE_S = 0.01  # ours: contacts chatter for some milliseconds
Edge = Callable[[bool], None]


class BoardLost(OSError):
    """There are no such pins, or somebody else uses them; `str()` is in the library's own words."""


@dataclass(frozen=True)
class Pins:
    """Which part is on which pin."""

    button: int | None = None
    mute: int | None = None
    red: int | None = None
    green: int | None = None
    buzzer: int | None = None
    vibration: int | None = None


class GpioPanel:
    """Opens nothing before `open`. `factory` is gpiozero's pin factory, None for the board's own."""

    def __init__(self, pins: Pins, factory: Any = None) -> None:
        self._pins, self._factory = pins, factory
        self._inputs: list[Any] = []
        self._outputs: dict[str, Any] = {}

    def open(self, button: Edge, mute: Edge) -> None:
        """Take the pins; `button` and `mute` are called in the library's thread with True for down and False for up,
        `mute` at once if the slide stands on mute. Raises `BoardLost`."""
        try:
            from gpiozero import Button, OutputDevice
            from gpiozero.exc import GPIOZeroError
        except ImportError as error:
            raise BoardLost(f"gpiozero: {error}") from error
        try:
            for pin, tell in ((self._pins.button, button), (self._pins.mute, mute)):
                if pin is not None:
                    made = Button(pin, pull_up=True, bounce_time=BOUNCE_S, pin_factory=self._factory)
                    self._inputs.append(made)
                    made.when_pressed, made.when_released = _told(tell, down=True), _told(tell, down=False)
            for name in ("red", "green", "buzzer", "vibration"):
                pin = getattr(self._pins, name)
                if pin is not None:
                    self._outputs[name] = OutputDevice(pin, pin_factory=self._factory)
        except (GPIOZeroError, OSError, ValueError, RuntimeError) as error:
            self.close()
            raise BoardLost(f"GPIO: {error}") from error
        if self._pins.mute is not None and self._inputs[-1].is_pressed:
            mute(True)

    def set(self, name: str, *, on: bool) -> None:
        """Drive one of red, green, buzzer, vibration; nothing happens where the board does not have it."""
        device = self._outputs.get(name)
        if device is not None:
            device.value = on

    def close(self) -> None:
        """Everything off, and the pins free."""
        for device in self._outputs.values():
            device.off()
        for device in [*self._inputs, *self._outputs.values()]:
            device.close()
        self._inputs, self._outputs = [], {}


def simulated_board(held: int | None = None) -> Any:
    """A pin factory without a board: `simulated_board().pin(17).drive_low()` presses a button there. The pin `held` is
    pulled to ground from the start, as by a slide."""
    from gpiozero.pins.mock import MockFactory, MockPin

    class Pin(MockPin):  # type: ignore[misc]  # gpiozero has no types
        def _set_pull(self, value: str) -> None:
            super()._set_pull(value)
            if self.info.name == f"GPIO{held}":
                self._change_state(False)

    return MockFactory(pin_class=Pin)


def _told(tell: Edge, *, down: bool) -> Callable[[], None]:
    return lambda: tell(down)
