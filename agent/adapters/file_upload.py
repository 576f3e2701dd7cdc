"""One file on its way to the store of objects, part by part; what is there already is recognised by its hash."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from io import FileIO
from pathlib import Path

from agent.durable import disk_errors
from agent.errors import EnvironmentFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.growing import Growth
from agent.wire.identifiers import Digest
from agent.wire.offload_manifest import MAX_PART_BYTES, Part, StoredFile, end_of

FIRST_BYTES = 64 * 1024  # ours: the seal changes bytes before this only, so that only so much goes twice

KnownParts = Mapping[str, Iterable[Part]]
Put = Callable[[str, Part, bytes], None]


class FileUpload:
    """The file `place`, called `name` in the store; `known` are parts that are there. Holds one part in memory.
    Every method raises `EnvironmentFault`, also when the file is not the one it was."""

    def __init__(self, place: Path, name: str, known: Iterable[Part], put: Put, part_bytes: Callable[[], int]) -> None:
        self.place, self.name, self._put, self._part_bytes = place, name, put, part_bytes
        self._known: dict[int, list[Part]] = {}
        for part in known:
            if 0 < part.size <= MAX_PART_BYTES:
                self._known.setdefault(part.offset, []).append(part)
        self._whole = hashlib.sha256()
        self.parts: list[Part] = []

    @property
    def done(self) -> int:
        """How much of the file is there."""
        return end_of(self.parts)

    def step(self, end: int) -> bool:
        """Bring one more part of what stands before `end`; whether there was one."""
        at = self.done
        if at >= end:
            return False
        for part in sorted(self._known.get(at, ()), key=lambda part: -part.size):
            data = self._read(at, part.size) if at + part.size <= end else b""
            if len(data) == part.size and _digest(data) == part.sha256:
                self._take(part, data)
                return True
        following = min((offset for offset in self._known if offset > at), default=end)
        limit = FIRST_BYTES - at if at < FIRST_BYTES else self._part_bytes()
        data = self._read(at, min(limit, max(following - at, 1), end - at))
        part = Part(at, len(data), _digest(data))
        self._put(self.name, part, data)
        self._take(part, data)
        return True

    def stored(self) -> StoredFile:
        """What the manifest says of the file, once nothing is left."""
        return StoredFile(self.name, Digest(self._whole.hexdigest()), tuple(self.parts))

    def _take(self, part: Part, data: bytes) -> None:
        self._whole.update(data)
        self.parts.append(part)

    def _read(self, at: int, size: int) -> bytes:
        with disk_errors(self.place), open_quietly(self.place) as file:
            data = os.pread(file.fileno(), size, at)
        if not data:
            raise EnvironmentFault(f"{self.place} 在上传时变短了，将重新上传。")
        return data


class GrowingUpload:
    """A segment that is being written: whole fragments of it go out while it grows."""

    def __init__(self, upload: FileUpload) -> None:
        self.upload = upload
        self._growth = Growth(encrypted=upload.place.suffix == SUFFIX)

    def waiting(self) -> int:
        """Bytes of whole fragments that are not there yet."""
        with disk_errors(self.upload.place), open_quietly(self.upload.place) as file:
            size = os.fstat(file.fileno()).st_size
            self._growth.follow(Source(size, lambda offset, length: os.pread(file.fileno(), length, offset)))
        return max(0, self._growth.end - self.upload.done)

    def step(self) -> bool:
        """Bring one more part of what is whole; whether there was one."""
        return self.upload.step(self._growth.end)


def open_quietly(place: Path) -> FileIO:
    """A file for reading, never through a link."""
    return FileIO(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _digest(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest())
