"""Recordings that devices have brought to the store of objects, put together again file by file. Nothing in the store
is trusted: every part must have the hash that its manifest says, and the manifest the one that the device's chain told.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from agent import durable
from agent.errors import SenderFault
from agent.wire.identifiers import Digest, District, RecordingId
from agent.wire.offload_manifest import (
    MAX_MANIFEST_BYTES,
    MAX_PARTS,
    OffloadManifest,
    Part,
    StoredFile,
    longest_prefix,
    manifest_digest,
    manifest_key,
    parse_manifest,
    parse_part_key,
    part_key,
    recording_prefix,
)


class Objects(Protocol):
    """What is needed of a store; `agent.object_store.ObjectStore` has it."""

    def get(self, key: str, most: int) -> bytes | None:
        """The object, None where there is none; of one longer than `most`, one byte more than that."""

    def listing(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Key and size of what is there."""

    def move(self, key: str, target: str) -> None:
        """Rename an object."""


class BadObject(SenderFault):
    """The object under `key` is not what its name says, or not there (`missing`)."""

    def __init__(self, key: str, *, missing: bool) -> None:
        words = "不在对象存储中" if missing else "的内容与其摘要不符"
        super().__init__(f"对象 {key} {words}，未签回执；设备将重新上传。", "missing" if missing else "altered")
        self.key, self.missing = key, missing


@dataclass(frozen=True)
class Shelf:
    """One district's recordings in a store."""

    district: District
    objects: Objects

    def manifest(self, recording: RecordingId, named: Digest) -> OffloadManifest:
        """The manifest that the chain names; raises `BadObject`, or `SenderFault` when it speaks of something else."""
        key = manifest_key(self.district, recording, named)
        data = self.objects.get(key, MAX_MANIFEST_BYTES)
        if data is None or manifest_digest(data) != named:
            raise BadObject(key, missing=data is None)
        manifest = parse_manifest(data)
        if (manifest.district, manifest.recording) != (self.district, recording):
            raise SenderFault(f"上传清单 {key} 说的是另一录制 {manifest.recording}，已拒绝。")
        return manifest

    def fetch(self, manifest: OffloadManifest, folder: Path) -> None:
        """Write every file of `manifest` into `folder`, each byte checked; raises `BadObject` and
        `EnvironmentFault`."""
        for file in manifest.files:
            target = folder / file.name
            durable.make_directory(target.parent)
            whole = hashlib.sha256()
            durable.write_stream(target, self._content(manifest.recording, file, whole), durable.SHARED)
            if whole.hexdigest() != file.sha256:
                raise SenderFault(f"{file.name} 的分块拼不成清单所说的文件，已拒绝。")

    def fetch_unfinished(self, recording: RecordingId, folder: Path) -> tuple[StoredFile, ...]:
        """Write what is there of a recording that never came to its end, as far as its files go without a hole. It can
        be verified as a recording that a power cut ended."""
        prefix, parts = recording_prefix(self.district, recording), dict[str, list[Part]]()
        for key, size in islice(self.objects.listing(prefix), MAX_PARTS):
            claimed = parse_part_key(prefix, key, size)
            if claimed is not None:
                parts.setdefault(claimed[0], []).append(claimed[1])
        found = []
        for name in sorted(parts):
            file = StoredFile(name, Digest(""), longest_prefix(parts[name]))
            durable.make_directory((folder / name).parent)
            content = self._content(recording, file, hashlib.sha256())
            durable.write_stream(folder / name, content, durable.SHARED)
            found.append(file)
        return tuple(found)

    def put_aside(self, fault: BadObject) -> None:
        """Take an object that is not what its name says out of the way, so that the device sees that it is missing and
        brings it again; what was found stays, beside."""
        if not fault.missing:
            self.objects.move(fault.key, f"refused/{fault.key}")

    def _content(self, recording: RecordingId, file: StoredFile, whole: "hashlib._Hash") -> Iterator[bytes]:
        for part in file.parts:
            key = part_key(self.district, recording, file.name, part)
            data = self.objects.get(key, part.size)
            if data is None or len(data) != part.size or hashlib.sha256(data).hexdigest() != part.sha256:
                raise BadObject(key, missing=data is None)
            whole.update(data)
            yield data
