"""50 events a second, a kill every 20 s: nothing is lost, nothing grows. 30 minutes of it: `make test-soak`."""

import os
import signal
import statistics
import time
from pathlib import Path

import pytest

from tests.support.broker import needs_mosquitto
from tests.support.torture import Torture

pytestmark = [needs_mosquitto, pytest.mark.faults]
MINUTES = float(os.environ.get("SOAK_MINUTES", "2"))
BETWEEN_KILLS_S, A_SECOND = 20, 50
WARM_S = 40  # what is loaded and allocated once
MOST_MB = 1.0  # in ten minutes, or in all of a shorter run


def grown_mb(samples: list[tuple[float, int]]) -> float:
    """Growth of the fitted line in MB: per ten minutes, or over all of a shorter run."""
    warm = [(at, kib / 1024) for at, kib in samples if at >= WARM_S]
    slope = statistics.linear_regression([at for at, _ in warm], [mb for _, mb in warm]).slope
    return slope * min(600, warm[-1][0] - warm[0][0])


def test_nothing_grows_and_nothing_is_lost_over_many_kills(tmp_path: Path) -> None:
    torture = Torture(tmp_path)
    memory: dict[str, list[tuple[float, int]]] = {"outbox": [], "ingest": []}
    descriptors: dict[str, set[int]] = {"outbox": set(), "ingest": set()}
    try:
        torture.broker.start()
        ingest = torture.open_ingest()
        begun = time.monotonic()
        while (at := time.monotonic() - begun) < MINUTES * 60:
            outbox = torture.open_outbox()
            for tick in range(BETWEEN_KILLS_S * 10):
                torture.put(A_SECOND // 10, A_SECOND // 10)
                time.sleep(max(0, begun + at + (tick + 1) / 10 - time.monotonic()))
            for name, port in (("outbox", outbox), ("ingest", ingest)):
                memory[name].append((at + BETWEEN_KILLS_S, port.memory_kib()))
                descriptors[name].add(port.descriptors())
            outbox.end(signal.SIGKILL)
        torture.open_outbox()
        torture.drain()
        torture.check()
    finally:
        torture.close()
    growth = {name: round(grown_mb(samples), 2) for name, samples in memory.items()}
    print(f"{len(torture.accepted)} events, growth in MB {growth}, descriptors {descriptors}")  # noqa: T201
    assert all(grown < MOST_MB for grown in growth.values()), growth
    assert all(max(found) - min(found) <= 1 for found in descriptors.values()), descriptors
