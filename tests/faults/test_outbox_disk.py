"""A disk that is full: what was accepted is readable, what is refused is said, and there is room again afterwards."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import needs_mosquitto
from tests.support.torture import Torture

pytestmark = [needs_mosquitto, pytest.mark.faults]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """8 MiB, all of it the device's."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    place = tmp_path / "device"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=True)
    yield tmp_path
    subprocess.run(["umount", str(place)], check=True)


def fill(torture: Torture) -> int:
    """Offer events until ten lines are refused; returns how many were."""
    refused = 0
    while refused < 10:
        before = len(torture.accepted)
        torture.put(100, 100)
        refused += len(torture.accepted) == before
    return refused


def test_a_full_disk_refuses_keeps_what_it_accepted_and_takes_events_again(small_disk: Path) -> None:
    torture = Torture(small_disk)
    try:
        torture.open_outbox()
        assert fill(torture) == 10
        assert len(torture.accepted) >= 1_000
        assert torture.outbox
        torture.outbox.end()
        torture.open_outbox()
        torture.broker.start()
        torture.open_ingest()
        torture.drain()
        torture.check()
        before = len(torture.accepted)
        torture.put(500, 100)
        assert len(torture.accepted) == before + 500, "there is room again"
        torture.drain()
        torture.check()
    finally:
        torture.close()


def test_a_full_quota_refuses_at_ninety_five_percent_and_drains(tmp_path: Path) -> None:
    torture = Torture(tmp_path)
    try:
        outbox = torture.open_outbox("--quota-mb", 4)
        assert fill(torture) == 10
        assert outbox.ask(f"put {torture.offered} {torture.offered + 1}").partition(" ")[0] == "refused"
        assert outbox.ask("hint 9000000") == "ok 9000000 9000001", "a critical event still finds room"
        torture.broker.start()
        torture.open_ingest()
        torture.drain()
        torture.check(maybe=[9_000_000])
    finally:
        torture.close()
