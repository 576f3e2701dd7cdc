"""The thread "hook-courier": the MCU's serial line into the inbox, and what is to be shown back to the MCU."""

from collections.abc import Callable, Mapping

from agent.adapters.line_courier import OPEN_WAIT_S, REOPEN_S, Died, LineCourier, Lost
from agent.clock import Clock
from agent.control.acts import Act
from agent.control.effects import Indicate
from agent.control.health import HealthRead
from agent.control.messages import ButtonPressed, CasingChanged, DockChanged, HookEvent, OfficerActed
from agent.evidence.reasons import Cause
from firmware_hooks.device_link import DeviceLink
from firmware_hooks.frames import (
    LISTED_CAUSES,
    Action,
    Asked,
    Battery,
    Button,
    Colour,
    Dock,
    Frame,
    Pattern,
    Press,
    Pulse,
    Show,
    Tamper,
    encode,
)

NAME = "hook-courier"
PRESSES: Mapping[Press, Act] = {Press.LONG: Act.STEP, Press.DOUBLE: Act.PHOTO}
ACTIONS: Mapping[Action, Act] = {
    Action.MUTE: Act.MUTE,
    Action.UNMUTE: Act.UNMUTE,
    Action.PAUSE: Act.PAUSE,
    Action.RESUME: Act.RESUME,
    Action.EXPLAIN: Act.EXPLAIN,
    Action.EXPLAINED: Act.EXPLAINED,
    Action.PHOTO: Act.PHOTO,
    Action.MARK: Act.MARK,
}
CAUSES = ("", *(cause.value for cause in Cause))
"""By the number in the frame; `Cause` stands in the order of the rules, as the frame's numbers do."""


class HookCourier:
    """Delivers `ButtonPressed` for every short press, `OfficerActed` for everything else that is pressed, and what the
    MCU tells of battery, casing and dock. `show` is given to the MCU, the last one again after the line was lost. See
    `LineCourier` for `died` and `lost`."""

    def __init__(
        self,
        device: str,
        clock: Clock,
        deliver: Callable[[HookEvent], None],
        died: Died,
        lost: Lost = lambda _: None,
        reopen_s: float = REOPEN_S,
    ) -> None:
        self._clock, self._deliver = clock, deliver
        self._line: LineCourier[Frame] = LineCourier(
            NAME, DeviceLink(device), self._tell, died, lost, reopen_s, self._opened, OPEN_WAIT_S
        )
        self._last_counter: int | None = None
        self._shown: Show | None = None

    @property
    def connected(self) -> bool:
        """Whether the line is open; what was pressed before that is not known."""
        return self._line.connected

    def start(self) -> None:
        """Begin; the line need not be there yet."""
        self._line.start()

    def show(self, order: Indicate) -> None:
        """Light, buzzer and vibration of the MCU; returns at once."""
        self._shown = show_frame(order)
        self._line.send(encode(self._shown))

    def close(self, timeout: float) -> None:
        """End the thread."""
        self._line.close(timeout)

    def _opened(self) -> None:
        self._last_counter, shown = None, self._shown
        if shown is not None:
            self._line.send(encode(Show(shown.colour, shown.pattern, Pulse.NONE, Pulse.NONE)))

    def _tell(self, frame: Frame) -> None:
        now = self._clock.read()
        match frame:
            case Button(_, counter) | Asked(_, _, counter) if counter == self._last_counter:
                return  # a repeated press is told once
            case Button(press, counter):
                self._last_counter = counter
                self._deliver(ButtonPressed(now) if press is Press.SHORT else OfficerActed(PRESSES[press], "", now))
            case Asked(action, cause, counter):
                self._last_counter = counter
                listed = cause - LISTED_CAUSES.start + 1 if cause in LISTED_CAUSES else 0
                self._deliver(OfficerActed(ACTIONS[action], "" if listed else CAUSES[cause], now, listed))
            case Battery(percent):
                self._deliver(HealthRead(now, battery_percent=percent))
            case Tamper(opened):
                self._deliver(CasingChanged(opened, now))
            case Dock(docked):
                self._deliver(DockChanged(docked, now))


def show_frame(order: Indicate) -> Show:
    """The frame for the MCU; both sides use the same names."""
    light, cue = order.light, order.cue
    return Show(
        Colour[light.colour.name], Pattern[light.pattern.name], Pulse[cue.buzzer.name], Pulse[cue.vibration.name]
    )
