"""Making one cut-off segment whole: what verifies stays, the torn tail goes aside, the file is sealed `recovered`.

Every step may be interrupted and is simply done again at the next start.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from agent import durable
from agent.adapters.segment_seal import finish_seal, seal_segment
from agent.clock import Clock
from agent.evidence.bmff import Source
from agent.evidence.journal import JournalRecord, Reason
from agent.evidence.recovery import examine, seal_recovered
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


def heal(segment: Path, signer: CertifiedSigner, clock: Clock, durable_bytes: int | None = None) -> Healed | None:
    """Seal `segment` unless it is sealed; None when it has no readable head and was set aside as `.torn`.

    `durable_bytes` is how much of it is known to have reached the disk, where that is known. Raises `EnvironmentFault`
    when the disk fails and `SenderFault` when another key began the file, which is then left as it is.
    """
    finish_seal(segment)
    with opened(segment) as whole:
        size = whole.size if durable_bytes is None else min(durable_bytes, whole.size)
        found = replace(examine(Source(size, whole.read_at)), size=whole.size)
        if found.manifest is not None and found.manifest.seal is not None:
            closing = found.manifest.seal.closing
            return Healed(found.fragments, found.head, closing.reason, closing.recovered, closing.discarded_bytes)
        if found.manifest is None:
            durable.move(segment, _torn(segment))
            return None
        patch = seal_recovered(found, signer, clock.read())
        if found.torn_bytes:
            durable.write_bytes(_torn(segment), whole.read_at(found.intact_bytes, found.torn_bytes))
    seal_segment(segment, found.intact_bytes, patch)
    return Healed(found.fragments, found.head, Reason.DEVICE_RESTART, recovered=True, discarded_bytes=found.torn_bytes)


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """`path` as a source of the evidence room; raises `EnvironmentFault`."""
    with durable.disk_errors(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with durable.disk_errors(path):
            yield Source(os.fstat(descriptor).st_size, lambda offset, length: os.pread(descriptor, length, offset))
    finally:
        os.close(descriptor)


def _torn(segment: Path) -> Path:
    return segment.with_name(segment.name + TORN_SUFFIX)
