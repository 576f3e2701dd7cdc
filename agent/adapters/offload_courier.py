"""The thread "offload": keeps the process that uploads (`agent.offloading`) running, tells it what to do and hears what
it has done. That process is lower in everything than recording; that it dies costs an upload and nothing else."""

import json
import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from agent.clock import Clock
from agent.control.messages import Event, WorkFailed
from agent.control.offload_messages import DirectOffload, OffloadRested, RecordingOffloaded, TellReceipted
from agent.wire.identifiers import RecordingId

RESTART_S = 30.0  # ours: a process that cannot work is not begun again all the time
IDLE = ("ionice", "-c", "3")  # util-linux: the disk is its own only while nobody else wants it

logger = logging.getLogger(__name__)


class OffloadCourier:
    """`setup` is the first line the process gets; `report` is called in this courier's threads."""

    def __init__(self, setup: str, clock: Clock, report: Callable[[Event], None], restart_s: float = RESTART_S) -> None:
        self._setup, self._clock, self._report, self._restart_s = setup, clock, report, restart_s
        self._last: dict[str, str] = {}
        self._said = ""
        self._stop, self._writing = threading.Event(), threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="offload", daemon=True)

    def open(self) -> None:
        """Start the thread, which starts the process."""
        self._thread.start()

    def follow(self, order: DirectOffload | TellReceipted) -> None:
        """Tell the process; a process that begins later hears it, too."""
        if isinstance(order, DirectOffload):
            self._tell("orders", json.dumps({"orders": asdict(order.orders)}))
        else:
            self._tell(order.recording, json.dumps({"receipted": order.recording}))

    def close(self, timeout_s: float) -> bool:
        """End both; what was on its way goes again at the next start. Returns whether that was done in time."""
        self._stop.set()
        process = self._process
        if process is not None:
            process.kill()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _tell(self, about: str, line: str) -> None:
        with self._writing:
            self._last[about] = line
            if self._process is not None:
                _write(self._process, [line])

    def _run(self) -> None:
        while not self._stop.is_set():
            idle = IDLE if shutil.which(IDLE[0]) else ()
            command = [*idle, sys.executable, "-m", "agent.offloading"]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as process:
                self._serve(process)
            if not self._stop.is_set():
                logger.warning("the process that uploads has ended with %s", process.returncode)
            self._stop.wait(self._restart_s)

    def _serve(self, process: "subprocess.Popen[str]") -> None:
        """Until it ends."""
        with self._writing:
            _write(process, [self._setup, *self._last.values()])
            self._process = process
        if self._stop.is_set():
            process.kill()
        for line in process.stdout or ():
            self._hear(json.loads(line))
        last = "" if process.stderr is None else process.stderr.read().strip()[-300:]
        self._process = None
        if not self._stop.is_set():
            self._say(last)

    def _say(self, trouble: str) -> None:
        """Tell people once, and again only when it is something else."""
        if trouble and trouble != self._said:
            self._report(WorkFailed(f"录像上传不能进行：{trouble}"))
        self._said = trouble

    def _hear(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"uploaded": [recording, manifest, files, size]}:
                at = self._clock.read()
                self._report(RecordingOffloaded(RecordingId(recording), manifest, files, size, at))
            case {"rested": True}:
                self._report(OffloadRested())
            case {"trouble": text}:
                logger.warning("offload: %s", text)
                self._report(WorkFailed(str(text)))


def _write(process: "subprocess.Popen[str]", lines: Sequence[str]) -> None:
    if process.stdin is not None:
        with suppress(OSError, ValueError):  # it has just died; the next one hears everything
            process.stdin.write("".join(f"{line}\n" for line in lines))
            process.stdin.flush()
