"""The files that were collected from another maker's recorder, on this device's disk, and which are already there.

collected/REC-0001-C000001/material.mp4  material.c2pa  SHA256SUMS  SHA256SUMS.p7s
collected/.REC-0001-C000002.new/         one on its way; removed at the next start
collected/seen.jsonl                     what was read where, so that a card is not read again; can be lost
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent import durable
from agent.adapters.sidecar_files import sums_of_bytes
from agent.adapters.window import Window
from agent.control.storage_policy import StoragePolicy, Tier, tier
from agent.errors import EnvironmentFault, SenderFault
from agent.evidence import collected, sidecars
from agent.evidence.bmff import Source
from agent.evidence.collected import CollectedStatement
from agent.wire.identifiers import COLLECTED_PATTERN, CollectedId, DeviceId, Digest, collected_id, collected_number
from agent.wire.instant import Instant
from agent.wire.signing import CertifiedSigner

SEEN = "seen.jsonl"
SYNC_BYTES = 8 * 2**20  # ours: so that a recording's own fdatasync never waits for gigabytes of ours


@dataclass(frozen=True)
class Seen:
    """A file as a card shows it: name below its root, size, time of change in nanoseconds."""

    path: bytes
    size: int
    modified_ns: int


class SeenFiles:
    """The files that were read, kept in `place`, which can be lost."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._seen: set[Seen] = set()

    def open(self) -> None:
        """Read what was kept; a torn line is a file that is read again."""
        self._seen = set(self._kept())

    def knows(self, seen: Seen) -> bool:
        """Whether this very file was read before."""
        return seen in self._seen

    def remember(self, seen: Seen) -> None:
        """It need not be read again; raises `EnvironmentFault`."""
        self._seen.add(seen)
        line = json.dumps([seen.path.hex(), seen.size, seen.modified_ns]).encode() + b"\n"
        with durable.disk_errors(self._place), self._place.open("ab") as stream:
            stream.write(line)  # not synced: what is lost of it is read again

    def _kept(self) -> Iterator[Seen]:
        try:
            lines = self._place.read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            try:
                path, size, modified_ns = json.loads(line)
                yield Seen(bytes.fromhex(path), int(size), int(modified_ns))
            except (ValueError, TypeError):
                continue


@dataclass(frozen=True)
class Origin:
    """Who collects, and the label of where from."""

    device: DeviceId
    unit: str
    source: str
    version: str


class NoRoom(EnvironmentFault):
    """This file would take room that the device's own recordings need."""


class CollectedShelf:
    """The folder `root`; used by one thread. `open` reads what is there. With `policy` nothing is taken that would
    make room scarce: an officer's own hours come first."""

    def __init__(
        self, root: Path, origin: Origin, signer: CertifiedSigner, policy: StoragePolicy | None = None
    ) -> None:
        self.root, self.origin, self._signer, self._policy = root, origin, signer, policy
        self.seen = SeenFiles(root / SEEN)
        self._digests: dict[Digest, CollectedId] = {}
        self._last = 0

    def open(self, used: int) -> None:
        """Read what stands here; no number up to `used` is given again. Raises `EnvironmentFault`."""
        with durable.disk_errors(durable.make_directory(self.root)):
            names = [it.name for it in self.root.iterdir()]
        for name in names:
            if name.startswith(".") and name.endswith(".new"):
                shutil.rmtree(self.root / name, ignore_errors=True)
        items = [CollectedId(name) for name in names if COLLECTED_PATTERN.fullmatch(name)]
        self._last = max([used, *map(collected_number, items)])
        self._digests = {digest: item for item in items for digest in self._digest_of(item)}
        self.seen.open()

    def items(self, after: int) -> list[CollectedId]:
        """The items whose number is above `after`, in order."""
        return [it for it in sorted(self._digests.values(), key=collected_number) if collected_number(it) > after]

    def item_of(self, digest: Digest) -> CollectedId | None:
        """The item with that content, None when there is none."""
        return self._digests.get(digest)

    def draft(self, seen: Seen) -> Path:
        """An empty folder for the next item; raises `EnvironmentFault`."""
        folder = self.root / f".{collected_id(self.origin.device, self._last + 1)}.new"
        shutil.rmtree(folder, ignore_errors=True)
        return durable.make_directory(folder) / f"{collected.MATERIAL}.{collected.extension(seen.path)}"

    def check_room(self, needed: int) -> None:
        """Raises `NoRoom` unless `needed` bytes can be had of this disk, and `EnvironmentFault` when it fails."""
        with durable.disk_errors(self.root):
            found = os.statvfs(self.root)
        left = found.f_bavail * found.f_frsize - needed
        scarce = self._policy is not None and tier(max(0, left), self._policy) is not Tier.PLENTY
        if left < 0 or scarce:
            raise NoRoom("存储空间不足，暂停采集第三方记录仪文件。请导出已回执的录像后再采集。")

    def write(self, place: Path, pieces: Iterable[bytes]) -> None:
        """Write the material at `place`, which `draft` gave; raises `EnvironmentFault`."""
        durable.write_stream(place, pieces, durable.SHARED, SYNC_BYTES)

    def discard(self, place: Path) -> None:
        """Let a draft go."""
        shutil.rmtree(place.parent, ignore_errors=True)

    def keep(self, place: Path, digest: Digest, seen: Seen, modified: datetime, now: Instant) -> CollectedStatement:
        """Sign the draft at `place` and make it an item; it is on the disk when this returns. Raises
        `EnvironmentFault`; nothing of the draft is left then."""
        item = collected_id(self.origin.device, self._last + 1)
        with durable.disk_errors(place), place.open("rb") as stream:
            look = collected.look_at(Source(seen.size, Window(stream.fileno()).read_at))
        origin = self.origin
        who = (item, origin.device, origin.unit, origin.source)
        stated = CollectedStatement(*who, seen.path, modified, seen.size, digest, look.structure, now, origin.version)
        store = collected.sign_collected(stated, look, self._signer)
        self._write_sums(place, digest, store)
        durable.move(place.parent, self.root / item)
        self._last, self._digests[digest] = self._last + 1, item
        return stated

    def statement(self, item: CollectedId) -> CollectedStatement:
        """What was signed of `item`; raises `EnvironmentFault` or `SenderFault`."""
        place = self.root / item / collected.MANIFEST_NAME
        with durable.disk_errors(place):
            return collected.open_collected(place.read_bytes()).statement

    def _write_sums(self, place: Path, digest: Digest, store: bytes) -> None:
        manifest = durable.write_bytes(place.with_name(collected.MANIFEST_NAME), store, durable.SHARED)
        listed = {place.name: digest, manifest.name: sums_of_bytes(store, sm3=False).sha256}
        sums = sidecars.sha256sums(listed)
        durable.write_bytes(place.with_name(sidecars.SUMS_NAME), sums, durable.SHARED)
        signed = sidecars.sign_sums(sums, self._signer)
        durable.write_bytes(place.with_name(sidecars.SIGNATURE_NAME), signed, durable.SHARED)

    def _digest_of(self, item: CollectedId) -> Iterator[Digest]:
        try:
            sums = sidecars.parse_sums((self.root / item / sidecars.SUMS_NAME).read_bytes())
        except (OSError, SenderFault):
            return  # it stays as it is, and its material would be collected once more
        yield from (digest for name, digest in sums.items() if name != collected.MANIFEST_NAME)
