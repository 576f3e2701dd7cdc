"""Recordings that no start could make whole: tried at a few starts, then left as they stand, so that a start is not
slowed by them for ever. What was tried, and how often, stands in `unrecovered/<RecordingId>.json` beside the folder
of all recordings, which is left untouched; whoever puts back a good copy, installs another version or removes that mark
has it tried again."""

import json
from pathlib import Path
from typing import Any

from agent import durable
from agent.version import software_version

MARKS = "unrecovered"
MAX_TRIES = 3  # ours; a card that gives back wrong bytes once may give the right ones at the next start
MAX_MARK_BYTES = 2**20  # ours; a day of segments is below a tenth


def is_given_up(folder: Path) -> bool:
    """Whether what stands in `folder` has failed `MAX_TRIES` times as it stands; raises `EnvironmentFault`."""
    mark = _marked(folder)
    return mark is not None and mark["tries"] >= MAX_TRIES and mark["tried"] == _standing(folder)


def note_failure(folder: Path) -> int:
    """Put down that the content of `folder` was refused once more; returns how often by now. Raises
    `EnvironmentFault`."""
    mark, standing = _marked(folder), _standing(folder)
    tries = 1 + (mark["tries"] if mark is not None and mark["tried"] == standing else 0)
    content = json.dumps({"tries": tries, "tried": standing}, ensure_ascii=False)
    place = _mark_of(folder)
    durable.make_directory(place.parent)
    durable.write_bytes(place, content.encode(), durable.SHARED)
    return tries


def forget_failures(folder: Path) -> None:
    """It is whole now; raises `EnvironmentFault`."""
    if _mark_of(folder).exists():
        durable.remove(_mark_of(folder))


def _marked(folder: Path) -> dict[str, Any] | None:
    """What was put down; None where that is nothing or cannot be understood: then it is tried again."""
    with durable.disk_errors(folder):
        try:
            with _mark_of(folder).open("rb") as stream:
                found = json.loads(stream.read(MAX_MARK_BYTES))
        except (FileNotFoundError, ValueError):
            return None
    return found if isinstance(found, dict) and isinstance(found.get("tries"), int) and "tried" in found else None


def _mark_of(folder: Path) -> Path:
    return folder.parent.with_name(MARKS) / f"{folder.name}.json"


def _standing(folder: Path) -> dict[str, Any]:
    with durable.disk_errors(folder):
        files = {place.name: place.stat() for place in sorted(folder.glob("segment-*"))}
    seen = {name: [found.st_size, found.st_mtime_ns] for name, found in files.items()}
    return {"version": software_version(), "files": seen}
