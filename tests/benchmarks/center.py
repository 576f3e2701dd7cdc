"""Order E's figures of the centre's receiver: verified events a second on one core, and what one costs that comes
alone."""

import time
from collections.abc import Callable
from pathlib import Path

from agent.wire.identifiers import DeviceId
from agent.wire.signing import Signer
from provisioning.center.ingest import Ingest
from provisioning.center.receiver import GROUP
from provisioning.center.store import open_store
from tests.benchmarks.figures import Bench, Row
from tests.provisioning.district import NOW, PLACE, Chain, TestDistrict, events_topic, load_signer, sealed_batch

DEVICES, BATCH = 20, 50
EVENTS, QUICK_EVENTS, RUNS = 40_000, 10_000, 3
TARGET = 5_000
LONE_DEVICES, LONE_EACH = 200, 6


def receiver_events(bench: Bench) -> list[Row]:
    """Events a second of one core, from the bytes of a PUBLISH to the commit: signature verified, chain checked, stored
    in SQLite with synchronous=FULL, appended to the Merkle log; receipts sealed beside it."""
    base = bench.folder / "center"
    district = TestDistrict(base, 1883, moment=lambda: NOW)
    key = load_signer(district.receiver(), "receiver")
    messages = _messages(district, DEVICES, (QUICK_EVENTS if bench.quick else EVENTS) // DEVICES, BATCH, bench.tell)
    runs = []
    for number in range(RUNS):
        bench.tell(f"run {number + 1} of {RUNS}")
        ingest = _ingest(district, base / f"run-{number}", key)
        runs.append(_run(ingest, messages, GROUP, BATCH))
        ingest.store.close()
    cores, walls = zip(*runs, strict=True)
    note = f"{DEVICES} devices, {BATCH} events in a message, {GROUP} messages in a transaction; "
    note += f"by the processor's time, worst of {RUNS} {min(cores):,.0f}/s; by the clock {max(walls):,.0f}/s at best"
    rate = sorted(cores)[RUNS // 2]
    return [Row("receiver, verified events", f"{rate:,.0f} /s", f">= {TARGET:,} /s", rate >= TARGET, note=note)]


def receiver_lone_events(bench: Bench) -> list[Row]:
    """Processor time of an event that comes alone, each from another device: one in a transaction, as in a quiet hour,
    and as many as a busy receiver takes together. Receipts, and noting that they were delivered, included."""
    base, count = bench.folder / "lone", 20 if bench.quick else LONE_DEVICES
    district = TestDistrict(base, 1883, moment=lambda: NOW)
    key = load_signer(district.receiver(), "receiver")
    messages = _messages(district, count, LONE_EACH, 1, bench.tell)
    rows = []
    for group in (1, GROUP):
        ingest = _ingest(district, base / f"by-{group}", key)
        core, wall = _run(ingest, messages, group, 1)
        ingest.store.close()
        note = f"{count} devices in turn, {len(messages)} events; by the clock {1000 / wall:.2f} ms"
        rows.append(Row(f"lone event, {group} in a transaction", f"{1000 / core:.2f} ms", "-", None, note=note))
    return rows


def _ingest(district: TestDistrict, folder: Path, key: Signer) -> Ingest:
    store = open_store("sqlite:///center.db", folder)
    ingest = Ingest(PLACE, "receiver-1", store, district.authority.trust(), key)
    ingest.begin()
    return ingest


def _messages(
    district: TestDistrict, devices: int, each: int, batch: int, tell: Callable[[str], None]
) -> list[tuple[str, bytes]]:
    lanes = []
    for number in range(1, devices + 1):
        name = f"REC-{number:04d}"
        tell(f"events of {name}")
        signer, bodies = load_signer(district.device(name), "evidence"), Chain(DeviceId(name)).add(each)
        batches = [bodies[start : start + batch] for start in range(0, each, batch)]
        lanes.append([(events_topic(name), sealed_batch(signer, events)) for events in batches])
    return [message for turn in zip(*lanes, strict=True) for message in turn]


def _run(ingest: Ingest, messages: list[tuple[str, bytes]], group: int, batch: int) -> tuple[float, float]:
    events = len(messages) * batch
    wall, core = time.perf_counter(), time.process_time()
    for start in range(0, len(messages), group):
        now_ms = int((time.perf_counter() - wall) * 1000)
        ingest.take(messages[start : start + group], NOW, now_ms)
        ingest.delivered(ingest.receipts(NOW, now_ms))
    core, wall = time.process_time() - core, time.perf_counter() - wall
    assert sum(row.received for row in ingest.store.summary()) == events
    return events / core, events / wall


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {it.__name__: it for it in (receiver_events, receiver_lone_events)}
