"""A signed command and a real agent process that is killed (SIGKILL) at every call by which it writes: between taking
the command in, doing what it asks, and answering. Then the process starts again, and the same command comes again, as
the centre would send it: one answer, one effect or none, and the chain says which."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.clock import system_clock
from agent.duty.asks import ASKED, STATE, Ask, What
from agent.wire.commands import COMMAND_TYPE, Command, CommandKind
from agent.wire.device_events import EventType
from agent.wire.envelope import seal
from agent.wire.identifiers import recording_id
from tests.support.broker import free_port
from tests.support.center import until
from tests.support.device import DistrictKeys

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
KEYS = DistrictKeys()
RECORDING = recording_id(KEYS.device, 1)
HOLD = {"recording": RECORDING, "hold": "诉讼-1", "reason": "行政诉讼调取"}
BODIES: Mapping[CommandKind, dict[str, str]] = {
    CommandKind.MARK_HOLD: HOLD,
    CommandKind.ROTATE_CERTIFICATE: {},
    CommandKind.OFFLOAD_NOW: {},
    CommandKind.UPDATE_POLICY: {},
}
OFFLOAD = '\n[offload]\nurl = "http://127.0.0.1:9/evidence"\ncredentials = "s3.toml"\nwhen = "never"\n'
WRITE, SYNC = "pwrite64", "fdatasync"  # strace counts each call for itself
FIRST, SECOND = f"{1:032x}", f"{2:032x}"
POINTS = {WRITE: range(-1, 18), SYNC: range(5)}  # from shortly before the command is taken to behind its answer


@dataclass
class Commanded:
    """A recorder whose broker is away and whose store cannot be reached; a command waits in a file."""

    folder: Path
    kind: CommandKind

    def __post_init__(self) -> None:
        self.config = KEYS.write_folder(self.folder, free_port(), more=OFFLOAD)
        (self.folder / "s3.toml").write_text('access_key_id = "a"\nsecret_access_key = "b"\n')
        (self.folder / "s3.toml").chmod(0o600)
        sealed = self.state / "recordings" / RECORDING
        sealed.mkdir(parents=True)
        (sealed / "SHA256SUMS.p7s").write_bytes(b"something that is to go out")
        (self.state / ASKED).mkdir()
        now = system_clock().read().wall
        whom, end = (KEYS.authority.district, KEYS.device, "c-1", 1), now + timedelta(hours=1)
        made = Command(*whom, self.kind, now, now, end, BODIES[self.kind])
        self.document = seal(COMMAND_TYPE, made.encode(), [KEYS.commander.signer]).decode()
        self.put(FIRST)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def put(self, ask: str) -> None:
        data = Ask(ask, What.PICK, {"document": self.document}).encode()
        (self.state / ASKED / ".new").write_bytes(data)
        (self.state / ASKED / ".new").rename(self.state / ASKED / f"{ask}.json")

    def start(self, *tracer: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.agent.commanded_process", str(self.config)]
        environment = {**os.environ, "PYTHONPATH": "."}
        with (self.folder / "agent.log").open("ab") as log:
            return subprocess.Popen([*tracer, *command], env=environment, stderr=log, stdout=log)

    def killed_at(self, calls: str, number: int, path: str) -> bool:
        """Start it and let it be killed at its call number `number` of `calls` on `path`; whether it came so far."""
        place = str(self.state / path)
        tracer = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-P", place, "-e", f"trace={calls}"]
        with self.start(*tracer, "-e", f"inject={calls}:signal=KILL:when={number}") as process:
            until(lambda: process.poll() is not None or self.settled(FIRST), "it is killed, or done")
            killed = process.poll() is not None
            process.kill()
        return killed

    def calls_before_the_command(self) -> Mapping[str, int]:
        """How often a start has written to the database's log, and synced it, when it takes the command."""
        log = self.folder / "calls"
        paths = ("-P", str(self.state / "agent.db-wal"), "-P", str(self.state / ASKED / f"{FIRST}.json"))
        calls = f"trace={WRITE},{SYNC},unlink"
        with self.start("strace", "-D", "-f", "-qq", "-o", str(log), *paths, "-e", calls) as process:
            until(lambda: self.settled(FIRST), "the command is done")
            process.kill()
        lines = log.read_text(errors="replace").splitlines()
        taken = next(at for at, line in enumerate(lines) if "unlink(" in line)
        return {call: sum(f"{call}(" in line for line in lines[:taken]) for call in (WRITE, SYNC)}

    def again(self) -> None:
        """The next start, and the same command once more."""
        self.put(SECOND)
        with self.start() as process:
            until(lambda: self.settled(SECOND), "it is answered")
            process.terminate()
            assert process.wait(30) == 0

    def settled(self, ask: str) -> bool:
        """Whether somebody who asked was answered, and the chain says what became of the command."""
        place = self.state / STATE
        asked = place.exists() and ask in json.loads(place.read_bytes()).get("answers", {})
        return asked and bool(self.told(EventType.COMMAND_ANSWERED))

    def told(self, kind: EventType) -> list[dict[str, Any]]:
        rows = self.rows("SELECT body FROM outbox WHERE type = ? ORDER BY devseq", kind.value)
        return [json.loads(body)["data"] for (body,) in rows]

    def rows(self, sql: str, *values: str) -> list[Any]:
        with closing(sqlite3.connect(self.state / "agent.db", timeout=10)) as database:
            return database.execute(sql, values).fetchall()

    def counters(self, name: str) -> list[str]:
        return [str(value) for (value,) in self.rows("SELECT value FROM counter WHERE name LIKE ?", name)]

    def check(self) -> None:
        """One answer, and just what it says was done."""
        (answer,) = self.told(EventType.COMMAND_ANSWERED)
        assert (answer["counter"], answer["kind"]) == (1, self.kind.value)
        assert answer["code"] in ("", "interrupted")
        assert self.counters("command-open/%") == []
        done = {
            CommandKind.MARK_HOLD: (len(self.told(EventType.RECORDING_HELD)), len(self.counters("held/%"))) == (1, 1),
            CommandKind.ROTATE_CERTIFICATE: len([*(self.state / "renewal").glob("*.csr")]) == 1,
            CommandKind.OFFLOAD_NOW: self.counters("offload-wanted") == ["1"],
            CommandKind.UPDATE_POLICY: self.counters("trust_version") == ["1"],
        }[self.kind]
        assert answer["done"] is done


def play(folder: Path, kind: CommandKind, calls: str, number: int, path: str) -> bool:
    device = Commanded(folder, kind)
    killed = device.killed_at(calls, number, path)
    device.again()
    device.check()
    shutil.rmtree(folder)
    return killed


@needs_strace
def test_a_hold_survives_a_kill_before_within_and_behind_its_transaction(tmp_path: Path) -> None:
    base = Commanded(tmp_path / "dry", CommandKind.MARK_HOLD).calls_before_the_command()
    points = [(WRITE, base[WRITE] + 1), (WRITE, base[WRITE] + 4), (SYNC, base[SYNC] + 1)]
    killed = [killed_about(tmp_path, call, at) for call, at in points]
    assert killed == [True] * 3


def killed_about(folder: Path, call: str, number: int) -> bool:
    """Whether it was killed at that call, or up to two earlier: what a start writes besides may be grouped otherwise
    from one start to the next, and the command's own last call then comes earlier."""
    return any(
        play(folder / f"{call}{at}", CommandKind.MARK_HOLD, call, at, "agent.db-wal")
        for at in range(number, number - 3, -1)
    )


@needs_strace
@pytest.mark.parametrize("name", ["000001.key", "000001.csr"])
def test_a_kill_while_a_key_is_made_leads_to_one_request_or_to_none(tmp_path: Path, name: str) -> None:
    draft = f"renewal/.{name}.new"
    assert play(tmp_path / "device", CommandKind.ROTATE_CERTIFICATE, "rename", 1, draft)


@needs_strace
@pytest.mark.faults
@pytest.mark.parametrize("kind", list(BODIES))
def test_a_kill_at_every_write_around_a_command_never_doubles_it_and_never_loses_it(
    tmp_path: Path, kind: CommandKind
) -> None:
    base = Commanded(tmp_path / "dry", kind).calls_before_the_command()
    points = [(call, base[call] + step) for call, steps in POINTS.items() for step in steps]
    killed = [play(tmp_path / f"{call}{at}", kind, call, at, "agent.db-wal") for call, at in points]
    print(f"{kind}: {sum(killed)} of {len(killed)} starts killed, 0 doubled, 0 lost")  # noqa: T201
    assert sum(killed) > len(killed) // 3
