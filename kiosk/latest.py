"""The latest time this screen has seen, kept over restarts: an expired board does not come back with a clock set back.

`latest.json` holds two moments. `trusted` was told by NTP or a satellite: no clock that says less is believed, not even
a disciplined one. `seen` is what an undisciplined clock said: it holds against other undisciplined clocks only, and
what NTP says later puts it right.
"""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.instant import Instant, TimeState

FILE = "latest.json"
BEFORE_ANY = datetime(2000, 1, 1, tzinfo=UTC)
KEEP_EVERY = timedelta(minutes=5)  # ours: how much of it a power cut may take
BEHIND = timedelta(minutes=5)  # ours: a clock so far behind is told on the pages

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Latest:
    """Both moments; see the file's head."""

    trusted: datetime = BEFORE_ANY
    seen: datetime = BEFORE_ANY

    def observed(self, now: Instant, passed: timedelta) -> "Latest":
        """After looking at a clock; `passed` is how long ago the last look was, by the clock that nobody sets."""
        trusted, seen = self.trusted + passed, self.seen + passed
        if now.state is TimeState.UNSET:
            return Latest(trusted, max(seen, now.wall))
        trusted = max(trusted, now.wall)
        return Latest(trusted, trusted)

    def floor(self, state: TimeState) -> datetime:
        """What a clock in `state` can not be before."""
        return max(self.trusted, self.seen) if state is TimeState.UNSET else self.trusted

    def encode(self) -> bytes:
        """The content of the file."""
        told = {"seen": canonical.timestamp(self.seen), "trusted": canonical.timestamp(self.trusted)}
        return canonical.encode(told)


class LatestTime:
    """The file in `folder`; `observe` every second."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._latest, self._kept = Latest(), Latest()
        self._last: Instant | None = None
        self._opened = False

    @property
    def floor(self) -> datetime:
        """No moment of now is before it."""
        state = TimeState.UNSET if self._last is None else self._last.state
        return self._latest.floor(state)

    @property
    def is_disciplined(self) -> bool:
        """Whether NTP or a satellite tells this computer the time."""
        return self._last is not None and self._last.state is not TimeState.UNSET

    @property
    def is_behind(self) -> bool:
        """Whether the clock, when it was last looked at, was clearly before the floor."""
        return self._last is not None and self.floor - self._last.wall > BEHIND

    def open(self) -> None:
        """Read the file, once; a damaged one is told and written anew."""
        if self._opened:
            return
        self._opened = True
        try:
            self._latest = self._kept = parse_latest(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, SenderFault) as fault:
            log.error("the latest time of before is not known: %s: %s", self._path, fault)  # noqa: TRY400

    def note(self, moment: datetime) -> None:
        """Something of this screen's own was written at `moment`."""
        self._latest = replace(self._latest, seen=max(self._latest.seen, moment))

    def observe(self, now: Instant) -> None:
        """Look at the clock; what is new is on the disk every `KEEP_EVERY`. A disk that refuses is tried again then."""
        self.open()
        last, self._last = self._last, now
        same = last is not None and last.boot == now.boot
        passed_us = (now.monotonic_ns - last.monotonic_ns) // 1000 if same and last is not None else 0
        self._latest = self._latest.observed(now, timedelta(microseconds=max(0, passed_us)))
        late, kept = self._latest, self._kept
        if max(late.trusted - kept.trusted, late.seen - kept.seen) >= KEEP_EVERY or late.seen < kept.seen - KEEP_EVERY:
            self._kept = late
            self._keep(late)

    def _keep(self, latest: Latest) -> None:
        try:
            durable.make_directory(self._path.parent)
            durable.write_bytes(self._path, latest.encode(), durable.PRIVATE)
        except EnvironmentFault as fault:
            log.error("the latest time cannot be kept: %s", fault)  # noqa: TRY400 - a traceback says no more


def parse_latest(content: bytes) -> Latest:
    """What the file holds; raises `SenderFault` when it is damaged."""
    fields = Fields("时间记录", canonical.decode(content))
    return Latest(fields.moment("trusted"), fields.moment("seen"))
