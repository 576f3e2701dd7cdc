"""How long a window waits after wrong PINs: one count for each window, and over a restart. Pure but for `WaitsFile`.

Times are those of the clock that nobody sets; after a restart of the computer a wait begins anew, for nobody knows how
much of it was over.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from agent import durable
from agent.duty.enrolment import waiting_s
from agent.errors import EnvironmentFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.instant import Instant

FILE = "waits.json"
NANOSECONDS = 1_000_000_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wait:
    """`wrong` PINs in a row at one window, the last at `last_s` seconds after boot `boot`."""

    wrong: int
    boot: str
    last_s: int

    def left_s(self, now: Instant) -> int:
        """Seconds still to wait at `now`; of another boot all of them."""
        passed_s = now.monotonic_ns // NANOSECONDS - self.last_s if self.boot == now.boot else 0
        return max(0, waiting_s(self.wrong) - passed_s)


class WaitsFile:
    """The windows that wait, in `folder`. A disk that refuses forgets them at the next restart only."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._waits: dict[str, Wait] = {}

    def open(self) -> None:
        """Read the file; a damaged one is told and written anew."""
        try:
            self._waits = parse_waits(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, SenderFault) as fault:
            log.error("who waits after wrong PINs is not known: %s: %s", self._path, fault)  # noqa: TRY400

    def left_s(self, window: str, now: Instant) -> int:
        """Seconds that `window` has to wait; a wait of another boot begins now."""
        wait = self._waits.get(window)
        if wait is None:
            return 0
        if wait.boot != now.boot:
            wait = self._put(window, wait.wrong, now)
        return wait.left_s(now)

    def wrong(self, window: str, now: Instant) -> None:
        """One more wrong PIN at `window`."""
        before = self._waits.get(window)
        self._put(window, 1 if before is None else before.wrong + 1, now)

    def right(self, window: str) -> None:
        """The right PIN: `window` begins anew."""
        if self._waits.pop(window, None) is not None:
            self._keep()

    def _put(self, window: str, wrong: int, now: Instant) -> Wait:
        wait = self._waits[window] = Wait(wrong, now.boot, now.monotonic_ns // NANOSECONDS)
        self._keep()
        return wait

    def _keep(self) -> None:
        try:
            durable.make_directory(self._path.parent)
            durable.write_bytes(self._path, encode_waits(self._waits), durable.PRIVATE)
        except EnvironmentFault as fault:
            log.error("who waits after wrong PINs cannot be kept: %s", fault)  # noqa: TRY400


def encode_waits(waits: Mapping[str, Wait]) -> bytes:
    """The content of the file."""
    return canonical.encode({"windows": {window: asdict(wait) for window, wait in waits.items()}})


def parse_waits(content: bytes) -> dict[str, Wait]:
    """What the file holds; raises `SenderFault` when it is damaged."""
    found = {}
    for window, value in Fields("等待记录", canonical.decode(content)).object("windows").items():
        one = Fields("等待记录", value)
        found[window] = Wait(one.integer("wrong", 1), one.text("boot"), one.integer("last_s"))
    return found
