"""The thread "hook-courier": presses of the record button, from the MCU's serial line into the inbox.

The only file of the agent that knows `firmware_hooks`.
"""

import sys
import threading
from collections.abc import Callable

from agent.clock import Clock
from agent.control.messages import ButtonPressed
from firmware_hooks.device_link import DeviceLink, LineLost
from firmware_hooks.frames import Button, Frame, Press

NAME = "hook-courier"
REOPEN_S = 1.0  # ours


class HookCourier:
    """Delivers `ButtonPressed` for every short press. A lost line is opened again every `reopen_s` seconds, and
    `lost` (an English line for the log) is called each time it goes or cannot be opened. If the thread ends unasked,
    `died(name, error)` is called; the error is None or the exception."""

    def __init__(
        self,
        device: str,
        clock: Clock,
        deliver: Callable[[ButtonPressed], None],
        died: Callable[[str, BaseException | None], None],
        lost: Callable[[str], None] | None = None,
        reopen_s: float = REOPEN_S,
    ) -> None:
        self._link, self._clock, self._reopen_s = DeviceLink(device), clock, reopen_s
        self._deliver, self._died, self._lost = deliver, died, lost
        self._stopping, self._connected = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
        self._last_counter: int | None = None

    @property
    def connected(self) -> bool:
        """Whether the line is open; what was pressed before that is not known."""
        return self._connected.is_set()

    def start(self) -> None:
        """Begin; the line need not be there yet."""
        self._thread.start()

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
            self._last_counter = None
            self._connected.set()
            while not self._stopping.is_set():
                for frame in self._link.read():
                    self._tell(frame)
        except LineLost as fault:
            self._connected.clear()
            if self._lost is not None:
                self._lost(str(fault))

    def _tell(self, frame: Frame) -> None:
        """Battery, tamper and dock frames are parsed but nobody asks for them yet; a repeated press is told once."""
        if isinstance(frame, Button) and frame.counter != self._last_counter:
            self._last_counter = frame.counter
            if frame.press is Press.SHORT:
                self._deliver(ButtonPressed(self._clock.read()))
