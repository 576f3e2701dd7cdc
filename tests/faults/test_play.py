"""A disk that broke a promise can be played again by whoever finds it, and a wrong word is answered in words."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.catalogue import scenario
from tests.faults.disk import Model
from tests.faults.explorer import explore

REPOSITORY = Path(__file__).resolve().parents[2]


def play(*words: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "tests.faults.play", *map(str, words)]
    return subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_disk_that_was_kept_breaks_the_same_promise_when_it_is_played_again(tmp_path: Path) -> None:
    found = explore(scenario("outbox"), tmp_path, Model.STRICT, budget=20, sabotage="no-fsync")
    (first, *_) = found.broken
    kept = Path(first.partition("kept in ")[2].rstrip(")"))
    again = play("outbox", kept, "recover")
    assert (again.returncode, again.stderr.strip()) == (1, first.partition(" (kept in ")[0])


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_start_that_dies_of_a_disk_broke_its_promises_and_the_disk_is_kept(tmp_path: Path) -> None:
    def dies(bench: Path, promised: list[str]) -> list[str]:
        raise KeyError("nobody catches this")

    found = explore(replace(scenario("start-again"), check=dies), tmp_path, Model.STRICT, budget=5)
    assert len(found.broken) == found.states
    assert "the next start died: Traceback" in found.broken[0]
    assert (Path(found.broken[0].partition("kept in ")[2].rstrip(")")) / "promised.json").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "the following arguments are required"),
        (("no-such-scenario", ".", "1"), "invalid choice"),
        (("outbox", ".", "often"), "neither a number of rounds nor `recover`"),
        (("outbox", ".", "recover"), "is no kept disk"),
        (("outbox", ".", "1", "no-such-sabotage"), "invalid choice"),
    ],
)
def test_what_cannot_be_played_is_refused_in_words(words: tuple[str, ...], told: str) -> None:
    done = play(*words)
    assert (done.returncode, told in done.stderr, "Traceback" in done.stderr) == (2, True, False)
