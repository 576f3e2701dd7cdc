"""A bench for torture: a plain Mosquitto, the outbox port and the ingest port as processes, and what must hold."""

import array
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.broker import MOSQUITTO, START_S, free_port
from tests.support.center import until

TOPIC = "torture/line"
PATIENCE_S = 90.0  # a broker that has refused is left alone for up to a minute


class PlainBroker:
    """Mosquitto without TLS: its defaults, unless `more` says otherwise."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._more = more
        self.allow(True)

    def allow(self, everybody: bool) -> None:
        """Write the access list; a running broker reads it with `reload`."""
        rules = "pattern readwrite #\n" if everybody else "user ingest\ntopic readwrite #\n"
        (self.folder / "acl").write_text(rules)
        (self.folder / "acl").chmod(0o600)
        (self.folder / "broker.conf").write_text(
            f"user root\nlistener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            f"acl_file {self.folder}/acl\n{self._more or 'persistence false'}\n"
        )

    def start(self) -> None:
        log = (self.folder / "broker.log").open("ab")
        with log:
            self._process = subprocess.Popen([str(MOSQUITTO), "-c", str(self.folder / "broker.conf")], stderr=log)
        until(lambda: self._client_count() is not None, "the broker listens", START_S)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_S)
            self._process = None

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _client_count(self) -> int | None:
        import socket

        with socket.socket() as probe:
            return 1 if probe.connect_ex(("127.0.0.1", self.port)) == 0 else None


class Port:
    """One of the two ports as a process whose lines are read beside it."""

    def __init__(self, module: str, *arguments: object, environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"tests.support.{module}", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "PYTHONPATH": ".", **(environment or {})},
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def line(self, what: str, seconds: float = 60.0) -> str:
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"never said: {what}") from None

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line: str) -> str:
        self.say(line)
        return self.line(f"an answer to {line}")

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        code = self.process.wait(30)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                self._close(stream)
        self._reader.join(5)
        return code

    def memory_kib(self, field: str = "VmRSS") -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split(f"{field}:")[1].split()[0])

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    @staticmethod
    def _close(stream: Any) -> None:
        try:
            stream.close()
        except BrokenPipeError:
            return  # what was not written any more went to nobody

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.strip())


class Torture:
    """Broker, outbox, ingest; what was accepted is remembered."""

    def __init__(self, folder: Path, more: str = "", *, single: bool = False) -> None:
        self.folder, self.broker = folder, PlainBroker(folder / "broker", more)
        self._single = single
        self.outbox: Port | None = None
        self.ingest: Port | None = None
        self.accepted: list[int] = []
        self.offered = 0

    def open_outbox(self, *more: object, environment: dict[str, str] | None = None) -> Port:
        options = ["--dir", self.folder / "device", "--port", self.broker.port, "--topic", TOPIC, *more]
        if self._single:
            options.append("--single")
        self.outbox = Port("outbox_port", *options, environment=environment)
        assert self.outbox.line("ready").startswith("ready ")
        return self.outbox

    def open_ingest(self, *, wait: bool = True) -> Port:
        options = ["--port", self.broker.port, "--file", self.folder / "numbers", "--topic", TOPIC, "--user", "ingest"]
        self.ingest = Port("ingest_port", *options)
        if wait:
            assert self.ingest.line("connected") == "connected"
        return self.ingest

    def put(self, count: int, size: int = 10) -> None:
        """Offer `count` events, `size` to a line; a process killed meanwhile accepts no more."""
        assert self.outbox is not None
        for _ in range(0, count, size):
            first, self.offered = self.offered, self.offered + size
            try:
                answer = self.outbox.ask(f"put {first} {self.offered}")
            except BrokenPipeError:
                return
            if answer == f"ok {first} {self.offered}":
                self.accepted += range(first, self.offered)

    def stored(self) -> list[int]:
        found = array.array("I")
        path = self.folder / "numbers"
        found.frombytes(path.read_bytes() if path.exists() else b"")
        return list(found)

    def drain(self, seconds: float = PATIENCE_S) -> None:
        assert self.outbox is not None
        until(lambda: self.outbox and self.outbox.ask("left") == "left 0", "everything is receipted", seconds)

    def check(self, maybe: Iterable[int] = ()) -> None:
        """Everything that was accepted is stored, once and in order; of what was not, only `maybe` may be there."""
        stored = self.stored()
        lost = set(self.accepted) - set(stored)
        assert not lost, f"{len(lost)} of {len(self.accepted)} accepted events lost, first {sorted(lost)[:5]}"
        assert len(stored) == len(set(stored)), "stored twice"
        assert stored == sorted(stored), "out of order"
        assert set(stored) <= set(self.accepted) | set(maybe)

    def close(self) -> None:
        for port in (self.outbox, self.ingest):
            if port is not None and port.process.poll() is None:
                port.end()
        self.broker.stop()


def paced(seconds: float) -> None:
    """A fault in the middle of the work, not at a moment that the work chooses."""
    time.sleep(seconds)
