"""How long the officer's page refuses every PIN after wrong ones, and who may stay without entering it again. Pure."""

import hashlib
from dataclasses import dataclass, field

FREE_TRIES = 3  # ours
FIRST_WAIT_S, LONGEST_WAIT_S = 5, 3600  # ours: doubled each time; 10 000 PINs take over a year
IDLE_S, LONGEST_S = 15 * 60, 8 * 3600  # ours: of a session; a shift has 8 hours
MAX_SESSIONS = 8  # ours; one officer has a phone and the recorder's own screen
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


@dataclass
class Sessions:
    """Whose browsers have shown the PIN. Only hashes of their tokens are held. A session belongs to the PIN (`pin`, any
    text that changes with it) that it was opened with."""

    _open: dict[bytes, tuple[int, int, str]] = field(default_factory=dict)

    def admit(self, token: str, pin: str, now_ns: int) -> None:
        """Let the bearer of `token` in; the oldest session makes room."""
        while len(self._open) >= MAX_SESSIONS:
            del self._open[min(self._open, key=lambda key: self._open[key][1])]
        self._open[_key(token)] = (now_ns, now_ns, pin)

    def knows(self, token: str, pin: str, now_ns: int) -> bool:
        """Whether the bearer is still let in; being seen keeps a session alive."""
        key = _key(token)
        begun, seen, opened_with = self._open.get(key, (0, 0, ""))
        idle, age = now_ns - seen, now_ns - begun
        if key not in self._open or opened_with != pin or idle > IDLE_S * NANOSECONDS or age > LONGEST_S * NANOSECONDS:
            self._open.pop(key, None)
            return False
        self._open[key] = (begun, now_ns, pin)
        return True

    def end(self, token: str) -> None:
        """The bearer leaves."""
        self._open.pop(_key(token), None)


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
