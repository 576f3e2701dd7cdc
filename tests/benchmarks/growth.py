"""What it costs as work grows: events that wait, hours of one recording, devices of one centre.

Each size is a point of a curve; the largest is held against the smallest by what one event, hour or device costs.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.clock import system_clock
from agent.wire.identifiers import DeviceId
from agent.wire.topics import EVENTS, device_topic
from agent.wire.trust import Credential, Role
from provisioning.center.config import read_config
from provisioning.center.ingest import Ingest
from provisioning.center.page.door import Role as Visits
from provisioning.center.page.door import Visitor
from provisioning.center.page.fleet import FleetPages
from provisioning.center.page.frame import Frame
from provisioning.center.receiver import GROUP
from provisioning.center.store import open_store
from tests.benchmarks.figures import Bench, Point, Row
from tests.benchmarks.outbox import _fresh, _job, _written
from tests.benchmarks.reconnect import NAME, receiver_of
from tests.provisioning.district import Chain, sealed_batch
from tests.support.keys import TestAuthority
from tests.support.torture import Torture

WAITING, QUICK_WAITING = (1_000, 10_000, 100_000, 1_000_000), (1_000, 10_000)
HOURS, QUICK_HOURS = (1.0, 2.0, 4.0, 8.0), (1 / 30, 1 / 15)
DEVICES, QUICK_DEVICES = (1, 10, 100, 1_000), (1, 10, 40)
KBPS = 200  # a film of few bytes: what grows here is their number of fragments, not their weight
EACH, BATCH, LOOKS = 20, 5, 5
MOST_SLOWER, MOST_MB = 2.0, 120.0  # ours: linear within a factor; the memory that the whole agent is allowed


def growth_events(bench: Bench) -> list[Row]:
    """1 000 to 1 000 000 events in the outbox, the broker away: taking, packing, reopening, memory, disk."""
    torture, points, before = Torture(_fresh(bench)), [], 0
    device = torture.folder / "device"
    try:
        for size in QUICK_WAITING if bench.quick else WAITING:
            bench.tell(f"{size:,} events")
            outbox = torture.open_outbox()
            begun, written = time.perf_counter(), _written(outbox)
            outbox.say(f"put {before} {size}")
            if outbox.line("taken", 900) != f"ok {before} {size}":
                raise SystemExit("the outbox did not take them")
            each = (time.perf_counter() - begun) / (size - before)
            costs = {"memory, MB": outbox.memory_kib() / 1024, "taking, us an event": 1e6 * each}
            costs["bytes written an event"] = (_written(outbox) - written) / (size - before)
            outbox.end()
            found = _job(bench, "pack", {}, device, size)
            costs |= {"packing 50, ms": found["pack_ms"], "reopening, ms": 1000 * found["reopen_s"]}
            points.append(Point("events waiting", size, costs))
            before = size
    finally:
        torture.close()
    return [*map(_told, points), *_flat(points, ("taking, us an event", "packing 50, ms", "memory, MB"))]


def growth_recording(bench: Bench) -> list[Row]:
    """One recording of 1 to 8 hours by the real recorder, in segments of ten minutes, as fast as it goes: processor
    time an hour, memory, the stop; then its verification."""
    points, place = [], bench.folder / "hours"
    for hours in QUICK_HOURS if bench.quick else HOURS:
        bench.tell(f"{hours:g} h")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        made, read = _run("record", place, round(hours * 60), KBPS), _run("verify", place)
        if read["verdict"] != "complete":
            raise SystemExit(f"{hours} h of recording are {read['verdict']}")
        costs = {
            "recording, processor s an hour": made["cpu_s"] / hours,
            "recording, memory MB": made["peak_mb"],
            "stop to all sums signed, ms": 1000 * made["stop_s"],
            "verifying, processor s an hour": read["cpu_s"] / hours,
            "verifying, memory MB": read["peak_mb"],
        }
        points.append(Point("hours of one recording", round(hours, 3), costs))
    shutil.rmtree(place)
    rows = _flat(points, ("recording, processor s an hour", "verifying, processor s an hour"))
    return [*map(_told, points), *rows, *(_memory(points[-1], who) for who in ("recording", "verifying"))]


def growth_devices(bench: Bench) -> list[Row]:
    """1 to 1 000 devices at one centre: processor time of an event from the bytes of a PUBLISH to its receipt, and the
    fleet's page."""
    points = [_center_of(bench, count) for count in (QUICK_DEVICES if bench.quick else DEVICES)]
    # One device fills a message's transaction alone; a fleet begins at ten.
    fleet = [point for point in points if point.size >= min(10, points[-1].size)]
    return [*map(_told, points), *_flat(fleet, ("receiving, us of processor an event",))]


def _center_of(bench: Bench, count: int) -> Point:
    bench.tell(f"{count} devices")
    place, district = bench.folder / f"center-of-{count}", TestAuthority()
    place.mkdir()
    lanes, credentials = _lanes(district, count)
    receiver_of(district, place / "receiver", 9, credentials)
    config = read_config(place / "receiver" / "center.toml")
    evidence = district.evidence(NAME, Role.RECEIVER)
    trust = district.trust(evidence.credential(Role.RECEIVER), *credentials)
    store = open_store("sqlite:///center.db", place)
    ingest = Ingest(district.district, NAME, store, trust, evidence.signer)
    ingest.begin()
    spent = _take(ingest, [message for turn in zip(*lanes, strict=True) for message in turn])
    pages, took = FleetPages(Frame(config, store, system_clock())), []
    for _ in range(LOOKS):
        begun = time.perf_counter()
        pages.fleet(Visitor("示例-000003", Visits.OPERATOR))
        took.append(time.perf_counter() - begun)
    store.close()
    events = count * EACH
    costs = {
        "receiving, us of processor an event": 1e6 * spent / events,
        "the fleet's page, ms": 1000 * sorted(took)[LOOKS // 2],
        "database, bytes an event": (place / "center.db").stat().st_size / events,
    }
    shutil.rmtree(place)
    return Point("devices of one centre", count, costs)


def _lanes(district: TestAuthority, count: int) -> tuple[list[list[tuple[str, bytes]]], list[Credential]]:
    lanes, credentials = [], []
    for number in range(1, count + 1):
        name = DeviceId(f"REC-{number:05d}")
        evidence, bodies = district.evidence(name, Role.RECORDER), Chain(name, district.district).add(EACH)
        topic = device_topic(district.district, name, EVENTS)
        batches = [bodies[start : start + BATCH] for start in range(0, EACH, BATCH)]
        lanes.append([(topic, sealed_batch(evidence.signer, batch)) for batch in batches])
        credentials.append(evidence.credential(Role.RECORDER))
    return lanes, credentials


def _take(ingest: Ingest, messages: list[tuple[str, bytes]]) -> float:
    """Seconds of processor for all of them, receipts included."""
    core, begun = time.process_time(), time.perf_counter()
    for start in range(0, len(messages), GROUP):
        now, now_ms = datetime.now(UTC), int((time.perf_counter() - begun) * 1000)
        ingest.take(messages[start : start + GROUP], now, now_ms)
        ingest.delivered(ingest.receipts(now, now_ms))
    core = time.process_time() - core
    if sum(row.received for row in ingest.store.summary()) != len(messages) * BATCH:
        raise SystemExit("the centre did not take all of them")
    return core


def _told(point: Point) -> Row:
    told = "; ".join(f"{name} {value:.3g}" for name, value in point.costs.items())
    return Row(f"{point.size:,.10g} {point.work}", told, "-", None, point=point)


def _flat(points: list[Point], costs: Iterable[str]) -> list[Row]:
    """The largest size against the smallest, by what one of them costs."""
    first, last = points[0], points[-1]
    rows = []
    for cost in costs:
        slower = last.costs[cost] / first.costs[cost]
        name = f"{cost.partition(',')[0]}, {last.size:,.10g} against {first.size:,.10g} {last.work}"
        rows.append(Row(name, f"{slower:.2f}x", f"<= {MOST_SLOWER:g}x", slower <= MOST_SLOWER, note=cost))
    return rows


def _memory(point: Point, who: str) -> Row:
    peak = point.costs[f"{who}, memory MB"]
    return Row(f"{who} {point.size:g} h, memory", f"{peak:.0f} MB", f"<= {MOST_MB:g} MB", peak <= MOST_MB)


def _run(name: str, folder: Path, *arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.growth_jobs", name, str(folder), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {
    it.__name__: it for it in (growth_events, growth_recording, growth_devices)
}
