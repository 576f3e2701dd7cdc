"""Making one cut-off segment whole: what verifies stays, the torn tail goes aside, the file is sealed `recovered`.

Every step may be interrupted and is simply done again at the next start.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from agent import durable
from agent.adapters.data_keys import DataKeys, is_encrypted
from agent.adapters.segment_seal import finish_seal, seal_segment
from agent.clock import Clock
from agent.errors import SenderFault
from agent.evidence.bmff import Source
from agent.evidence.journal import JournalRecord, Reason
from agent.evidence.recovery import Examination, examine, seal_recovered
from agent.wire.identifiers import Digest
from agent.wire.signing import CertifiedSigner

TORN_SUFFIX = ".torn"


@dataclass(frozen=True)
class Healed:
    """A sealed segment: its journal, the head after it, why it ended, and what this very call did to it."""

    records: tuple[JournalRecord, ...]
    head: Digest
    reason: Reason
    recovered: bool
    discarded_bytes: int


def heal(
    segment: Path, signer: CertifiedSigner, clock: Clock, keys: DataKeys, durable_bytes: int | None = None
) -> Healed | None:
    """Seal `segment` unless it is sealed; None when it has no readable head and was set aside as `.torn`.

    `durable_bytes` is how much of it is known to have reached the disk, where that is known. Raises `EnvironmentFault`
    when the disk fails and `SenderFault` when another key began the file, which is then left as it is.
    """
    finish_seal(segment, keys)
    found = _examined(segment, keys, durable_bytes)
    if found is None or found.manifest is None:
        durable.move(segment, _torn(segment))
        return None
    if found.manifest.seal is not None:
        closing = found.manifest.seal.closing
        return Healed(found.fragments, found.head, closing.reason, closing.recovered, closing.discarded_bytes)
    torn = torn_tail(segment, found.intact_bytes, keys)
    found = replace(found, size=found.intact_bytes + len(torn))
    patch = seal_recovered(found, signer, clock.read())
    if torn:
        durable.write_bytes(_torn(segment), torn)
    seal_segment(segment, found.intact_bytes, patch, keys)
    return Healed(found.fragments, found.head, Reason.DEVICE_RESTART, recovered=True, discarded_bytes=found.torn_bytes)


def _examined(segment: Path, keys: DataKeys, durable_bytes: int | None) -> Examination | None:
    try:
        with opened(segment, keys) as whole:
            size = whole.size if durable_bytes is None else min(durable_bytes, whole.size)
            return examine(Source(size, whole.read_at))
    except SenderFault:  # not even the header of an encrypted file
        return None


def torn_tail(segment: Path, intact: int, keys: DataKeys) -> bytes:
    """What stands in the file after the first `intact` bytes of the segment; of an encrypted one as it stands there."""
    begin = intact
    if is_encrypted(segment):
        with keys.opened(segment) as encrypted:
            begin = encrypted.boundary(intact)
    with durable.disk_errors(segment), segment.open("rb") as file:
        file.seek(begin)
        return file.read()


@contextmanager
def opened(path: Path, keys: DataKeys | None = None) -> Iterator[Source]:
    """The segment in `path` as a source of the evidence room, decrypted with `keys`; raises `EnvironmentFault`, and
    `SenderFault` for an encrypted file without a header."""
    if keys is not None and is_encrypted(path):
        with keys.opened(path) as encrypted:
            yield encrypted.plain
        return
    with durable.disk_errors(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with durable.disk_errors(path):
            yield Source(os.fstat(descriptor).st_size, lambda offset, length: os.pread(descriptor, length, offset))
    finally:
        os.close(descriptor)


def _torn(segment: Path) -> Path:
    return segment.with_name(segment.name + TORN_SUFFIX)
