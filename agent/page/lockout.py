"""How long the officer's page refuses every PIN after wrong ones. Pure."""

from dataclasses import dataclass, field

FREE_TRIES = 3  # ours
FIRST_WAIT_S, LONGEST_WAIT_S = 5, 3600  # ours: doubled each time; 10 000 PINs take over a year
NANOSECONDS = 1_000_000_000


def wait_s(failures: int) -> int:
    """Seconds that must pass after the `failures`-th wrong PIN in a row before another is looked at."""
    if failures < FREE_TRIES:
        return 0
    return min(FIRST_WAIT_S << min(failures - FREE_TRIES, 20), LONGEST_WAIT_S)


@dataclass
class Lockout:
    """Counts wrong PINs; `failures` is kept on the disk by its owner. After a restart the whole wait begins again,
    because nobody can say how long the device was off."""

    failures: int
    now_ns: int
    _until_ns: int = field(init=False)

    def __post_init__(self) -> None:
        self._until_ns = self.now_ns + wait_s(self.failures) * NANOSECONDS

    def left_s(self, now_ns: int) -> int:
        """Seconds until a PIN is looked at again, 0 when one is looked at now."""
        return max(0, -((now_ns - self._until_ns) // NANOSECONDS))

    def tried(self, now_ns: int) -> int:
        """A PIN is about to be looked at: counts as wrong until `succeeded`. Returns what must be kept first."""
        self.failures += 1
        self._until_ns = now_ns + wait_s(self.failures) * NANOSECONDS
        return self.failures

    def succeeded(self, now_ns: int) -> int:
        """It was the right one; returns what must be kept."""
        self.failures, self._until_ns = 0, now_ns
        return 0
