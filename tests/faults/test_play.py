"""A disk that broke a promise can be played again by whoever finds it, and a wrong word is answered in words."""

import shutil
import subprocess
import sys
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
