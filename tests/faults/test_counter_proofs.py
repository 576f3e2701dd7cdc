"""The suite itself, tried on programs that are made worse: what no longer syncs, or commits in haste, is found by the
same explorer with the same budget that finds nothing in the real ones. A signature that nobody checks and a repetition
that nobody looks for are found by the district simulator (`tests/simulator/test_simulator.py`)."""

import shutil
from pathlib import Path

import pytest

from tests.faults.catalogue import scenario
from tests.faults.disk import Model
from tests.faults.explorer import explore
from tests.faults.test_crash_explorer import Measured

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
SLOW = pytest.mark.faults
WORSE = [
    ("no-fsync", "display-log"),
    pytest.param("no-fsync", "renewal", marks=SLOW),
    ("no-directory-sync", "disclosure"),
    pytest.param("no-directory-sync", "update", marks=SLOW),
    ("synchronous-normal", "outbox"),
]


@pytest.mark.parametrize(("sabotage", "name"), WORSE)
def test_a_program_that_was_made_worse_is_found_out(
    sabotage: str, name: str, tmp_path: Path, record_property: Measured
) -> None:
    found = explore(scenario(name), tmp_path, Model.STRICT, budget=60, sabotage=sabotage)
    record_property("measured", f"{len(found.broken)} of {found.states} disks of a worse program break a promise")
    assert found.broken
