"""What a kiosk host shares with its screen: `outgoing/`, which the screen fills, and `heard.json`, which it reads."""

import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from agent import durable
from agent.control.hall_messages import OutgoingRead
from agent.control.messages import Event, WorkFailed
from agent.errors import EnvironmentFault
from agent.wire.hall_facts import FACT_SUFFIX, MAX_FACT_BYTES, OUTGOING

HEARD, REFUSED_SUFFIX = "heard.json", ".refused"
WRITABLE = 0o770
MAX_FACTS = 32  # ours: stored at once; the rest follows when these are gone

logger = logging.getLogger(__name__)


class HallFolder:
    """`outgoing/` and `heard.json` in `state_dir`. A file goes only when its event is committed."""

    def __init__(self, state_dir: Path) -> None:
        self._folder, self._heard = state_dir / OUTGOING, state_dir / HEARD

    @property
    def pattern(self) -> Path:
        """What to watch for."""
        return self._folder / f"*{FACT_SUFFIX}"

    def prepare(self) -> None:
        """Make the folder, which the screen's own account may write into; raises `EnvironmentFault`."""
        durable.make_directory(self._folder, WRITABLE)
        with durable.disk_errors(self._folder):
            self._folder.chmod(WRITABLE)  # whatever umask the service has

    def read(self) -> Event | None:
        """The files that wait, in the order of their names; None when there are none."""
        try:
            names = sorted(path.name for path in self._folder.glob(f"[!.]*{FACT_SUFFIX}"))[:MAX_FACTS]
        except OSError as error:
            return WorkFailed(f"目录 {self._folder} 无法读取（{error.strerror or error}）。请检查权限与存储卡。")
        found = tuple((name, content) for name in names if (content := _content(self._folder / name)) is not None)
        return OutgoingRead(found) if found else None

    def clear(self, names: Sequence[str], refused: Sequence[str]) -> Event | None:
        """Remove what was stored, put aside what was refused, and read what waits behind them."""
        try:
            for name in names:
                durable.remove(self._folder / name)
            for name in refused:
                durable.move(self._folder / name, self._folder / f"{name}{REFUSED_SUFFIX}")
        except EnvironmentFault as fault:
            return WorkFailed(str(fault))
        return self.read()

    def show(self, content: bytes) -> Event | None:
        """Replace `heard.json`; an event only when that failed."""
        try:
            durable.write_bytes(self._heard, content)
        except EnvironmentFault as fault:
            return WorkFailed(str(fault))
        return None


def _content(path: Path) -> bytes | None:
    """A plain file of a fact's size and one byte more; links are not followed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return file.read(MAX_FACT_BYTES + 1)
    except OSError as error:
        logger.warning("%s: %s", path.name, error)
    return None
