"""Making one cut-off segment whole: what verifies stays, the torn tail goes aside, the file is sealed `recovered`.

Every step may be interrupted and is simply done again at the next start. Only segments that this device began itself,
for the place where they stand, are touched.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from agent import durable
from agent.adapters.background_hash import background_hashing
from agent.adapters.data_keys import NO_KEYS, DataKeys, is_encrypted
from agent.adapters.segment_seal import finish_seal, seal_segment
from agent.adapters.window import WINDOW_BYTES, opened_file
from agent.clock import Clock
from agent.errors import SenderFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_stream import MAX_HEADER_BYTES, SLOT_BYTES, SUFFIX
from agent.evidence.journal import JournalEvent, Reason
from agent.evidence.manifest import RESERVED_BYTES
from agent.evidence.manifest_reading import Manifest, read_manifest
from agent.evidence.own_segment import SegmentSlot, check_draft, check_sealed, read_opening
from agent.evidence.recovery import Examination, examine, seal_recovered
from agent.evidence.segment import Patch
from agent.wire.identifiers import Digest, RecordingId
from agent.wire.signing import CertifiedSigner

TORN_SUFFIX = ".torn"
HEAD_WINDOW_BYTES = RESERVED_BYTES + 4096  # ours: ftyp, manifest and moov in one read, all that is read of it at once


@dataclass(frozen=True)
class Break:
    """Why a segment was cut off, as far as that is known. `durable_bytes` is how much of it has reached the disk;
    `next_prior_head` the head on which the segment after it goes on, so that nothing behind it counts; `gaps` are the
    events that no fragment carries. By default the device found it so when it started."""

    reason: Reason = Reason.DEVICE_RESTART
    durable_bytes: int | None = None
    next_prior_head: Digest | None = None
    gaps: tuple[JournalEvent, ...] = ()


@dataclass(frozen=True)
class Healed:
    """A sealed segment: the recording's head after it, and what was cut away behind that."""

    head: Digest
    discarded_bytes: int


def heal(
    segment: Path, signer: CertifiedSigner, clock: Clock, broken: Break, keys: DataKeys = NO_KEYS
) -> Healed | None:
    """Seal `segment` unless it is sealed; None when it has no readable head and was set aside as `.torn`. Of a sealed
    one only the head is read. An encrypted segment is read with `keys`; its torn tail stays encrypted.

    Raises `EnvironmentFault` when the disk fails or it is no file, and `SenderFault` when it is not this device's
    segment of this place; it is then left as it is.
    """
    slot = _slot(segment, signer)
    finish_seal(segment, lambda size, patch: _checked_draft(segment, size, patch, slot, keys), keys)
    with opened(segment, HEAD_WINDOW_BYTES, keys) as head:
        begun = read_opening(head).manifest
    if begun is None and is_encrypted(segment):
        begun = _sealing_manifest(segment, keys)
    if begun is not None and begun.seal is not None:
        slot.claim(begun)
        return Healed(begun.seal.head, begun.seal.closing.discarded_bytes)
    with opened(segment, keys=keys) as whole:
        found = _examined(whole, broken)
        if found.manifest is None:
            _set_aside(segment)
            return None
        slot.claim(found.manifest)
    with opened_file(segment) as source:
        begin = _boundary(segment, found.intact_bytes, keys)
        found = replace(found, size=found.intact_bytes + source.size - begin)
        patch = seal_recovered(found, signer, clock.read(), broken.reason, broken.gaps)
        if begin < source.size:  # as it stands there, and piece by piece: a tail may be as long as a segment
            durable.write_stream(_torn(segment), source.chunks(begin, source.size - begin), durable.SHARED)
    seal_segment(segment, found.intact_bytes, patch, keys)
    return Healed(found.head, found.torn_bytes)


def read_sealed(segment: Path, signer: CertifiedSigner, keys: DataKeys = NO_KEYS) -> Examination:
    """`segment` read whole, which is as this device sealed it; raises `EnvironmentFault` or `SenderFault`."""
    with opened(segment, keys=keys) as source, background_hashing() as new_hash:
        found = examine(source, new_hash=new_hash)
    check_sealed(found, _slot(segment, signer))
    return found


def prior_head(segment: Path, keys: DataKeys = NO_KEYS) -> Digest | None:
    """The head that `segment` goes on from, None when it does not say; raises `EnvironmentFault`."""
    with opened(segment, HEAD_WINDOW_BYTES, keys) as source:
        origin = read_opening(source).origin
    return None if origin is None else origin.prior_head


@contextmanager
def opened(path: Path, window_bytes: int = WINDOW_BYTES, keys: DataKeys = NO_KEYS) -> Iterator[Source]:
    """`path`, which must be a regular file, as a source of the evidence room, read `window_bytes` at a time; decrypted
    with `keys` if it is encrypted. Raises `EnvironmentFault`."""
    reading = keys.plain(path) if is_encrypted(path) else opened_file(path, window_bytes)
    with reading as source:
        yield source


def _examined(whole: Source, broken: Break) -> Examination:
    size = whole.size if broken.durable_bytes is None else min(broken.durable_bytes, whole.size)
    with background_hashing() as new_hash:
        found = examine(Source(size, whole.read_at), new_hash=new_hash)
    ends = [record.offset + record.size for record in found.fragments if record.head == broken.next_prior_head]
    if ends and ends[0] < found.intact_bytes:
        # Written but never synced: the recorder did not count it and went on in the next segment without it.
        found = examine(Source(ends[0], whole.read_at))
    return replace(found, size=whole.size)


def _boundary(segment: Path, intact: int, keys: DataKeys) -> int:
    """Where in the file as it stands the first `intact` bytes of the segment end."""
    if not is_encrypted(segment):
        return intact
    with keys.opened(segment) as (encrypted, _):
        return encrypted.boundary(intact)


def _set_aside(segment: Path) -> None:
    """Out of the way, unless it is an encrypted segment with something in its slot: that was sealed, and whoever reads
    it with the archive's key is to find it changed, not missing. Raises `SenderFault` for it."""
    if is_encrypted(segment):
        with opened_file(segment) as source:
            filled = source.read_at(MAX_HEADER_BYTES, SLOT_BYTES - MAX_HEADER_BYTES).strip(b"\0")
        if filled:
            raise SenderFault(f"{segment.name} 已封存，但开头损坏，本机读不出，原样保留；请由中心用存档密钥核查。")
    durable.move(segment, _torn(segment))


def _sealing_manifest(segment: Path, keys: DataKeys) -> Manifest | None:
    """The seal in an encrypted segment's slot, whose opening records are damaged: it is sealed for all that, and stays
    where it is with its damage."""
    try:
        with keys.opened(segment) as (encrypted, _):
            box = encrypted.slot_box
    except SenderFault:  # there is no header of ours: nothing of it can be read
        return None
    return None if box is None else read_manifest(box)


def _checked_draft(segment: Path, size: int, patch: Patch, slot: SegmentSlot, keys: DataKeys) -> Patch:
    with opened(segment, keys=keys) as film:
        return check_draft(size, patch, film, slot)


def _slot(segment: Path, signer: CertifiedSigner) -> SegmentSlot:
    return SegmentSlot(RecordingId(segment.parent.name), segment.name.removesuffix(SUFFIX), signer.key_id)


def _torn(segment: Path) -> Path:
    return segment.with_name(segment.name + TORN_SUFFIX)
