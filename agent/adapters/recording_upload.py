"""A sealed recording on its way to the store of objects, and one that is still running.

Nothing needs to be remembered for it: what is in the store is asked for, and taken as there when its hash is that of
our own bytes. So a kill at any moment costs the part that was on its way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from agent.adapters.file_upload import FileUpload, GrowingUpload, KnownParts
from agent.durable import disk_errors
from agent.errors import EnvironmentFault
from agent.wire.identifiers import District, RecordingId
from agent.wire.offload_manifest import (
    FILE_PATTERN,
    MAX_LISTED,
    MAX_PART_BYTES,
    OffloadManifest,
    Part,
    manifest_digest,
    manifest_key,
    parse_part_key,
    part_key,
    recording_prefix,
)

# As agent.evidence.note_findings, sidecars and agent.duty.papers, which load more than this small process should carry.
FOLDERS, SIGNATURE_NAME = ("notes", "papers"), "SHA256SUMS.p7s"
SEGMENTS = "segment-*.mp4*"
SEGMENT_ENDS = (".mp4", ".mp4.enc")
PASSING = (".seal", ".new")  # a seal on its way, a draft


class Objects(Protocol):
    """What is needed of a store; `agent.object_store.ObjectStore` has it."""

    def put(self, key: str, data: bytes) -> None:
        """Store an object."""

    def listing(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Key and size of what is there."""


class Pace(Protocol):
    """How fast parts may go; `agent.adapters.upload_pace.UploadPace` is it."""

    def part_bytes(self) -> int:
        """The size of the next part."""

    def sent(self, size: int) -> None:
        """So many bytes have gone."""


@dataclass(frozen=True)
class Outside:
    """The store, as one district's recordings stand in it."""

    district: District
    objects: Objects
    pace: Pace

    def known(self, recording: RecordingId) -> dict[str, list[Part]]:
        """Parts that claim to be there, by file; raises `StoreFault`."""
        prefix, found = recording_prefix(self.district, recording), dict[str, list[Part]]()
        for key, size in self._listed(prefix):
            claimed = parse_part_key(prefix, key, size)
            if claimed is not None and 0 < size <= MAX_PART_BYTES:
                found.setdefault(claimed[0], []).append(claimed[1])
        return found

    def _listed(self, prefix: str) -> Iterator[tuple[str, int]]:
        """What stands there, as far as this device has room for it: whoever fills the store may not fill its memory.
        What is beyond is as if it were not there, and is brought again."""
        return islice(self.objects.listing(prefix), MAX_LISTED)

    def upload(self, recording: RecordingId, folder: Path, name: str, known: KnownParts) -> FileUpload:
        """A file of `recording` that is to be brought there."""

        def put(file: str, part: Part, data: bytes) -> None:
            self.objects.put(part_key(self.district, recording, file, part), data)
            self.pace.sent(len(data))

        return FileUpload(folder / name, name, known.get(name, ()), put, self.pace.part_bytes)

    def holds(self, manifest: OffloadManifest, data: bytes) -> bool:
        """Whether every part of `manifest`, whose bytes are `data`, is listed there with its size."""
        prefix = recording_prefix(self.district, manifest.recording)
        there = dict(self._listed(prefix))
        own = {
            part_key(self.district, manifest.recording, file.name, part): part.size
            for file in manifest.files
            for part in file.parts
        }
        own[manifest_key(self.district, manifest.recording, manifest_digest(data))] = len(data)
        return all(there.get(key) == size for key, size in own.items())


def files_of(folder: Path) -> dict[str, int]:
    """Name and size of everything of a recording that goes to the centre; raises `EnvironmentFault`."""
    with disk_errors(folder):
        inner = [folder / name for name in FOLDERS if (folder / name).is_dir()]
        places = [place for within in (folder, *inner) for place in within.iterdir()]
        names = {
            str(place.relative_to(folder)): place for place in places if place.is_file() and not place.is_symlink()
        }
        return {
            name: place.stat().st_size
            for name, place in sorted(names.items())
            if FILE_PATTERN.fullmatch(name) and not name.endswith(PASSING)
        }


def is_sealed(folder: Path) -> bool:
    """Whether the signed sums of a recording stand, so that nothing of it changes any more."""
    return (folder / SIGNATURE_NAME).is_file()


def upload_sealed(outside: Outside, folder: Path, recording: RecordingId) -> Iterator[bytes | None]:
    """Bring a sealed recording, one part at a time; last comes the manifest that stands in the store, None before.
    Raises `StoreFault` and `EnvironmentFault`."""
    known, listed = outside.known(recording), files_of(folder)
    stored = []
    for name, size in listed.items():
        upload = outside.upload(recording, folder, name, known)
        while upload.step(size):
            yield None
        stored.append(upload.stored())
    if files_of(folder) != listed:
        raise EnvironmentFault(f"{folder} 在上传时有变化，将再核对一遍。")
    data = OffloadManifest(outside.district, recording, tuple(stored)).encode()
    outside.objects.put(manifest_key(outside.district, recording, manifest_digest(data)), data)
    yield data


class LiveUpload:
    """The recording that runs, `every_ns` one part of what is whole by then; times are monotonic nanoseconds. Starts by
    asking what is there."""

    def __init__(self, outside: Outside, folder: Path, recording: RecordingId, every_ns: int) -> None:
        self.recording = recording
        self._outside, self._folder, self._every_ns = outside, folder, every_ns
        self._known: dict[str, list[Part]] | None = None
        self._files: dict[str, GrowingUpload] = {}
        self._next_ns = 0

    def step(self, now_ns: int) -> bool:
        """Bring one part if it is time; whether there was one, and may be another at once."""
        if now_ns < self._next_ns or not self._folder.is_dir():
            return False
        if self._known is None:
            self._known = self._outside.known(self.recording)
        for name in self._segments():
            growing = self._files.setdefault(name, self._growing(name))
            if growing.waiting() and growing.step():
                return True
        self._next_ns = now_ns + self._every_ns
        return False

    @property
    def sent(self) -> int:
        """Bytes of it that are outside."""
        return sum(growing.upload.done for growing in self._files.values())

    def _growing(self, name: str) -> GrowingUpload:
        return GrowingUpload(self._outside.upload(self.recording, self._folder, name, self._known or {}))

    def _segments(self) -> list[str]:
        with disk_errors(self._folder):
            names = [place.name for place in self._folder.glob(SEGMENTS) if place.name.endswith(SEGMENT_ENDS)]
        return sorted(names, key=lambda name: (len(name), name))
