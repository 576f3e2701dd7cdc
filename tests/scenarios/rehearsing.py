"""One run of the rehearsal, judged by more than one file of tests."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.evidence.bmff import Source
from agent.evidence.recovery import examine

COMMAND = Path(sys.executable).with_name("liuhen-provision")
REHEARSAL = [
    pytest.mark.xdist_group("rehearsal"),
    pytest.mark.skipif(
        not COMMAND.exists(), reason="the package is not installed beside this Python: make test installs it"
    ),
]


def heads(recording: Path) -> dict[int, str]:
    """The head of the chain after each fragment of a recording, over all its segments."""
    films = [Source.of_bytes(path.read_bytes()) for path in sorted(recording.glob("segment-*.mp4"))]
    return {record.entry.sequence: record.head for film in films for record in examine(film).fragments}


def rehearse(place: Path, *options: str) -> dict[str, Any]:
    argv = [COMMAND, "rehearse", "--once", "--json", "--dir", place, *options]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return last
