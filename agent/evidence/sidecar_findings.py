"""Whether the files beside the segments agree with them and are signed by a trusted device."""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from agent.errors import SenderFault
from agent.evidence import cms
from agent.evidence.bmff import Source
from agent.evidence.certificates import trust_chain
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.places import MISSING, Examined
from agent.evidence.report import COMPLETENESS, INTEGRITY, TRUST, Finding, Place, Verdict
from agent.evidence.revocation import leaf_key, revocation_findings, told_time
from agent.evidence.sidecars import (
    JOURNAL_NAME,
    MAX_JOURNAL_BYTES,
    SIGNATURE_NAME,
    SUMS_NAME,
    iterate_journal_lines,
    parse_sums,
)
from agent.evidence.time_stamps import as_sealed
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import DeviceId, Digest
from agent.wire.signing import key_id_of
from agent.wire.trust import TrustList

SIDECAR = "sidecar"
SEGMENT_NAME = re.compile(r"segment-([0-9]{4,6})\.mp4")


@dataclass(frozen=True)
class Sidecars:
    """The sidecars, None for one that is not there. A long journal is best a `Source`: it is read piece by piece.
    `notes` are the files of `notes/` by name, `photos` those taken during the recording, by the names under which they
    lie there (an encrypted one ends in `.enc`). `journal_inside`: the recording is encrypted, its journal is listed in
    the sums and stands nowhere but in the segments. `names` are the paths of all other files in the folder as well,
    `traces` of what computers left in it by themselves. `unread` are the names of those that lie there and could not be
    read: nothing is said of them. `folder` is the name of the folder that all of it lies in."""

    journal: Source | bytes | None = None
    sums: bytes | None = None
    signature: bytes | None = None
    notes: Mapping[str, bytes] = field(default_factory=dict)
    photos: Mapping[str, Source] = field(default_factory=dict)
    journal_inside: bool = False
    names: Sequence[str] = ()
    traces: Sequence[str] = ()
    unread: Sequence[str] = ()
    folder: str = ""

    @property
    def unread_segments(self) -> tuple[int, ...]:
        """The numbers of segments among `unread`."""
        names = (SEGMENT_NAME.match(name) for name in self.unread)
        return tuple(int(found[1]) for found in names if found)


def sidecar_findings(
    sidecars: Sidecars,
    photos: Mapping[str, Digest],
    segments: Sequence[Examined],
    roots: Sequence[x509.Certificate],
    trust: TrustList | None,
    *,
    intact: bool,
) -> Iterator[Finding]:
    """Disagreements. `photos` are the hashes of those beside the segments. `intact` says that the segments themselves
    showed nothing: only then must the journal equal what they hold."""
    if sidecars.journal is not None and intact:
        records = (record for segment in segments for record in segment.found.fragments)
        yield from _journal(sidecars.journal, iterate_journal_lines(records))
    if sidecars.sums is None:
        return
    devices = {segment.found.origin.device for segment in segments if segment.found.origin is not None}
    digests, unread = list(_digests(sidecars, photos, segments)), {it.removesuffix(SUFFIX) for it in sidecars.unread}
    if sidecars.journal_inside and intact:
        records = (record for segment in segments for record in segment.found.fragments)
        digests.append((JOURNAL_NAME, _sha256(iterate_journal_lines(records))))
    elif sidecars.journal_inside:  # what the segments tell by themselves need not be told again
        unread.add(JOURNAL_NAME)
    yield from sums_findings(sidecars.sums, sidecars.signature, digests, roots, devices, unread, _closed(segments))
    if sidecars.signature is not None and trust is not None:
        yield from _revoked(sidecars.signature, sidecars.sums, segments, trust)


def _journal(journal: Source | bytes, lines: Iterable[bytes]) -> Iterator[Finding]:
    """Whether the journal is made of `lines`, which the segments hold. One that goes on behind them tells of fragments
    that are not there."""
    source = Source.of_bytes(journal) if isinstance(journal, bytes) else journal
    agreed = _agreed(source, lines)
    if agreed is None:
        yield _altered(JOURNAL_NAME, "与录像中签名的日志不符")
    elif agreed < source.size:
        text = f"{JOURNAL_NAME} 还记有后面的片段，不在其中。"
        yield Finding(Verdict.MISSING, COMPLETENESS, text, Place(JOURNAL_NAME, MISSING))


def _agreed(journal: Source, lines: Iterable[bytes]) -> int | None:
    """How many bytes of `journal` are `lines`; None where it is not made of them."""
    if journal.size > MAX_JOURNAL_BYTES:
        return None
    at = 0
    for line in lines:
        if journal.read_at(at, len(line)) != line:
            return None
        at += len(line)
    return at


def sums_findings(
    content: bytes,
    signature: bytes | None,
    digests: Collection[tuple[str, Digest]],
    roots: Sequence[x509.Certificate],
    devices: set[DeviceId],
    unread: Collection[str] = (),
    signed: datetime | None = None,
) -> Iterator[Finding]:
    """What `SHA256SUMS` and its signature say against files with the names and hashes `digests`, of one of `devices`;
    of those `unread` it says nothing. `signed` is when the device says that it signed, None where nobody knows."""
    try:
        sums = parse_sums(content)
    except SenderFault:
        yield _altered(SUMS_NAME, "格式不对，无法读取")
        return
    yield from _compare({name: listed for name, listed in sums.items() if name not in unread}, digests)
    if signature is not None:
        yield from _signature(signature, content, roots, devices, signed)


def sidecar_lines(sidecars: Sidecars) -> list[str]:
    """Which sidecars are not there, in Chinese; their absence takes nothing from the signatures in the segments."""
    present = {
        JOURNAL_NAME: sidecars.journal,
        SUMS_NAME: sidecars.sums,
        SIGNATURE_NAME: sidecars.signature,
    }
    absent = [name for name, content in present.items() if content is None]
    if sidecars.journal_inside:
        absent.remove(JOURNAL_NAME)
    return [f"没有旁证文件 {'、'.join(absent)}，不影响录像自身的签名。"] if absent else []


def _digests(
    sidecars: Sidecars, photos: Mapping[str, Digest], segments: Sequence[Examined]
) -> Iterator[tuple[str, Digest]]:
    """By the names that the sums use. A photo may lie there twice, encrypted and not: each of them must match."""
    yield from ((segment.file.name, _digest(_as_sealed(segment))) for segment in segments)
    yield from ((name.removesuffix(SUFFIX), found) for name, found in photos.items())
    if sidecars.journal is not None:
        yield JOURNAL_NAME, _journal_digest(sidecars.journal)


def _as_sealed(segment: Examined) -> Source:
    """The file that the device listed: without a time-stamp that was put in later."""
    found = segment.found.manifest
    if found is None or found.token is None:
        return segment.file.source
    return as_sealed(segment.file.source, segment.found.manifest_at)


def _journal_digest(journal: Source | bytes) -> Digest:
    """GENESIS, which is the digest of nothing, for one that is larger than any of ours: it is not read."""
    source = Source.of_bytes(journal) if isinstance(journal, bytes) else journal
    return GENESIS if source.size > MAX_JOURNAL_BYTES else _digest(source)


def _digest(source: Source) -> Digest:
    return _sha256(source.chunks(0, source.size))


def _sha256(chunks: Iterable[bytes]) -> Digest:
    whole = hashlib.sha256()
    for chunk in chunks:
        whole.update(chunk)
    return Digest(whole.hexdigest())


def _compare(sums: Mapping[str, Digest], digests: Collection[tuple[str, Digest]]) -> Iterator[Finding]:
    there = {name for name, _ in digests}
    for name in sums:
        if name not in there:
            place = Place(name, MISSING)
            yield Finding(Verdict.MISSING, COMPLETENESS, f"{SUMS_NAME} 所列的 {name} 不在。", place)
    for name, found in digests:
        if name not in sums:
            yield _altered(name, f"未列入 {SUMS_NAME}")
        elif sums[name] != found:
            yield _altered(name, f"与 {SUMS_NAME} 所列的散列值不符")


def _signature(
    signature: bytes,
    sums: bytes,
    roots: Sequence[x509.Certificate],
    devices: set[DeviceId],
    signed: datetime | None,
) -> Iterator[Finding]:
    try:
        chain = cms.open_detached(signature, sums)
    except SenderFault:
        yield _altered(SIGNATURE_NAME, f"不是 {SUMS_NAME} 的有效签名")
        return
    try:
        path = trust_chain(chain, roots)
    except SenderFault as fault:
        yield Finding(Verdict.UNTRUSTED, TRUST, f"{SIGNATURE_NAME}：{fault}")
        return
    if devices and path.subject not in devices:
        yield Finding(Verdict.UNTRUSTED, TRUST, f"{SIGNATURE_NAME}：由 {path.subject[:40]} 签名，不是录制的设备。")
    if signed is not None and not path.covers(signed):
        yield Finding(Verdict.UNTRUSTED, TRUST, f"{SIGNATURE_NAME}：封存时签名证书不在有效期内，不予信任。")


def _closed(segments: Sequence[Examined]) -> datetime | None:
    """When the last segment was sealed, by the device's own clock; None where that is not known."""
    seals = [segment.seal for segment in segments if segment.seal is not None]
    return told_time(seals[-1].closing.at) if seals else None


def _revoked(signature: bytes, sums: bytes, segments: Sequence[Examined], trust: TrustList) -> Iterator[Finding]:
    """What the trust list says of a key that signed the sums and none of the segments: those are asked elsewhere."""
    try:
        key = leaf_key(cms.open_detached(signature, sums))
    except SenderFault:
        return
    manifests = [segment.found.manifest for segment in segments if segment.found.manifest is not None]
    if key not in {key_id_of(manifest.leaf_key) for manifest in manifests}:
        yield from revocation_findings(SIGNATURE_NAME, key, _closed(segments), None, trust)


def _altered(name: str, why: str) -> Finding:
    return Finding(Verdict.ALTERED, INTEGRITY, f"{name}：{why}。", Place(name, SIDECAR))
