"""The thread "health": battery, heat and room on the disk, read every few seconds into the inbox."""

import threading
from collections.abc import Callable
from pathlib import Path

from agent.adapters.spool import Spool
from agent.clock import Clock
from agent.control.health import HealthRead
from agent.control.self_check import Board
from agent.errors import EnvironmentFault
from firmware_hooks.clocks import rtcs
from firmware_hooks.power_and_heat import battery, hottest, throttling

PERIOD_S = 5.0  # ours: heat and charge take minutes; room goes at half a megabyte a second


class HealthCourier:
    """Delivers one `HealthRead` at the start and every `period_s` seconds. `sysfs` is the kernel's tree, None where
    its sensors are not this device's; what cannot be read is None in the reading."""

    def __init__(
        self,
        sysfs: Path | None,
        spool: Spool,
        clock: Clock,
        deliver: Callable[[HealthRead], None],
        period_s: float = PERIOD_S,
    ) -> None:
        self._sysfs, self._spool, self._clock = sysfs, spool, clock
        self._deliver, self._period_s = deliver, period_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Begin; the first reading is delivered before this returns."""
        self._deliver(self.read())
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def read(self) -> HealthRead:
        """What the sensors say now."""
        return read_health(self._sysfs, self._spool, self._clock)

    def _run(self) -> None:
        while not self._stopping.wait(self._period_s):
            self._deliver(self.read())


def read_health(sysfs: Path | None, spool: Spool, clock: Clock) -> HealthRead:
    """One reading of every sensor there is."""
    try:
        free = spool.room.free_bytes()
    except EnvironmentFault:  # the recorder meets the same and says so
        free = None
    supply, heat = (None, None) if sysfs is None else (battery(sysfs), hottest(sysfs))
    percent, charging = (None, None) if supply is None else (supply.percent, supply.charging)
    return HealthRead(clock.read(), percent, charging, heat, free)


def read_board(sysfs: Path | None) -> Board:
    """What the board says against itself now."""
    if sysfs is None:
        return Board()
    held, clocks = throttling(sysfs), rtcs(sysfs)
    lost = bool(clocks) and all(it.seconds is None for it in clocks)
    return Board(clock_lost=lost) if held is None else Board(held.under_voltage, held.throttled, lost)
