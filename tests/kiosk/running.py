"""A real kiosk process on a free loopback port, and what a test does to it from outside."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Self

from agent import durable

DEADLINE_S = 60.0


class RunningKiosk:
    """`with RunningKiosk(config) as kiosk`: started, announced, and ended by SIGTERM."""

    def __init__(self, config: Path, *command: str) -> None:
        self.config, self.disclosed = config, config.parent / "state/disclosed"
        self._command = command or ("-m", "kiosk", "serve", "--config", str(config))
        self.url = ""

    def __enter__(self) -> Self:
        command = [sys.executable, *self._command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("listening http://127.0.0.1:"):
            self.process.kill()
            raise AssertionError(self.process.communicate())
        self.url = line.split()[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> tuple[int, str]:
        """Exit code and stderr."""
        if self.process.poll() is None:
            self.process.terminate()
        _, errors = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, errors

    def put(self, name: str, envelope: bytes) -> None:
        """As the agent does it: hidden name, rename."""
        durable.write_bytes(durable.make_directory(self.disclosed) / f"{name}.dsse", envelope)

    def get(self, path: str, **headers: str) -> tuple[int, Message, str]:
        request = urllib.request.Request(self.url + path, headers=headers)  # noqa: S310  loopback
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310  loopback
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers, refused.read().decode()

    def page(self, path: str = "") -> str:
        return self.get(path)[2]


def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition`, at most `DEADLINE_S`."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "deadline passed"
        time.sleep(0.02)
