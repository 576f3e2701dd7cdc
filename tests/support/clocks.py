"""A clock that tests step by hand."""

from datetime import UTC, datetime, timedelta

from agent.wire.instant import Instant, TimeState


class SteppedClock:
    """Stands still until `step`."""

    def __init__(self, state: TimeState = TimeState.NTP, error_ms: int | None = 10) -> None:
        self._wall, self._monotonic_ns = datetime.now(UTC), 1_000_000_000_000
        self.state, self.error_ms = state, error_ms
        self.boot = "0b00000000000001"

    def step(self, seconds: float) -> Instant:
        self._wall += timedelta(seconds=seconds)
        self._monotonic_ns += int(seconds * 1_000_000_000)
        return self.read()

    def set_wrong(self, days: float) -> None:
        """Somebody sets the wall clock; what counts from the boot goes on."""
        self._wall += timedelta(days=days)

    def read(self) -> Instant:
        return Instant(self._wall, self._monotonic_ns, self.boot, self.state, self.error_ms)
