"""What a medium still shows after its device was erased: looked for byte by byte, in a folder, an image or a card."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent import durable

PIECE = 4 * 2**20
MARKERS = {
    "私钥 (PEM)": rb"-----BEGIN (EC |ENCRYPTED )?PRIVATE KEY-----",
    "入网口令 (card)": rb"application/vnd\.liuhen\.card",
    "事件库 (SQLite)": rb"SQLite format 3\x00",
    "录像片段 (MP4)": rb"ftyp(isom|mp4[0-9]|iso[0-9]|dash|avc1)",
    "事件 (CloudEvents)": rb"urn:liuhen:[a-z]",
    "录像日志": rb'"captured_at"',
}
OVERLAP = 64  # longer than any marker


@dataclass(frozen=True)
class Scanned:
    """How much was read, and what was found where: a name of `MARKERS` or of the caller's, with a place."""

    read: int
    found: tuple[tuple[str, str], ...]


def scan(medium: Path, also: dict[str, bytes] | None = None) -> Scanned:
    """Read all of `medium` (a folder's plain files, or a file, image or disk as it is); raises `EnvironmentFault`."""
    patterns = {name: re.compile(pattern) for name, pattern in MARKERS.items()}
    patterns |= {name: re.compile(re.escape(text)) for name, text in (also or {}).items() if text}
    read, found = 0, []
    for file in _files(medium):
        size, here = _scan_file(file, patterns)
        read += size
        found += here
    return Scanned(read, tuple(found))


def _files(medium: Path) -> Iterator[Path]:
    if not medium.is_dir():
        yield medium
        return
    for place in sorted(medium.rglob("*")):
        if place.is_file() and not place.is_symlink():
            yield place


def _scan_file(file: Path, patterns: dict[str, re.Pattern[bytes]]) -> tuple[int, list[tuple[str, str]]]:
    found: dict[str, str] = {}
    with durable.disk_errors(file), file.open("rb") as source:
        at, kept = 0, b""
        while piece := source.read(PIECE):
            window = kept + piece
            for name, pattern in patterns.items():
                if name not in found and (hit := pattern.search(window)):
                    found[name] = f"{file.name}@{at - len(kept) + hit.start()}"
            at, kept = at + len(piece), window[-OVERLAP:]
    return at, list(found.items())
