"""The folder where an officer's command or page asks something of the running agent, and `duty.json` beside it."""

import logging
import os
import stat
from pathlib import Path

from agent import durable
from agent.control.messages import AsksRead, Event, WorkFailed
from agent.duty.asks import ASK_SUFFIX, ASKED, MAX_ASK_BYTES, STATE
from agent.errors import EnvironmentFault

logger = logging.getLogger(__name__)


class AskedFolder:
    """`asked/` and `duty.json` in `state_dir`. A request is gone, also after a power cut, before anything is done about
    it: it is done once at most, and a PIN may stand in it."""

    def __init__(self, state_dir: Path) -> None:
        self._folder, self._state = state_dir / ASKED, state_dir / STATE

    @property
    def pattern(self) -> Path:
        """What to watch for."""
        return self._folder / f"*{ASK_SUFFIX}"

    def prepare(self) -> None:
        """Make the folder; raises `EnvironmentFault`."""
        durable.make_directory(self._folder, 0o700)

    def take(self) -> Event | None:
        """The first request by name, out of the folder; None when there is none."""
        try:
            names = sorted(self._folder.glob(f"[!.]*{ASK_SUFFIX}"))
            found = next((data for data in map(_taken, names) if data is not None), None)
        except OSError as error:
            return WorkFailed(f"请求目录 {self._folder} 无法读取（{error.strerror or error}）。请检查权限与存储卡。")
        except EnvironmentFault as fault:
            return WorkFailed(str(fault))
        return None if found is None else AsksRead(found)

    def show(self, content: bytes) -> Event | None:
        """Replace `duty.json`; an event only when that failed."""
        try:
            durable.write_bytes(self._state, content, durable.SHARED)
        except EnvironmentFault as fault:
            return WorkFailed(str(fault))
        return None


def _taken(path: Path) -> bytes | None:
    """The content of a plain file of a request's size, which is removed whatever it is; links are not followed. Raises
    `EnvironmentFault` when it cannot be removed."""
    data = None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                data = file.read(MAX_ASK_BYTES + 1)
    except OSError as error:
        logger.warning("%s: %s", path.name, error)
    if path.is_dir() and not path.is_symlink():
        return None
    durable.remove(path)
    return data
