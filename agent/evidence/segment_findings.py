"""What one examined segment file shows by itself: damage, and fragments missing, swapped or repeated."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

from agent.evidence.bmff import BrokenBox, box_at
from agent.evidence.excerpt_findings import is_excerpt
from agent.evidence.fragment_walk import Damage
from agent.evidence.fragments import JOURNAL, STRUCTURE
from agent.evidence.journal import JournalRecord
from agent.evidence.places import MISSING, Examined, located, named, nearest, timed
from agent.evidence.report import COMPLETENESS, INTEGRITY, Finding, Place, Verdict
from agent.evidence.statements import Seal
from agent.wire.identifiers import Digest

BOXES_OF_A_FRAGMENT = (b"styp", b"emsg", b"uuid", b"moof", b"mdat")
KIND_NAMES = {
    "ftyp": "文件类型盒",
    "manifest": "签名凭证",
    "moov": "媒体索引（moov）",
    "structure": "文件结构",
    "signature": "片段签名",
    "journal": "录制日志",
    "moof": "片段索引（moof）",
    "mdat": "音视频内容（mdat）",
    "appended": "夹带的外来内容",
    "swapped": "片段次序",
    "duplicated": "重复片段",
}


def segment_findings(segment: Examined, *, whole: bool = True) -> list[Finding]:
    """Everything wrong inside one segment file. Without `whole` it was given by itself, and may be an excerpt."""
    found = segment.found
    if found.manifest is None:
        return [_unreadable(segment)]
    if not whole and is_excerpt(segment):
        return []
    places = list(_damaged(segment)) + list(_order(segment))
    if segment.seal is not None and not places and found.whole_hash != found.manifest.flat_hash:
        places.append(_altered(Place(segment.file.name, STRUCTURE, segment.number)))
    if segment.seal is not None and not places and found.head != segment.seal.head:
        places.append(_altered(Place(segment.file.name, JOURNAL, segment.number)))
    return places


def _unreadable(segment: Examined) -> Finding:
    name = segment.file.name
    if not segment.found.recognised:
        text = f"{name}：不是本系统签名的录像，找不到任何签名。"
        return Finding(Verdict.UNTRUSTED, INTEGRITY, text)
    if segment.found.unsupported:
        return Finding(Verdict.UNTRUSTED, INTEGRITY, f"{name}：{segment.found.unsupported}")
    return _altered(Place(name, "manifest", offset=segment.found.manifest_at), "签名凭证被改动或残缺，无法读取")


def _damaged(segment: Examined) -> Iterator[Finding]:
    found = segment.found
    places = located(segment)
    for damage in found.damage:
        yield _altered(places[damage])
    if segment.seal is None:
        if found.tail:
            yield _torn(places[found.tail[0]], found.torn_bytes)
        return
    for damage in _sealed_tail(segment):
        yield _altered(places[damage])


def _torn(place: Place, size: int) -> Finding:
    place = replace(place, kind=MISSING, size=size)
    text = f"{named(place)}：文件未封存，尾部有 {size} 字节残缺，自此缺失。"
    return Finding(Verdict.MISSING, COMPLETENESS, text, place)


def _sealed_tail(segment: Examined) -> tuple[Damage, ...]:
    """The damage after the last fragment that verifies, without a last fragment that was cut off."""
    tail = segment.found.tail
    return tail[:-1] if segment.seal is not None and _is_cut(segment, segment.seal) else tail


def _is_cut(segment: Examined, seal: Seal) -> bool:
    """Whether the file ends before its sealed size in the middle of a fragment; one that lacks a box is none."""
    found = segment.found
    if found.size >= seal.size or not found.tail:
        return False
    offset = found.tail[-1].offset
    try:
        for kind in BOXES_OF_A_FRAGMENT:
            box = box_at(segment.file.source, offset)
            if box.kind != kind:
                return False
            offset = box.end
    except BrokenBox as broken:
        return broken.beyond
    return False


def _order(segment: Examined) -> Iterator[Finding]:
    records, origin = segment.found.fragments, segment.found.origin
    if origin is None:
        return
    seen: dict[int, Digest] = {origin.first_sequence - 1: origin.prior_head}
    highest = origin.first_sequence - 1
    for record in records:
        sequence = record.entry.sequence
        if sequence in seen:
            yield _altered(_place_of(segment, record, "duplicated"))
        elif sequence < highest:
            yield _altered(_place_of(segment, record, "swapped"))
        elif seen.get(sequence - 1, record.entry.previous) != record.entry.previous:
            yield _altered(_place_of(segment, record, JOURNAL))
        seen[sequence], highest = record.head, max(highest, sequence)
    yield from _missing(segment, origin.first_sequence, set(seen))


def _missing(segment: Examined, first: int, seen: set[int]) -> Iterator[Finding]:
    places = located(segment)
    damaged = [places[damage].sequence for damage in (*segment.found.damage, *_sealed_tail(segment))]
    known = sorted(seen.union(sequence for sequence in damaged if sequence is not None and sequence >= first))
    last = known[-1] if segment.seal is None else max(known[-1], first + segment.seal.fragments - 1)
    for before, after in itertools.pairwise([*known, last + 1]):
        count = after - before - 1
        if count > 0:
            place = Place(segment.file.name, MISSING, segment.number, before + 1, count=count)
            place = timed(place, nearest(segment.found.fragments, before))
            yield Finding(Verdict.MISSING, COMPLETENESS, f"{named(place)}：缺失 {count} 个片段。", place)


def _place_of(segment: Examined, record: JournalRecord, kind: str) -> Place:
    captured = record.entry.moment.captured
    sequence = record.entry.sequence
    return Place(segment.file.name, kind, segment.number, sequence, captured, offset=record.offset, size=record.size)


def _altered(place: Place, text: str = "") -> Finding:
    words = text or f"{KIND_NAMES.get(place.kind, place.kind)}被改动或损坏"
    return Finding(Verdict.ALTERED, INTEGRITY, f"{named(place)}：{words}。", place)
