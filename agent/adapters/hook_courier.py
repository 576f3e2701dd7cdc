"""The thread "hook-courier": presses of the record button, from the MCU's serial line into the inbox.

The only file of the agent that knows `firmware_hooks`.
"""

import sys
import threading
from collections.abc import Callable, Mapping

from agent.clock import Clock
from agent.control.acts import Act
from agent.control.messages import ButtonPressed, OfficerActed
from agent.evidence.reasons import Cause
from firmware_hooks.device_link import DeviceLink, LineLost
from firmware_hooks.frames import Action, Asked, Button, Frame, Press

NAME = "hook-courier"
REOPEN_S = 1.0  # ours
PRESSES: Mapping[Press, Act] = {Press.LONG: Act.MUTE_TURNED, Press.DOUBLE: Act.PHOTO}
ACTIONS: Mapping[Action, Act] = {
    Action.MUTE: Act.MUTE,
    Action.UNMUTE: Act.UNMUTE,
    Action.PAUSE: Act.PAUSE,
    Action.RESUME: Act.RESUME,
    Action.EXPLAIN: Act.EXPLAIN,
    Action.EXPLAINED: Act.EXPLAINED,
    Action.PHOTO: Act.PHOTO,
}
CAUSES = ("", *(cause.value for cause in Cause))
"""By the number in the frame; `Cause` stands in the order of the rules, as the frame's numbers do."""

OPEN_WAIT_S = 1.0  # ours: a line that is there opens in milliseconds


class HookCourier:
    """Delivers `ButtonPressed` for every short press and `OfficerActed` for everything else that is pressed. A lost
    line is opened again every `reopen_s` seconds, and `lost` (an English line for the log) is called when it goes or
    cannot be opened, once for one reason. If the thread ends unasked, `died(name, error)` is called; the error is None
    or the exception."""

    def __init__(
        self,
        device: str,
        clock: Clock,
        deliver: Callable[[ButtonPressed | OfficerActed], None],
        died: Callable[[str, BaseException | None], None],
        lost: Callable[[str], None] | None = None,
        reopen_s: float = REOPEN_S,
    ) -> None:
        self._link, self._clock, self._reopen_s = DeviceLink(device), clock, reopen_s
        self._deliver, self._died, self._lost = deliver, died, lost
        self._stopping, self._connected = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
        self._last_counter: int | None = None
        self._last_loss = ""

    @property
    def connected(self) -> bool:
        """Whether the line is open; what was pressed before that is not known."""
        return self._connected.is_set()

    def start(self) -> None:
        """Begin; the line need not be there yet. Waits shortly for it: opening it drops what was sent before, and a
        device that says it is ready must hear the next press."""
        self._thread.start()
        self._connected.wait(OPEN_WAIT_S)

    def close(self, timeout: float) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._use_line()
                self._stopping.wait(self._reopen_s)
        finally:
            self._link.close()
            if not self._stopping.is_set():
                self._died(NAME, sys.exception())

    def _use_line(self) -> None:
        try:
            self._link.open()
            self._last_counter, self._last_loss = None, ""
            self._connected.set()
            while not self._stopping.is_set():
                for frame in self._link.read():
                    self._tell(frame)
        except LineLost as fault:
            self._connected.clear()
            self._tell_lost(str(fault))

    def _tell_lost(self, why: str) -> None:
        """Tell a loss once: a board that is not there would say the same every second."""
        if self._lost is not None and why != self._last_loss:
            self._lost(why)
        self._last_loss = why

    def _tell(self, frame: Frame) -> None:
        """Battery, tamper and dock frames are parsed but nobody asks for them yet; a repeated press is told once."""
        if not isinstance(frame, Button | Asked) or frame.counter == self._last_counter:
            return
        self._last_counter, now = frame.counter, self._clock.read()
        match frame:
            case Button(Press.SHORT):
                self._deliver(ButtonPressed(now))
            case Button(press):
                self._deliver(OfficerActed(PRESSES[press], "", now))
            case Asked(action, cause):
                self._deliver(OfficerActed(ACTIONS[action], CAUSES[cause], now))
