"""Whether the clock was set: what was refused because of its date may be taken now."""

from datetime import timedelta

from agent.wire.instant import Instant, TimeState

SET_BY = timedelta(minutes=1)  # ours; a clock that is disciplined never steps so far


class ClockWatch:
    """Compares wall and monotonic time from one moment to the next, within one boot."""

    def __init__(self) -> None:
        self._before: Instant | None = None

    def was_set(self, now: Instant) -> bool:
        """Whether the wall clock has stepped since the last call, or has come to be trusted."""
        before, self._before = self._before, now
        if before is None:
            return False
        passed = timedelta(microseconds=(now.monotonic_ns - before.monotonic_ns) // 1000)
        stepped = abs(now.wall - before.wall - passed) > SET_BY
        return stepped or (before.state is TimeState.UNSET and now.state is not TimeState.UNSET)
