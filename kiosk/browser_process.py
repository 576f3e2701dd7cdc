"""The screen's browser as a process: begun with a fresh profile, and ended with everything that it has left behind."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault
from kiosk.away_page import FILE
from kiosk.browser import PREFERENCES, command, environment, memory_of

END_S = 3.0  # for the browser's own end, before it is killed


class BrowserProcess:
    """One `browser` at a time, in a process group of its own. `base` is the environment that it is begun from."""

    def __init__(self, browser: str, profile: Path, extra: Sequence[str], base: Mapping[str, str]) -> None:
        self._browser, self._profile, self._extra, self._base = browser, profile, extra, base
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it runs; a dead renderer is not its end."""
        return self._process is not None and self._process.poll() is None

    @property
    def memory(self) -> int:
        """Bytes of it and of its children."""
        return 0 if self._process is None else memory_of(self._process.pid)

    def start(self, url: str, own_page: bytes) -> None:
        """Begin with a fresh profile and `own_page` beside it, at `url` or, where that is empty, at that page; raises
        `EnvironmentFault`."""
        self._make_profile(own_page)
        address = url or (self._profile / FILE).absolute().as_uri()
        line = command(self._browser, address, self._profile, self._extra)
        try:
            self._process = subprocess.Popen(
                line,
                env=environment(self._base),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            text = f"无法启动浏览器 {line[0]}（{error.strerror}）。请安装 {self._browser}，或改正 --browser。"
            raise EnvironmentFault(text) from error

    def end(self) -> None:
        """End its whole process group."""
        process, self._process = self._process, None
        if process is None:
            return
        for sign, patience_s in ((signal.SIGTERM, END_S), (signal.SIGKILL, END_S)):
            try:
                os.killpg(process.pid, sign)
            except ProcessLookupError:
                break
            try:
                process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
        process.wait()
        try:
            os.killpg(process.pid, signal.SIGKILL)  # what the browser left behind
        except ProcessLookupError:
            return

    def _make_profile(self, own_page: bytes) -> None:
        shutil.rmtree(self._profile, ignore_errors=True)
        preferences = self._profile / "Default/Preferences"
        with durable.disk_errors(self._profile):
            preferences.parent.mkdir(parents=True, exist_ok=True)
            preferences.write_bytes(PREFERENCES)
            (self._profile / FILE).write_bytes(own_page)
