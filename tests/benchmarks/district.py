"""A district on one Mosquitto whose broker is gone for ten minutes: how far behind it falls, how it catches up.

    python -m tests.benchmarks.district [--devices 200] [--outage-s 600] [--every-s 5] [--receiver-share 1] [--out DIR]

Not in `make bench`: it takes a quarter of an hour. With a share below 1 the receiver is stopped for the rest of every
tenth of a second: a centre whose machine has other work. Devices are real outboxes and links, 50 to a process
(`district_devices.py`); Mosquitto runs with the configuration that the bench writes, the receiver is the real command.
Writes `district.json` and `district.svg` into DIR.
"""

import argparse
import contextlib
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from agent.adapters.snapshot import read_snapshot
from agent.wire.identifiers import DeviceId
from agent.wire.trust import Role
from provisioning.center.store import open_store
from tests.benchmarks.reconnect import broker_of, receiver_of, spent
from tests.provisioning.district import Process, running
from tests.support.broker import free_port
from tests.support.keys import TestAuthority
from tests.support.plots import BLUE, GREEN, RED, Panel, over_time

PER_PROCESS = 50
AFTER_S, PATIENCE_S = 60.0, 600.0
TURN_S = 0.1
TOLD = 20
QUIET_LAG_S = 3.0  # longer than two receipts are apart


def run(devices: int, outage_s: float, every_s: float, share: float, folder: Path) -> dict[str, Any]:
    """Everything, in `folder`; returns what was measured."""
    district, port = TestAuthority(), free_port()
    credentials = [_device(district, folder / f"REC-{number:05d}") for number in range(1, devices + 1)]
    (folder / "root.pem").write_bytes(district.root_pem)
    broker = broker_of(district, folder / "broker", port)
    receiver = receiver_of(district, folder / "receiver", port, credentials)
    (folder / "trust.dsse").write_bytes((folder / "receiver" / "trust.dsse").read_bytes())
    with running(broker, port), running(receiver), held_to(receiver, share):
        crowd = Crowd(folder, devices, port, every_s)
        try:
            crowd.until(lambda now: now["up"] == devices and now["lag"] < QUIET_LAG_S, "everybody is there")
            begun = time.monotonic()
            crowd.watch(AFTER_S)
            assert broker.child is not None
            broker.child.send_signal(signal.SIGKILL)
            broker.child.wait()
            lost = time.monotonic()
            crowd.watch(outage_s)
            broker.start()
            back = time.monotonic()
            crowd.until(lambda now: now["up"] == devices, "everybody is back")
            connected = time.monotonic()
            crowd.until(lambda now: now["lag"] < QUIET_LAG_S, "everything is receipted")
            drained = time.monotonic()
            crowd.watch(AFTER_S)
            assert receiver.child is not None
            receiver_s = spent(receiver.child.pid)[0]
        finally:
            crowd.end()
    lines = open_store("sqlite:///center.db", folder / "receiver", create=False).summary()
    rows, names = crowd.rows(begun), [f"REC-{number:05d}" for number in range(1, devices + 1)]
    own = {name: read_snapshot(folder / name / "agent.db") for name in names}
    there = {line.device: line.upto for line in lines}
    before = [row["lag_p50"] for row in rows if row["at"] < lost]
    return {
        "devices": devices,
        "events_per_s": devices / every_s,
        "receiver_share": share,
        "receiver_cpu_s": round(receiver_s, 1),
        "outage_s": round(back - lost, 1),
        "most_waiting": max(row["waiting"] for row in rows),
        "longest_lag_s": max(row["lag"] for row in rows),
        "lag_before_s": round(statistics.median(before), 2),
        "all_back_s": round(connected - back, 1),
        "drained_s": round(drained - back, 1),
        "stored": sum(each.devseq for each in own.values()),
        "receipted": sum(each.acked for each in own.values()),
        "receipted_but_not_there": sum(max(0, each.acked - there.get(name, 0)) for name, each in own.items()),
        "alarms": sum(line.alarms for line in lines),
        "kib_a_device": round(max(row["kib"] for row in rows) / devices),
        "begin": begun,
        "lost": lost,
        "back": back,
        "rows": rows,
    }


@contextlib.contextmanager
def held_to(process: Process, share: float) -> Iterator[None]:
    """`process` runs for `share` of every `TURN_S` only."""
    ended = threading.Event()

    def turns() -> None:
        while not ended.wait(TURN_S * share) and process.child is not None:
            process.child.send_signal(signal.SIGSTOP)
            ended.wait(TURN_S * (1 - share))
            process.child.send_signal(signal.SIGCONT)

    thread = threading.Thread(target=turns)
    if share < 1:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.ident is not None:
            thread.join()


class Crowd:
    """The device processes and what they sample."""

    def __init__(self, folder: Path, devices: int, port: int, every_s: float) -> None:
        self._files, self._processes = [], []
        for first in range(1, devices + 1, PER_PROCESS):
            file, count = folder / f"samples-{first}", min(PER_PROCESS, devices + 1 - first)
            words = [folder, first, count, port, every_s, file]
            command = [sys.executable, "-m", "tests.benchmarks.district_devices", *map(str, words)]
            with (folder / "devices.log").open("ab") as log:
                self._processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log, stdout=log))
            self._files.append(file)

    def until(self, holds: Any, what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while (now := self._now()) is None or not holds(now):
            if time.monotonic() > deadline:
                behind = json.dumps((now or {}).get("behind", [])[:TOLD], indent=1)
                raise SystemExit(f"never: {what}; the first of those behind: {behind}")
            time.sleep(0.5)

    def watch(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if any(each.poll() is not None for each in self._processes):
                raise SystemExit("a process of devices has ended")
            time.sleep(min(5.0, left))

    def end(self) -> None:
        for each in self._processes:
            each.communicate(timeout=60)

    def rows(self, begin: float) -> list[dict[str, Any]]:
        """One row a second over all processes."""
        found = (_joined(moment) for moment in zip(*map(_read, self._files), strict=False))
        return [row for row in found if row["at"] >= begin]

    def _now(self) -> dict[str, Any] | None:
        last = [_read(file)[-1:] for file in self._files]
        return _joined([each[0] for each in last]) if all(last) else None


def _read(file: Path) -> list[dict[str, Any]]:
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _joined(moment: Iterable[dict[str, Any]]) -> dict[str, Any]:
    parts = list(moment)
    lags = [lag for part in parts for lag in part["lags"]] or [float("inf")]
    sums = {name: sum(part[name] for part in parts) for name in ("up", "waiting", "kib")}
    behind = [each for part in parts for each in part["behind"]]
    return {
        "behind": behind,
        "at": parts[0]["at"],
        "lag": max(lags),
        "lag_p50": round(statistics.median(lags), 2),
        **sums,
    }


def _device(district: TestAuthority, folder: Path) -> Any:
    folder.mkdir()
    district.client(folder.name).write(folder / "tls.key", folder / "tls.pem")
    evidence = district.evidence(DeviceId(folder.name), Role.RECORDER)
    evidence.write(folder / "evidence.key", folder / "evidence.pem")
    return evidence.credential(Role.RECORDER)


def plot(found: dict[str, Any]) -> str:
    """Three panels over minutes: what waits, how old the oldest of it is, who is connected."""
    begin, rows = found["begin"], found["rows"]
    minutes = [(row["at"] - begin) / 60 for row in rows]
    panels = [
        Panel("events that wait, all devices", [[row["waiting"] for row in rows]]),
        Panel("age of the oldest, s", [[row[key] for row in rows] for key in ("lag", "lag_p50")],
              ("worst device", "median device"), (RED, BLUE)),
        Panel("connected devices", [[row["up"] for row in rows]], colours=(GREEN,)),
    ]  # fmt: skip
    return over_time(panels, minutes, ((found["lost"] - begin) / 60, (found["back"] - begin) / 60))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--outage-s", type=float, default=600.0)
    parser.add_argument("--every-s", type=float, default=5.0)
    parser.add_argument("--receiver-share", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    if options.devices < 1 or options.outage_s <= 0 or options.every_s <= 0 or not 0 < options.receiver_share <= 1:
        parser.error("a district has devices, an outage and events, and its receiver a share above 0 and up to 1")
    if not options.out.is_dir():
        parser.error(f"--out {options.out} is no folder")
    with tempfile.TemporaryDirectory() as folder:
        found = run(options.devices, options.outage_s, options.every_s, options.receiver_share, Path(folder))
    (options.out / "district.svg").write_text(plot(found), encoding="utf-8")
    for row in found["rows"]:
        del row["behind"]
    (options.out / "district.json").write_text(json.dumps(found), encoding="utf-8")
    told = {name: value for name, value in found.items() if name not in ("rows", "begin", "lost", "back")}
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
