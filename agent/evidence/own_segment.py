"""Whether a file on a device's disk is the segment that belongs there: the device signs again only what it made itself.

A disk can be written to by others while the device is off. Whatever stands there is data until the device's own key
is found under it, for exactly that recording and that segment.
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from agent.errors import SenderFault
from agent.evidence import bmff, sidecars
from agent.evidence.bmff import BrokenBox, Source
from agent.evidence.manifest_reading import Manifest, read_manifest
from agent.evidence.recovery import Examination, examine
from agent.evidence.segment import Patch
from agent.evidence.statements import MAX_SEALED_GAPS, Seal
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import KeyId, RecordingId
from agent.wire.signing import key_id_of

HEAD_BOXES = 3  # ftyp, uuid C2PA, moov


@dataclass(frozen=True)
class SegmentSlot:
    """Where a segment stands: `name` is its file in the folder of `recording`, `key_id` the device's evidence key."""

    recording: RecordingId
    name: str
    key_id: KeyId

    def claim(self, found: Manifest) -> Manifest:
        """Return `found` when the device's key signed it for this place; raises `SenderFault` otherwise."""
        origin = found.opening.origin
        if key_id_of(found.leaf_key) != self.key_id:
            raise SenderFault(f"{self.name} 不是由本机密钥录制的，不予封存；请原样保留并交技术人员核查。")
        if (origin.recording, sidecars.segment_name(origin.segment)) != (self.recording, self.name):
            told = f"{origin.recording} 第 {origin.segment} 段"
            raise SenderFault(f"{self.name} 的内容是 {told}，不属于此处，不予封存；请交技术人员核查。")
        return found


def read_opening(source: Source) -> Examination:
    """What the beginning of a segment says, manifest and all, without reading its fragments. Never raises for
    content."""
    try:
        ends = [box.end for box in itertools.islice(bmff.walk(source), HEAD_BOXES)]
    except BrokenBox:  # no manifest can be read without all three of them
        ends = []
    return examine(Source(ends[-1] if ends else 0, source.read_at))


def check_sealed(found: Examination, slot: SegmentSlot) -> Seal:
    """The seal of a segment that is whole and as it was sealed, by this device and for this place; raises
    `SenderFault` otherwise. Damage that the seal itself tells of is no objection."""
    if found.manifest is None or found.manifest.seal is None:
        raise SenderFault(f"{slot.name} 没有可读的封存凭证，不予签名；请原样保留并交技术人员核查。")
    seal = slot.claim(found.manifest).seal
    if seal is None or _as_found(found) != _as_sealed(seal, found.manifest):
        raise SenderFault(f"{slot.name} 与封存时不一致（被改动或损坏），不予签名；请原样保留并交技术人员核查。")
    return seal


def check_draft(size: int, patch: Patch, film: Source, slot: SegmentSlot) -> Patch:
    """Return `patch` when it is this device's seal of exactly the segment that stands in `film`, which is to be cut to
    `size` bytes; raises `SenderFault` otherwise. Nothing is read of the reserved box, which may be half overwritten."""
    if not patch.offset + len(patch.data) <= size <= film.size:
        raise SenderFault(f"{slot.name} 的封存草稿超出文件范围，未采用；请原样保留并交技术人员核查。")
    seal = slot.claim(read_manifest(patch.data))
    if seal.seal is None or seal.seal.size != size:
        raise SenderFault(f"{slot.name} 的封存草稿不是封存凭证，未采用；请原样保留并交技术人员核查。")
    boxes = list(itertools.islice(bmff.walk(film.patched(patch.offset, patch.data)), HEAD_BOXES))
    places = [(box.kind, box.offset, box.end) for box in boxes[:2]]
    wanted = [(b"ftyp", 0, patch.offset), (b"uuid", patch.offset, patch.offset + len(patch.data))]
    told = (seal.opening.ftyp, seal.opening.moov)
    if places != wanted or len(boxes) < HEAD_BOXES or (_sha256(boxes[0].raw()), _sha256(boxes[2].raw())) != told:
        raise SenderFault(f"{slot.name} 的封存草稿与文件不符，未采用；请原样保留并交技术人员核查。")
    return patch


def check_row(segments: Sequence[Examination]) -> Sequence[Examination]:
    """Return `segments` when they are the first ones of one recording without a hole; raises `SenderFault`."""
    head = GENESIS
    for number, found in enumerate(segments, 1):
        if found.origin is None or (found.origin.segment, found.origin.prior_head) != (number, head):
            raise SenderFault(f"第 {number} 段缺失或与前一段衔接不上，不予签名；请原样保留并交技术人员核查。")
        head = found.head
    return segments


def _as_found(found: Examination) -> tuple[object, ...]:
    damage = tuple((place.offset, place.size) for place in found.damage[:MAX_SEALED_GAPS])
    return found.size, len(found.fragments), found.head, found.whole_hash, damage, bool(found.tail)


def _as_sealed(seal: Seal, found: Manifest) -> tuple[object, ...]:
    return seal.size, seal.fragments, seal.head, found.flat_hash, seal.damage, False


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
