"""An exact cut: whole fragments of one segment behind its opening, every byte as the device signed it.

    ftyp | uuid C2PA (the manifest of while it was recorded) | moov | { styp | emsg | uuid journal | moof | mdat }*

Fragments verify by themselves (C2PA 2.4 section 19.4), so nothing is signed anew and foreign software verifies the
excerpt as a live stream that is joined late. The manifest of a sealed segment covers the whole file and would not do;
the opening one is built again from the seal, down to the device's own signature, and read back before it is used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.errors import OperatorFault, SenderFault
from agent.evidence import bmff, manifest
from agent.evidence.bmff import Source
from agent.evidence.flat_hash import FlatHash
from agent.evidence.journal import JournalRecord
from agent.evidence.manifest_reading import Manifest, read_manifest
from agent.evidence.recovery import Examination
from agent.evidence.segment import opening_draft
from agent.evidence.session import SESSION_KEYS_LABEL
from agent.evidence.statements import RECORDING_LABEL, SegmentOrigin
from agent.wire.identifiers import KeyId, RecordingId

KEPT_LABELS = (manifest.ACTIONS_LABEL, RECORDING_LABEL, SESSION_KEYS_LABEL)  # an opening manifest's own, in its order


@dataclass(frozen=True)
class Excerpt:
    """Which stretch of a recording an excerpt holds: fragments `first` to `last` of the whole recording, captured from
    `begin` to `end` by the device's clock."""

    recording: RecordingId
    segment: int
    first: int
    last: int
    begin: datetime
    end: datetime


@dataclass(frozen=True)
class Clip:
    """What to write: `head`, then `size` bytes of the segment from `offset`."""

    head: bytes
    offset: int
    size: int
    excerpt: Excerpt


class _KnownSignature:
    """A signer that only repeats one signature, made long ago."""

    def __init__(self, key: KeyId, chain: tuple[bytes, ...], signature: bytes) -> None:
        self.key_id, self.chain, self._signature = key, chain, signature

    def sign(self, data: bytes) -> bytes:  # noqa: ARG002
        """The signature; whether it fits is for the reader."""
        return self._signature


def cut(source: Source, found: Examination, begin: datetime, end: datetime) -> Clip:
    """The clip of everything captured from `begin` to before `end`, rounded outwards to whole fragments.

    Raises `OperatorFault` when the segment has nothing of that time, `SenderFault` when there is damage inside the
    stretch or the opening cannot be built again.
    """
    if found.manifest is None:
        raise SenderFault("该分段没有可读的签名凭证，无法截取；请先用 liuhen-verify 检验。")
    chosen = [record for record in found.fragments if touches(record, begin, end)]
    if not chosen:
        raise OperatorFault("该分段在所给的时间内没有片段，请核对 --from 与 --to。")
    first, last = chosen[0], chosen[-1]
    size = last.offset + last.size - first.offset
    if sum(record.size for record in chosen) != size:
        raise SenderFault("所选时间内有被改或缺失的片段，不能作为原签名片段导出；请导出整段录像。")
    return Clip(
        _head(source, found.manifest, found.manifest_at), first.offset, size, excerpt_of(found.manifest, chosen)
    )


def opening_box(found: Manifest, moov: bytes, moov_at: int) -> bytes:
    """The manifest box that stood in the file while it was recorded, from what its seal kept; raises `SenderFault`
    when the seal does not hold it or anything differs."""
    if found.seal is None or not found.seal.opening_signature:
        raise SenderFault("该分段的封存中没有开头凭证的签名（旧版软件录制），无法按原签名截取；请导出整段录像。")
    flat = FlatHash()
    flat.add(moov_at, moov)
    origin: SegmentOrigin = found.opening.origin
    draft = opening_draft(origin, tuple(manifest.Assertion(label, found.assertions[label]) for label in KEPT_LABELS))
    signer = _KnownSignature(KeyId(""), found.chain, found.seal.opening_signature)
    box = manifest.build_manifest_box(draft, flat.digest(), signer)
    if read_manifest(box).label != found.seal.live_manifest:
        raise SenderFault("重建的开头凭证与封存所述不符，无法按原签名截取；请导出整段录像。")
    return box


def _head(source: Source, found: Manifest, manifest_at: int) -> bytes:
    ftyp, box, moov = _heads(source)
    if manifest_at != ftyp.end:
        raise SenderFault("文件开头的结构不对，无法截取；请先用 liuhen-verify 检验。")
    opened = box.raw() if found.seal is None else opening_box(found, moov.raw(), moov.offset)
    return ftyp.raw() + opened + moov.raw()


def _heads(source: Source) -> tuple[bmff.Box, bmff.Box, bmff.Box]:
    boxes: Iterator[bmff.Box] = bmff.walk(source)
    return next(boxes), next(boxes), next(boxes)


def touches(record: JournalRecord, begin: datetime, end: datetime) -> bool:
    """Whether any of the fragment was captured from `begin` to before `end`, by the device's clock."""
    captured = record.entry.moment.captured.wall
    return captured < end and captured + timedelta(milliseconds=record.entry.moment.duration_ms) > begin


def excerpt_of(found: Manifest, records: Sequence[JournalRecord]) -> Excerpt:
    """Which fragments `records` are: of what recording, from when to when by the device's clock."""
    origin, last = found.opening.origin, records[-1].entry
    return Excerpt(
        origin.recording,
        origin.segment,
        records[0].entry.sequence,
        last.sequence,
        records[0].entry.moment.captured.wall,
        last.moment.captured.wall + timedelta(milliseconds=last.moment.duration_ms),
    )
