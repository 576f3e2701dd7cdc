"""Order E's figure of the centre's receiver: verified events a second on one core."""

import time
from collections.abc import Callable

from agent.wire.identifiers import DeviceId
from provisioning.center.ingest import Ingest
from provisioning.center.receiver import GROUP
from provisioning.center.store import open_store
from tests.benchmarks.figures import Bench, Row
from tests.provisioning.district import NOW, PLACE, Chain, TestDistrict, events_topic, load_signer, sealed_batch

DEVICES, BATCH = 20, 50
EVENTS, QUICK_EVENTS, RUNS = 40_000, 10_000, 3
TARGET = 5_000


def receiver_events(bench: Bench) -> list[Row]:
    """Events a second of one core, from the bytes of a PUBLISH to the commit: signature verified, chain checked, stored
    in SQLite with synchronous=FULL, appended to the Merkle log; receipts sealed beside it."""
    base = bench.folder / "center"
    district = TestDistrict(base, 1883, moment=lambda: NOW)
    key = load_signer(district.receiver(), "receiver")
    messages = _messages(district, (QUICK_EVENTS if bench.quick else EVENTS) // DEVICES, bench.tell)
    runs = []
    for number in range(RUNS):
        bench.tell(f"run {number + 1} of {RUNS}")
        store = open_store("sqlite:///center.db", base / f"run-{number}")
        ingest = Ingest(PLACE, "receiver-1", store, district.authority.trust(), key)
        ingest.begin()
        runs.append(_run(ingest, messages))
        store.close()
    cores, walls = zip(*runs, strict=True)
    note = f"{DEVICES} devices, {BATCH} events in a message, {GROUP} messages in a transaction; "
    note += f"by the processor's time, worst of {RUNS} {min(cores):,.0f}/s; by the clock {max(walls):,.0f}/s at best"
    rate = sorted(cores)[RUNS // 2]
    return [Row("receiver, verified events", f"{rate:,.0f} /s", f">= {TARGET:,} /s", rate >= TARGET, note=note)]


def _messages(district: TestDistrict, each: int, tell: Callable[[str], None]) -> list[tuple[str, bytes]]:
    lanes = []
    for number in range(1, DEVICES + 1):
        name = f"REC-{number:04d}"
        tell(f"events of {name}")
        signer, bodies = load_signer(district.device(name), "evidence"), Chain(DeviceId(name)).add(each)
        batches = [bodies[start : start + BATCH] for start in range(0, each, BATCH)]
        lanes.append([(events_topic(name), sealed_batch(signer, batch)) for batch in batches])
    return [message for turn in zip(*lanes, strict=True) for message in turn]


def _run(ingest: Ingest, messages: list[tuple[str, bytes]]) -> tuple[float, float]:
    events = len(messages) * BATCH
    wall, core = time.perf_counter(), time.process_time()
    for start in range(0, len(messages), GROUP):
        now_ms = int((time.perf_counter() - wall) * 1000)
        ingest.take(messages[start : start + GROUP], NOW, now_ms)
        ingest.delivered(ingest.receipts(NOW, now_ms))
    core, wall = time.process_time() - core, time.perf_counter() - wall
    assert sum(row.received for row in ingest.store.summary()) == events
    return events / core, events / wall


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {"receiver_events": receiver_events}
