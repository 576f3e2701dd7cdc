"""A thread that reads one serial line for the inbox: opened again when it was lost, never dead in silence."""

import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

REOPEN_S = 1.0  # ours
OPEN_WAIT_S = 1.0  # ours: a line that is there opens in milliseconds
OUTGOING = 16  # ours: who takes nothing for so long has no use for more
Told = TypeVar("Told")
Heard = TypeVar("Heard", covariant=True)
Died = Callable[[str, BaseException | None], None]
Lost = Callable[[str], None]


class Link(Protocol[Heard]):
    """A serial line of `firmware_hooks`. Loss of the line is an `OSError`."""

    def open(self) -> None:
        """Open it."""

    def read(self) -> Sequence[Heard]:
        """What arrived within a short time."""

    def write(self, data: bytes) -> bool:
        """Send; returns whether it was taken."""

    def close(self) -> None:
        """Let it go."""


class LineCourier(Generic[Told]):
    """Calls `take` in its own thread `name` for everything that the line tells, and `opened` whenever it was opened. A
    lost line is opened again every `reopen_s` seconds, and `lost` (an English line for the log) is called when it goes
    or cannot be opened, once for one reason. `start` waits up to
    `open_wait_s` for the line. If the thread ends unasked, `died(name, error)` is called; the error is None or the
    exception."""

    def __init__(
        self,
        name: str,
        link: Link[Told],
        take: Callable[[Told], None],
        died: Died,
        lost: Lost,
        reopen_s: float = REOPEN_S,
        opened: Callable[[], None] = lambda: None,
        open_wait_s: float = 0.0,
    ) -> None:
        self._name, self._link, self._take, self._reopen_s = name, link, take, reopen_s
        self._died, self._lost, self._opened = died, lost, opened
        self._stopping, self._connected = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._open_wait_s = open_wait_s
        self._outgoing: deque[bytes] = deque(maxlen=OUTGOING)
        self._last_loss = ""

    @property
    def connected(self) -> bool:
        """Whether the line is open; what was said on it before that is not known."""
        return self._connected.is_set()

    def start(self) -> None:
        """Begin; the line need not be there yet. Waits shortly for one on which a person presses: opening it drops what
        was sent before, and a device that says it is ready must hear the next press."""
        self._thread.start()
        self._connected.wait(self._open_wait_s)

    def send(self, data: bytes) -> None:
        """Send `data` within the next fraction of a second, if the line is open then; returns at once."""
        self._outgoing.append(data)

    def close(self, timeout: float) -> None:
        """End the thread, after what was still to be sent."""
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
                self._died(self._name, sys.exception())

    def _use_line(self) -> None:
        try:
            self._link.open()
            self._last_loss = ""
            self._opened()
            self._connected.set()
            while not self._stopping.is_set():
                self._send_waiting()
                for told in self._link.read():
                    self._take(told)
            self._send_waiting()
        except OSError as fault:
            self._connected.clear()
            self._tell_lost(str(fault))

    def _send_waiting(self) -> None:
        while self._outgoing:
            self._link.write(self._outgoing.popleft())

    def _tell_lost(self, why: str) -> None:
        """Tell a loss once: a board that is not there would say the same every second."""
        if why != self._last_loss:
            self._lost(why)
        self._last_loss = why
