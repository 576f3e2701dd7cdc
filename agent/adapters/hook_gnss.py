"""The thread "gnss-courier": fixes of the GNSS receiver to the clock and to the log of positions."""

from collections.abc import Callable

from agent.adapters.line_courier import REOPEN_S, Died, LineCourier, Lost
from agent.adapters.positions import PositionLog
from agent.clock import GuidedClock
from agent.control.messages import ClockDisputed
from agent.evidence.position import DEGREE, MAX_HDOP, Position
from firmware_hooks.device_link import SerialLink
from firmware_hooks.nmea import BAUD, SIMULATED, Fix, NmeaReader

NAME = "gnss-courier"


class GnssCourier:
    """Guides `clock`, fills `positions`, and delivers `ClockDisputed` when a receiver and NTP begin to tell different
    times. A simulator's fixes are positions that say so, and never time. See `LineCourier` for `died` and `lost`."""

    def __init__(
        self,
        device: str,
        clock: GuidedClock,
        positions: PositionLog,
        deliver: Callable[[ClockDisputed], None],
        died: Died,
        lost: Lost,
        reopen_s: float = REOPEN_S,
    ) -> None:
        self._clock, self._positions, self._deliver = clock, positions, deliver
        link = SerialLink(device, NmeaReader, BAUD)
        self._line: LineCourier[Fix] = LineCourier(NAME, link, self._tell, died, lost, reopen_s)
        self._disputed = False

    @property
    def connected(self) -> bool:
        """Whether the line is open."""
        return self._line.connected

    def start(self) -> None:
        """Begin; the receiver need not be there yet."""
        self._line.start()

    def close(self, timeout: float) -> None:
        """End the thread."""
        self._line.close(timeout)

    def _tell(self, fix: Fix) -> None:
        heard = self._clock.read()
        self._positions.tell(position_of(fix), heard)
        if fix.quality == SIMULATED:
            return
        apart = self._clock.guide(fix.utc, heard)
        if (apart is not None) is not self._disputed:
            self._disputed = apart is not None
            apart_ms = 0 if apart is None else round(apart.total_seconds() * 1000)
            self._deliver(ClockDisputed(apart_ms, self._clock.read()))


def position_of(fix: Fix) -> Position:
    """The fix as a journal holds it."""
    hdop = min(MAX_HDOP, max(1, round(fix.hdop * 100)))
    return Position(round(fix.latitude * DEGREE), round(fix.longitude * DEGREE), fix.quality, fix.satellites, hdop)
