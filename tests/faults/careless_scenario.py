"""A program that makes the three mistakes which faults at each call must find: it lets an error of the disk go up as it
is, tries a sync again where it failed, and promises before it has written."""

import os
from pathlib import Path

from tests.faults.explorer import Promise, Scenario, nothing


def _write(bench: Path, promise: Promise, rounds: int) -> None:
    descriptor = os.open(bench / "state" / "file", os.O_WRONLY | os.O_CREAT)
    promise("written")
    os.write(descriptor, b"content")
    try:
        os.fsync(descriptor)
    except OSError:
        os.fsync(descriptor)


def _check(bench: Path, promised: list[str]) -> list[str]:
    file = bench / "state" / "file"
    whole = file.exists() and file.read_bytes() == b"content"
    return ["what was promised is not written"] if promised and not whole else []


SCENARIOS = [Scenario("careless", nothing, _write, _check)]
