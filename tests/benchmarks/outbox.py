"""Order E's figures of the outbox and the link, over the test ports: the real store, link and receiver core.

A slow card is a shim that makes fsync and fdatasync 10 ms longer (`tests/support/slow_sync.c`, compiled here with gcc):
absolute rates of a disk change twentyfold within an hour, so targets are ratios within one run.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho

from agent.wire.device_events import EVENTS_TYPE
from agent.wire.envelope import open_envelope, seal
from agent.wire.identifiers import device_id
from tests.benchmarks.figures import Bench, Row
from tests.benchmarks.reconnect import spent
from tests.support.broker import MOSQUITTO
from tests.support.center import until
from tests.support.port_keys import PortTrust, port_signer
from tests.support.torture import TOPIC, Port, Torture

SHIM = Path(__file__).parents[1] / "support" / "slow_sync.c"
PRODUCERS, SEALS = 32, 300
MILLION = 1_000_000
QUEUE = "max_queued_messages 200000"  # as the broker we configure; by its default the bare loop loses messages for ever


def durable_put(bench: Bench) -> list[Row]:
    """One producer, and 32 that wait for their answers, on the disk as it is and on a slow one."""
    count, slow = 300 if bench.quick else 2_000, 60 if bench.quick else 300
    rows = []
    for name, count_, more in (("this disk", count, {}), ("fsync +10 ms", slow, _shim(bench.folder))):
        found = dict.fromkeys(("raw", "ours", "same_bytes", "persist_queue"), 0.0)
        for job in (*found, *found, *found):  # in turn: a disk that is slow for a while is slow for all of them
            found[job] = max(found[job], _rate_of(bench, job, more, count_))
        ratio = found["ours"] / found["raw"]
        rows.append(
            Row(
                f"durable put, one producer, {name}",
                f"{found['ours']:,.0f} /s, {ratio:.2f}x raw SQLite",
                ">= 0.8x",
                ratio >= 0.8,
                f"persist-queue {found['persist_queue']:,.0f} /s",
                found["ours"] / found["persist_queue"],
                _of_what(found),
            )
        )
    more = _shim(bench.folder)
    threads = _job(bench, "raw_threads", more, _fresh(bench), PRODUCERS * 10, PRODUCERS)["per_s"]
    ours = _grouped(bench, more, slow * 10)
    note = (
        f"{PRODUCERS} put lines always waiting at the port; per-event commit by {PRODUCERS} threads {threads:,.0f} /s"
    )
    made = f"{ours:,.0f} /s, {ours / threads:.1f}x"
    return [*rows, Row("durable put, 32 producers, fsync +10 ms", made, ">= 8x", ours >= 8 * threads, note=note)]


def _of_what(found: dict[str, float]) -> str:
    same = f"{found['same_bytes']:,.0f} /s ({found['same_bytes'] / found['raw']:.2f}x)"
    own = found["ours"] / found["same_bytes"]
    return (
        f"raw SQLite, WAL and FULL, one insert a transaction: {found['raw']:,.0f} /s; raw SQLite with the bytes of our "
        f"row, our counters and pages: {same}, and of that {own:.2f}x is left by our code; best of three in turn"
    )


def card_bytes(bench: Bench) -> list[Row]:
    """Bytes that the process brings to the disk (`write_bytes` of /proc/PID/io), deletion included."""
    rows, seconds = [], 5 if bench.quick else 20
    for name, size, target in (("ten at a time", 10, True), ("each alone, not waiting", 1, False)):
        with _Bench(bench) as torture:
            outbox = torture.outbox
            before, begun = _written(outbox), time.monotonic()
            for number in range(0, 100 * seconds, size):
                outbox.say(f"put {number} {number + size}")
                time.sleep(max(0, begun + (number + size) / 100 - time.monotonic()))
            for _ in range(0, 100 * seconds, size):
                assert outbox.line("ok").startswith("ok")
            torture.drain()
            each = (_written(outbox) - before) / (100 * seconds)
        met = each <= 4096 if target else None
        rows.append(
            Row(f"bytes to the card per event, 100 /s, {name}", f"{each:,.0f}", "<= 4 096" if target else "-", met)
        )
    return rows


def waiting_million(bench: Bench) -> list[Row]:
    """Taken in the dark, reopened, read at both ends, drained in order."""
    count = 50_000 if bench.quick else MILLION
    torture = Torture(_fresh(bench))
    try:
        outbox = torture.open_outbox()
        assert outbox.ask("put 0 10000") == "ok 0 10000"
        at_first = outbox.memory_kib()
        outbox.end()
        small = _job(bench, "pack", {}, torture.folder / "device", 10_000)
        outbox = torture.open_outbox()
        begun = time.monotonic()
        outbox.say(f"put 10000 {count}")
        assert outbox.line("a million", 600) == f"ok 10000 {count}"
        took, dark = time.monotonic() - begun, outbox.memory_kib("VmHWM")
        outbox.end()
        large = _job(bench, "pack", {}, torture.folder / "device", count)
        outbox = torture.open_outbox()
        torture.broker.start()
        torture.accepted = list(range(count))
        torture.open_ingest()
        begun = time.monotonic()
        torture.drain(3_000)
        drained, peak = time.monotonic() - begun, outbox.memory_kib("VmHWM")
        torture.check()
    finally:
        torture.close()
    grown, slower = (max(dark, peak) - at_first) / 1024, large["pack_ms"] / small["pack_ms"]
    memory, packed = f"over {at_first / 1024:.0f} MB", f"{large['pack_ms']:.2f} ms"
    most = max(dark, peak) // 1024
    return [
        Row(f"{count:,} waiting: memory", f"+{grown:.0f} MB", "+48 MB", grown <= 48, note=memory),
        Row("reopening them", f"{large['reopen_s']:.2f} s", "<= 1 s", large["reopen_s"] <= 1),
        Row("packing a batch, against 10 000 waiting", f"{slower:.2f}x", "<= 2x", slower <= 2, note=packed),
        Row("taking and draining them", f"{count / took:,.0f} and {count / drained:,.0f} /s", "in order", True,
            note="50 events a message; the receiver is the slower part"),
        Row("outbox process, largest memory", f"{most} MB", "<= 80 MB", most <= 80),
    ]  # fmt: skip


def end_to_end(bench: Bench) -> list[Row]:
    """A burst, one event a message, against paho alone; 50 events a second; a hint during a long drain."""
    burst, waiting = (500, 10_000) if bench.quick else (20_000, 200_000)
    with _Bench(bench, "--single") as torture:
        begun, before = time.monotonic(), torture.processor_s()
        torture.outbox.ask(f"put 0 {burst}")
        torture.drain(600)
        single = burst / (time.monotonic() - begun)
        each = [1e6 * (after - first) / burst for first, after in zip(before, torture.processor_s(), strict=True)]
        own = time.process_time()
        bare = _bare_paho(torture.broker.port, burst)
        each.append(1e6 * (time.process_time() - own) / burst)
    spent_on = "processor time of an event: outbox {:.0f}, receiver {:.0f}, broker {:.0f} us".format(*each)
    spent_on += f"; the bare loop's both ends {each[-1]:.0f} us; one signature {_sealed_us():.0f} us, made and checked"
    with _Bench(bench) as torture:
        begun = time.monotonic()
        torture.outbox.ask(f"put 0 {burst}")
        torture.drain(600)
        batched = burst / (time.monotonic() - begun)
        late = _paced(torture, burst, 5 if bench.quick else 20)
    hint = _hint_during_drain(bench, waiting)
    p99 = sorted(late)[len(late) * 99 // 100] * 1000
    share = single / bare
    peer, alone, many = f"bare paho {bare:,.0f} /s", f"{single:,.0f} /s", f"{batched:,.0f} /s"
    return [
        Row("burst, one event a PUBLISH, receipted", f"{alone}, {share:.2f}x", ">= 0.5x", share >= 0.5, peer,
            note=spent_on),
        Row("burst, batches, receipted", f"{many}, {batched / bare:.2f}x", "-", None, peer),
        Row("50 /s, put to stored at the centre, p99", f"{p99:.0f} ms", "<= 250 ms", p99 <= 250,
            note=f"median {sorted(late)[len(late) // 2] * 1000:.0f} ms"),
        Row(f"a hint while {waiting:,} drain", f"{hint:.2f} s", "<= 2 s", hint <= 2),
    ]  # fmt: skip


class _Bench(Torture):
    """Broker, outbox and ingest that are up, in a fresh folder."""

    outbox: Port

    def __init__(self, bench: Bench, *more: object) -> None:
        super().__init__(_fresh(bench), QUEUE)
        self.broker.start()
        self.open_ingest()
        self.open_outbox(*more)
        self.outbox.ask("put 4000000 4000001")
        self.drain()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def processor_s(self) -> tuple[float, ...]:
        """What outbox, receiver and broker have spent."""
        assert self.ingest is not None
        processes = (self.outbox.process, self.ingest.process, self.broker._process)
        return tuple(spent(it.pid)[0] for it in processes if it is not None)


def _sealed_us() -> float:
    """Microseconds of this process to sign a message of one event and to check the signature."""
    device, trust, body = device_id("REC-0001"), PortTrust(), b"x" * 660
    trust.enrol(device)
    signer, begun, now = port_signer(device), time.process_time(), datetime.now(UTC)
    for _ in range(SEALS):
        open_envelope(seal(EVENTS_TYPE, body, [signer]), EVENTS_TYPE, trust.list, now)
    return 1e6 * (time.process_time() - begun) / SEALS


def _hint_during_drain(bench: Bench, waiting: int) -> float:
    torture, heard = Torture(_fresh(bench)), threading.Event()
    watcher = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    watcher.on_message = lambda *_: heard.set()
    try:
        torture.broker.start()
        outbox = torture.open_outbox()
        outbox.say(f"put 0 {waiting}")
        outbox.line("taken", 600)
        torture.open_ingest()
        watcher.connect("127.0.0.1", torture.broker.port)
        watcher.loop_start()
        watcher.subscribe(f"{TOPIC}/hint", 1)
        until(lambda: torture.stored(), "the drain has begun", 60)
        begun = time.monotonic()
        outbox.say(f"hint {waiting}")
        assert heard.wait(60), "no hint"
        return time.monotonic() - begun
    finally:
        watcher.disconnect()
        watcher.loop_stop()
        torture.close()


def _paced(torture: _Bench, first: int, seconds: int) -> list[float]:
    """Seconds from putting each of 50 a second to its number in the receiver's file."""
    place, put, seen, stop = torture.folder / "numbers", {}, {}, threading.Event()
    begin = place.stat().st_size // 4

    def watch() -> None:
        while not stop.is_set():
            count, now = place.stat().st_size // 4 - begin, time.monotonic()
            for number in range(len(seen), count):
                seen[number] = now
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.monotonic()
    for number in range(50 * seconds):
        time.sleep(max(0, begun + number / 50 - time.monotonic()))
        put[number] = time.monotonic()
        torture.outbox.ask(f"put {first + number} {first + number + 1}")
    until(lambda: len(seen) >= len(put), "all of them", 60)
    stop.set()
    watcher.join()
    return [seen[number] - put[number] for number in put]


def _bare_paho(port: int, count: int) -> float:
    """A loop over paho with a window of 100 and a subscriber; nothing is stored."""
    left, room = threading.Semaphore(0), threading.Semaphore(100)
    ear = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    mouth = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    ear.on_message = lambda *_: left.release()
    ready = threading.Event()
    ear.on_subscribe = lambda *_: ready.set()
    mouth.on_publish = lambda *_: room.release()
    mouth.max_inflight_messages_set(0)
    for client in (ear, mouth):
        client.connect("127.0.0.1", port)
        client.loop_start()
    ear.subscribe("bare", 1)
    assert ready.wait(10)
    begun = time.monotonic()
    for _ in range(count):
        room.acquire()
        mouth.publish("bare", b"x" * 300, 1)
    for _ in range(count):
        left.acquire()
    took = time.monotonic() - begun
    for client in (ear, mouth):
        client.disconnect()
        client.loop_stop()
    return count / took


def _grouped(bench: Bench, more: dict[str, str], count: int) -> float:
    torture = Torture(_fresh(bench))
    try:
        outbox = torture.open_outbox(environment=more)
        begun = time.monotonic()
        for number in range(count):
            outbox.say(f"put {number} {number + 1}")
            if number >= PRODUCERS:
                assert outbox.line("ok").startswith("ok")
        for _ in range(PRODUCERS):
            assert outbox.line("ok").startswith("ok")
        return count / (time.monotonic() - begun)
    finally:
        torture.close()


def _rate_of(bench: Bench, name: str, more: dict[str, str], count: int) -> float:
    return float(_job(bench, name, more, _fresh(bench), count)["per_s"])


def _job(bench: Bench, name: str, more: dict[str, str], folder: Path, *arguments: object) -> dict[str, Any]:
    bench.tell(name)
    command = [sys.executable, "-m", "tests.benchmarks.outbox_jobs", name, str(folder), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **more})
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def _fresh(bench: Bench) -> Path:
    place = bench.folder / "outbox"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return place


def _shim(folder: Path) -> dict[str, str]:
    made = folder / "slow_sync.so"
    if not made.exists():
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(made), str(SHIM), "-ldl"], check=True)
    return {"LD_PRELOAD": str(made), "SLOW_SYNC_US": "10000"}


def _written(port: Port) -> int:
    text = Path(f"/proc/{port.process.pid}/io").read_text(encoding="ascii")
    return int(text.split("\nwrite_bytes: ")[1].split()[0])


def _named(measure: Callable[[Bench], list[Row]]) -> Callable[[Bench], list[Row]]:
    """What cannot run says so."""
    needed = [name for name, there in (("mosquitto", MOSQUITTO), ("gcc", shutil.which("gcc"))) if there is None]

    def run(bench: Bench) -> list[Row]:
        return measure(bench) if not needed else [Row(measure.__name__, "not run", "-", None, note=f"no {needed}")]

    return run


FIGURES = {it.__name__: _named(it) for it in (durable_put, card_bytes, waiting_million, end_to_end)}
