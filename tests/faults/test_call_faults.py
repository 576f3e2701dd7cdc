"""Disks that fail at the first, second, third ... call of every writer, for once or from then on: nobody dies of it,
nobody promises what is not there, and the next start goes on. And that this bites."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.call_faults import FAULTS
from tests.faults.catalogue import CALL_BY_CALL

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
REPOSITORY = Path(__file__).parents[2]
SHIM = REPOSITORY / "tests" / "support" / "disk_faults.c"
SOME = {"durable": 9, "disclosure": 29, "display-log": 29, "renewal": 29, "export": 29}
EVERY_SEVENTH = {"bench": 7}  # SQLite waits half a minute on some of its thousands of failing disks
Measured = Callable[[str, object], None]


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shim") / "disk_faults.so"
    subprocess.run(["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-O2", "-o", made, SHIM], check=True)
    return made


def played(shim: Path, name: str, stride: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.faults.call_faults", name, str(stride)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "LD_PRELOAD": str(shim)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def judged(report: dict[str, Any], record_property: Measured) -> None:
    met = sum(report["met"].values())
    told = f"{len(report['broken'])} of {met} runs broken, {report['refused']} refused in words"
    record_property("measured", told)
    assert report["broken"] == []
    assert set(report["met"]) == {fault.name for fault in FAULTS}
    assert min(report["met"].values()) >= 1
    assert report["refused"]


@pytest.mark.parametrize("name", SOME)
def test_a_disk_that_fails_at_some_calls_breaks_no_promise(shim: Path, name: str, record_property: Measured) -> None:
    judged(played(shim, name, SOME[name]), record_property)


@pytest.mark.faults
@pytest.mark.parametrize("name", CALL_BY_CALL)
def test_a_disk_that_fails_at_any_call_breaks_no_promise(shim: Path, name: str, record_property: Measured) -> None:
    judged(played(shim, name, EVERY_SEVENTH.get(name, 1)), record_property)


def test_a_careless_program_is_found_out(shim: Path) -> None:
    broken = "\n".join(played(shim, "careless", 1)["broken"])
    assert "what was promised is not written" in broken
    assert "a sync was tried again where it had failed" in broken
    assert "OSError: [Errno 28]" in broken
