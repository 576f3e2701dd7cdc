"""What stands in the state folder, for the officer's page to list. Nothing here writes, and nothing is loaded that the
page's small process does not need: what needs keys or a decoder is done by `examiner`, a child."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.identifiers import RECORDING_PATTERN, RecordingId, recording_number

SEALED_MARK, JOURNAL = "SHA256SUMS.p7s", "journal.jsonl"  # as in agent.evidence.sidecars, which loads much more
SEGMENT, ENCRYPTED = "segment-", ".enc"
NOTES = "notes"  # as in agent.evidence.note_findings
RUNNING_S = 20.0  # ours: a recording writes every half second
MAX_LINE_BYTES = 64 * 1024  # ours


class Standing(StrEnum):
    """How far a recording is."""

    RUNNING = "running"
    OPEN = "open"
    SEALED = "sealed"


@dataclass(frozen=True)
class FoundRecording:
    """A recording's folder. `started` is the device's own clock, `sure` whether that clock was set; where only the file
    system tells it is not. `state_mark` changes when any of its files does, or a note comes to lie beside it."""

    recording: RecordingId
    standing: Standing
    started: datetime
    sure: bool
    encrypted: bool
    segments: tuple[str, ...]
    size: int
    state_mark: str


def find_recordings(root: Path, now: datetime) -> list[FoundRecording]:
    """Every recording below `root`, the newest first; a folder that cannot be read is left out."""
    try:
        names = [it.name for it in root.iterdir() if RECORDING_PATTERN.fullmatch(it.name)]
    except OSError:
        return []
    ordered = sorted(map(RecordingId, names), key=recording_number, reverse=True)
    return [it for it in (_find(root / name, name, now) for name in ordered) if it is not None]


def _find(folder: Path, recording: RecordingId, now: datetime) -> FoundRecording | None:
    try:
        files = {it.name: it.stat() for it in sorted(folder.iterdir()) if it.is_file()}
        notes = [it.stat() for it in sorted((folder / NOTES).glob("*"))] if (folder / NOTES).is_dir() else []
    except OSError:
        return None
    segments = tuple(name for name in files if name.startswith(SEGMENT) and name.endswith((".mp4", f".mp4{ENCRYPTED}")))
    newest = max((found.st_mtime for found in files.values()), default=0.0)
    sealed, running = SEALED_MARK in files, now.timestamp() - newest < RUNNING_S
    started = _captured(folder / JOURNAL)
    first = min((files[name].st_mtime for name in segments), default=newest)
    return FoundRecording(
        recording,
        Standing.SEALED if sealed else Standing.RUNNING if running else Standing.OPEN,
        started[0] if started else datetime.fromtimestamp(first, UTC),
        started[1] if started else False,
        any(name.endswith(ENCRYPTED) for name in segments),
        segments,
        sum(files[name].st_size for name in segments),
        ";".join([*(f"{name}:{_mark(found)}" for name, found in files.items()), *map(_mark, notes)]),
    )


def _mark(found: os.stat_result) -> str:
    """The time of change can be set back by anybody; the kernel's own of the entry (ctime) cannot."""
    return f"{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_ino}"


def _captured(journal: Path) -> tuple[datetime, bool] | None:
    """The first moment in the journal, and whether the clock was set then."""
    try:
        with journal.open("rb") as stream:
            told = json.loads(stream.readline(MAX_LINE_BYTES))["captured"]
        return canonical.parse_timestamp(told["wall"]), told["state"] != "unset"
    except (OSError, ValueError, KeyError, TypeError, SenderFault):
        return None


def read_json(path: Path, most: int) -> Any:
    """What stands in the file, None where it cannot be read as JSON."""
    try:
        with path.open("rb") as stream:
            return json.loads(stream.read(most))
    except (OSError, ValueError, RecursionError):
        return None
