"""The bench's own disk: what it was told to keep it keeps, what it was not told to keep goes, and nothing else."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.power import disk_cache
from tests.power.disk_cache import HEAD, SECTOR, cache_of, lose, unflushed
from tests.power.guests import build_shim

WRITER = """
import os, sys
disk = os.open(sys.argv[1], os.O_RDWR)
os.pwrite(disk, b"k" * 512, 0)
os.fdatasync(disk)
os.pwrite(disk, b"g" * 1024, 512)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    place = tmp_path / "disk"
    place.write_bytes(b"o" * 4 * SECTOR)
    return place


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_a_power_cut_takes_what_was_not_flushed_and_nothing_else(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, "LD_PRELOAD": str(build_shim(tmp_path)), "GUEST_DISK": str(disk)}
    subprocess.run([sys.executable, "-c", WRITER, disk], env=environment, check=True)
    assert disk.read_bytes() == b"k" * SECTOR + b"g" * 2 * SECTOR + b"o" * SECTOR
    monkeypatch.setattr(disk_cache, "SHARES", (0.0,))
    lose(disk, list(unflushed(cache_of(disk))), random.Random(1))
    assert disk.read_bytes() == b"k" * SECTOR + b"o" * 3 * SECTOR


def test_a_write_is_torn_between_two_sectors_only(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_cache, "SHARES", (1.0,))
    write = disk_cache.Unflushed(0, b"o" * 4 * SECTOR, b"n" * 4 * SECTOR)
    seen, dice = set[int](), random.Random(1)
    for _ in range(100):
        lose(disk, [write], dice)
        new = disk.read_bytes().rstrip(b"o")
        assert set(new) <= {ord("n")}
        seen.add(len(new))
    assert seen == {0, SECTOR, 2 * SECTOR, 3 * SECTOR, 4 * SECTOR}


def test_a_record_that_was_cut_off_was_no_write_yet(tmp_path: Path) -> None:
    whole = HEAD.pack(512, 4) + b"oldsnews"
    (tmp_path / "cache").write_bytes(whole + HEAD.pack(0, 4) + b"olds")
    assert [(it.offset, it.before, it.after) for it in unflushed(tmp_path / "cache")] == [(512, b"olds", b"news")]
