"""The power of a whole device goes while it records on ext4 and f2fs: no promise is broken. And that this bites."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import OperatorFault
from tests.power.cuts import Bench, Work
from tests.power.guests import build_shim, missing
from tests.support.device import DistrictKeys

pytestmark = [
    pytest.mark.power,
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())} (make test-power)"),
]
CUTS = int(os.environ.get("POWER_CUTS", "50"))  # order H: 50 or more, here of each file system and each kind of disk
FEW = 4
Measured = Callable[[str, object], None]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("power")
    return Bench(folder, build_shim(folder))


def told(what: object, record_property: Measured) -> None:
    record_property("measured", str(what))
    print(f"\n{what}")  # noqa: T201 - a tier that takes a quarter of an hour


@pytest.mark.parametrize("cached", [False, True], ids=["plain", "cached"])
@pytest.mark.parametrize("file_system", ["ext4", "f2fs"])
def test_a_power_cut_of_the_whole_device_breaks_no_promise(
    file_system: str, cached: bool, bench: Bench, record_property: Measured
) -> None:
    found = bench.cut(Work(file_system, cached), CUTS)
    told(found, record_property)
    assert found.broken == {}
    assert found.promises > CUTS
    assert found.cuts == CUTS
    assert not cached or found.sectors


WORSE = {
    "no sync": Work("ext4", sabotage="no-fsync"),
    "no sync on f2fs": Work("f2fs", sabotage="no-fsync"),
    "SQLite with synchronous=NORMAL": Work("ext4", sabotage="synchronous-normal"),
    "a file system that does not flush the disk": Work("ext4", cached=True, options="nobarrier"),
}


@pytest.mark.parametrize("worse", WORSE.values(), ids=WORSE)
def test_a_device_that_does_not_sync_is_found_out(worse: Work, bench: Bench, record_property: Measured) -> None:
    found = bench.cut(worse, FEW)
    told(found, record_property)
    assert found.broken


def test_fat_is_refused_for_evidence_and_the_reason_is_real(
    bench: Bench, tmp_path: Path, record_property: Measured
) -> None:
    DistrictKeys().write_folder(tmp_path / "device", 1)
    code, words = bench.start_agent(tmp_path / "device", "vfat")
    assert code == OperatorFault.exit_code
    assert "vfat" in words
    assert "断电" in words
    assert bench.start_agent(tmp_path / "device", "ext4")[0] is None
    found = bench.cut(Work("vfat"), FEW)
    told(f"{len(found.broken)} of {found.cuts} FAT disks break a promise", record_property)
    assert found.broken
