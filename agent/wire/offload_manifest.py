"""Where a recording stands in a store of objects: its files as rows of immutable parts, each named by its own SHA-256.

    {district}/{device}/{recording}/{file}/{offset:014d}-{sha256}     bytes of the file from `offset` on
    {district}/{device}/{recording}/manifest-{sha256}.json            which parts make which file

No object is ever changed: other bytes have another name. What was uploaded while a recording ran stays what it was; the
seal, which overwrites the first bytes of a file, makes a new first part beside the old one. The device's own chain
names a manifest by its hash (`EventType.RECORDING_OFFLOADED`), so whoever reads the store need trust nothing in it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import event_hash
from agent.wire.identifiers import (
    Digest,
    District,
    RecordingId,
    digest,
    district,
    parse_recording_id,
    recording_device,
)

FILE_PATTERN = re.compile(r"(?:(?:notes|papers)/)?[A-Za-z0-9][A-Za-z0-9._-]{0,126}")
PART_PATTERN = re.compile(r"([0-9]{14})-([0-9a-f]{64})")
MAX_FILES = 8_192  # ours; a recording of a day has 144 segments, and a few hundred photos at most
MAX_PARTS = 1_000_000  # ours
MAX_LISTED = 200_000  # ours: objects of one recording; eight hours, uploaded while it ran, are some 10 000
MAX_MANIFEST_BYTES = 64 * 2**20  # ours: a recording of eight hours, uploaded while it ran, has about 1 MB
MAX_PART_BYTES = 64 * 2**20  # ours: what a reader must be able to hold


@dataclass(frozen=True)
class Part:
    """`size` bytes from `offset` on, with their SHA-256."""

    offset: int
    size: int
    sha256: Digest


@dataclass(frozen=True)
class StoredFile:
    """A file of the recording's folder: its whole content is its parts, one behind the other."""

    name: str
    sha256: Digest
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return end_of(self.parts)


@dataclass(frozen=True)
class OffloadManifest:
    """All files of a recording, by name."""

    district: District
    recording: RecordingId
    files: tuple[StoredFile, ...]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical.encode(
            {
                "district": self.district,
                "files": [_file_json(file) for file in sorted(self.files, key=lambda file: file.name)],
                "recording": self.recording,
                "v": 1,
            }
        )


def parse_manifest(data: bytes) -> OffloadManifest:
    """The manifest in `data`; raises `SenderFault` for one whose files could not be put together from its parts."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise SenderFault("上传清单过大，已拒绝。")
    fields = Fields("上传清单", canonical.decode(data))
    if fields.integer("v") != 1:
        raise SenderFault("上传清单的版本未知，已拒绝。")
    entries = fields.array("files")
    if not 1 <= len(entries) <= MAX_FILES:
        raise SenderFault(f"上传清单应有 1 至 {MAX_FILES} 个文件，已拒绝。")
    files = tuple(_file(entry) for entry in entries)
    names = {file.name for file in files}
    folders = {name.rpartition("/")[0] for name in names}
    if len(names) != len(files) or names & folders or sum(len(file.parts) for file in files) > MAX_PARTS:
        raise SenderFault("上传清单中有重复的文件、与目录同名的文件或过多的分块，已拒绝。")
    return OffloadManifest(district(fields.text("district")), parse_recording_id(fields.text("recording")), files)


def manifest_digest(data: bytes) -> Digest:
    """By what the chain and the receipt name the manifest `data`."""
    return event_hash(data)


def recording_prefix(place: District, recording: RecordingId) -> str:
    """Where everything of `recording` stands; ends with a slash."""
    return f"{place}/{recording_device(recording)}/{recording}/"


def part_key(place: District, recording: RecordingId, file: str, part: Part) -> str:
    """The name of a part's object."""
    return f"{recording_prefix(place, recording)}{file}/{part.offset:014d}-{part.sha256}"


def manifest_key(place: District, recording: RecordingId, named: Digest) -> str:
    """The name of a manifest's object."""
    return f"{recording_prefix(place, recording)}manifest-{named}.json"


def parse_part_key(prefix: str, key: str, size: int) -> tuple[str, Part] | None:
    """File and part that an object of `size` bytes under a recording's `prefix` claims to be; None for any other."""
    file, _, name = key.removeprefix(prefix).rpartition("/")
    found = PART_PATTERN.fullmatch(name)
    if not key.startswith(prefix) or found is None or not FILE_PATTERN.fullmatch(file):
        return None
    return file, Part(int(found[1]), size, Digest(found[2]))


def end_of(parts: Sequence[Part]) -> int:
    """Where the last part ends, 0 of none."""
    return parts[-1].offset + parts[-1].size if parts else 0


def longest_prefix(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Of parts that were uploaded while a file grew, in whatever order: a row from the beginning, as far as it goes. Of
    two for one place the row that goes farther is taken; the file's own signatures say which of them was true."""
    by_offset: dict[int, list[Part]] = {}
    for part in parts:
        if 0 < part.size <= MAX_PART_BYTES:
            by_offset.setdefault(part.offset, []).append(part)
    reach: dict[int, tuple[int, Part | None]] = {}
    for offset in sorted(by_offset, reverse=True):
        for part in by_offset[offset]:
            end = offset + part.size
            farthest = reach.get(end, (end, None))[0]
            if farthest > reach.get(offset, (0, None))[0]:
                reach[offset] = farthest, part
    row: list[Part] = []
    while (found := reach.get(end_of(row))) is not None and found[1] is not None:
        row.append(found[1])
    return tuple(row)


def _file_json(file: StoredFile) -> dict[str, Any]:
    parts = [[part.offset, part.size, part.sha256] for part in file.parts]
    return {"name": file.name, "parts": parts, "sha256": file.sha256}


def _file(entry: Any) -> StoredFile:
    fields = Fields("上传清单的文件", entry)
    name, parts = fields.text("name"), tuple(_part(part) for part in fields.array("parts"))
    if not FILE_PATTERN.fullmatch(name):
        raise SenderFault(f"上传清单中的文件名“{name[:60]}”不合规定，已拒绝。")
    ends = accumulate((part.size for part in parts), initial=0)
    if any(end != part.offset for end, part in zip(ends, parts, strict=False)):
        raise SenderFault(f"上传清单中 {name} 的分块不相衔接，已拒绝。")
    return StoredFile(name, digest(fields.text("sha256")), parts)


def _part(entry: Any) -> Part:
    match entry:
        case [int(offset), int(size), str(sha256)] if offset >= 0 and 0 < size <= MAX_PART_BYTES:
            return Part(offset, size, digest(sha256))
    raise SenderFault("上传清单中的分块不合规定，已拒绝。")
