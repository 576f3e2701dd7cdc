"""Verifying a photo: one verdict and the same layers as for a recording."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from cryptography import x509

from agent.errors import SenderFault
from agent.evidence.bmff import Source
from agent.evidence.certificates import TrustedChain, trust_chain
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.journal import PHOTO
from agent.evidence.photo import MAX_PHOTO_BYTES, AlteredPhoto, Photo, open_photo
from agent.evidence.places import MISSING, Examined, clock_text
from agent.evidence.position import Position
from agent.evidence.report import (
    COMPLETENESS,
    INTEGRITY,
    NO_ROOTS,
    TIME,
    TRUST,
    Finding,
    Layer,
    Place,
    Report,
    Status,
    Verdict,
    not_judged_without_roots,
    worst,
)
from agent.evidence.revocation import leaf_key, revocation_findings, told_time
from agent.evidence.statements import source_file
from agent.wire.identifiers import Digest, RecordingId
from agent.wire.instant import TimeState
from agent.wire.trust import TrustList

_TRUSTED = "签名证书属于所给的根证书。"
_NOT_JUDGED = Layer(Status.NOT_JUDGED, ("照片不评判此项。",))
_UNREADABLE = Layer(Status.NOT_JUDGED, ("没有可读的签名凭证，无从判断。",))


def verify_photo(
    name: str, data: bytes, roots: Sequence[x509.Certificate], now: datetime, trust: TrustList | None
) -> Report:
    """The report on the photo `data`; `now` decides only where the device's clock was not set; `trust`, where there is
    one, says whether the key was revoked: no witness sees a photo, so its device's clock alone says when it was signed.
    Never raises for content. `segments` and `fragments` of the report are 0."""
    return _report(*_judged(name, data, roots, now, trust))


def recording_photo_findings(
    photos: Mapping[str, Source],
    recording: RecordingId | None,
    roots: Sequence[x509.Certificate],
    now: datetime,
    trust: TrustList | None,
) -> Iterator[Finding]:
    """What is to be said of the photos, by name, that lie beside the segments of `recording`; `trust` as above."""
    for name, source in photos.items():
        photo, findings = _judged(name, source.read_at(0, MAX_PHOTO_BYTES), roots, now, trust)
        yield from findings
        place = None if photo is None else photo.statement.place
        if photo is not None and (place is None or place.recording != recording):
            text = f"{name}：照片不是在这次录制中拍的，被混入。"
            yield Finding(Verdict.ALTERED, INTEGRITY, text, Place(name, "photo"))


def photo_digests(photos: Mapping[str, Source]) -> dict[str, Digest]:
    """The SHA-256 of each photo by name, as it was before it was encrypted; of one that is too long, of its beginning,
    which no sum matches."""
    return {name: _sha256(source.chunks(0, min(source.size, MAX_PHOTO_BYTES + 1))) for name, source in photos.items()}


def told_photo_findings(
    there: Mapping[str, Digest], segments: Sequence[Examined], unread: Sequence[str] = ()
) -> Iterator[Finding]:
    """Photos that the signed journal names by their hash and that are not `there`, by name with their hashes: gone, or
    with another content under the name that the device gave them (the beginning of their hash is in it). Each photo
    among the names `unread` may be one of those."""
    perhaps = sum(name.removesuffix(SUFFIX).endswith(".jpg") for name in unread)
    for segment in segments:
        for sequence, event in segment.events:
            if event.kind != PHOTO or event.note in there.values():
                continue
            where = "封存时" if sequence is None else f"第 {sequence} 片段"
            told = f"日志{where}所记的照片（SHA-256 {event.note[:16]}…）"
            ending = f"-{event.note[:8]}.jpg"
            named = next((name for name in there if name.removesuffix(SUFFIX).endswith(ending)), None)
            if named is None and perhaps:
                perhaps -= 1
            elif named is None:
                place = Place(segment.file.name, MISSING, sequence=sequence, captured=event.at)
                yield Finding(Verdict.MISSING, COMPLETENESS, f"{told}不在。", place)
            else:
                yield Finding(Verdict.ALTERED, INTEGRITY, f"{named}：不是{told}。", Place(named, "photo"))


def photo_lines(photos: Mapping[str, Source], findings: Sequence[Finding]) -> list[str]:
    """That the photos are fine, in Chinese, when none of `findings` says otherwise."""
    quiet = all(finding.verdict is Verdict.COMPLETE for finding in findings)
    return [] if not photos or not quiet else [f"录制中所拍照片 {len(photos)} 张，各自的签名均与照片一致。"]


def _sha256(chunks: Iterable[bytes]) -> Digest:
    whole = hashlib.sha256()
    for chunk in chunks:
        whole.update(chunk)
    return Digest(whole.hexdigest())


def _judged(
    name: str, data: bytes, roots: Sequence[x509.Certificate], now: datetime, trust: TrustList | None
) -> tuple[Photo | None, list[Finding]]:
    try:
        photo = open_photo(data)
    except AlteredPhoto as fault:
        return None, [Finding(Verdict.ALTERED, INTEGRITY, f"{name}：{fault}", Place(name, "photo"))]
    except SenderFault as fault:
        return None, [Finding(Verdict.UNTRUSTED, INTEGRITY, f"{name}：{fault}")]
    return photo, [*_trust(name, photo, roots, now), *_revoked(name, photo, roots, trust)]


def damaged_photo(name: str, why: str) -> Report:
    """The report on a photo whose encrypted file was changed, so that nothing of it can be read."""
    return _report(None, [Finding(Verdict.ALTERED, INTEGRITY, f"{name}：{why}", Place(name, "photo"))])


def _trust(name: str, photo: Photo, roots: Sequence[x509.Certificate], now: datetime) -> Iterator[Finding]:
    if not roots:
        yield Finding(Verdict.UNTRUSTED, TRUST, NO_ROOTS)
        return
    try:
        chain = trust_chain(photo.chain, roots)
    except SenderFault as fault:
        yield Finding(Verdict.UNTRUSTED, TRUST, f"{name}：{fault}")
        return
    if chain.subject != photo.statement.device:
        text = f"{name}：证书属于 {chain.subject[:40]}，内容却自称 {photo.statement.device}，不予信任。"
        yield Finding(Verdict.UNTRUSTED, TRUST, text)
    yield from _dates(name, photo, chain, now)


def _revoked(name: str, photo: Photo, roots: Sequence[x509.Certificate], trust: TrustList | None) -> Iterator[Finding]:
    """What the trust list says of the photo's key; nothing of a key that no root vouches for."""
    try:
        vouched = bool(roots) and trust_chain(photo.chain, roots)
    except SenderFault:
        return
    if vouched and trust is not None:
        signed = told_time(photo.statement.signed)
        yield from revocation_findings(name, leaf_key(photo.chain), signed, None, trust)


def _dates(name: str, photo: Photo, chain: TrustedChain, now: datetime) -> Iterator[Finding]:
    signed = photo.statement.signed
    if chain.covers(signed.wall):
        if not chain.covers(now):
            text = f"{name}：证书今日已不在有效期内，照片不带时间戳；签名时间只有设备自报。"
            yield Finding(Verdict.COMPLETE, TIME, text)
        return
    if signed.state is TimeState.UNSET and chain.covers(now):
        text = f"{name}：设备时钟当时未校准，自报时间不在证书有效期内；证书今日有效。"
        yield Finding(Verdict.COMPLETE, TIME, text)
        return
    yield Finding(Verdict.UNTRUSTED, TIME, f"{name}：自报的签名时间不在证书有效期内，不予信任。")


def _report(photo: Photo | None, findings: Sequence[Finding]) -> Report:
    statement = None if photo is None else photo.statement
    place = None if statement is None else statement.place
    time = [] if statement is None else [f"设备自报拍摄时间：{clock_text(statement.captured)}（北京时间）。"]
    where = [] if place is None else [f"拍于录制 {place.recording} 第 {place.sequence} 片段。"]
    where += [] if statement is None else _position_lines(statement.position)
    return Report(
        verdict=worst(finding.verdict for finding in findings),
        integrity=_layer(INTEGRITY, findings, ["照片与签名时一致。", *where]),
        trust=_UNREADABLE if photo is None else not_judged_without_roots(_layer(TRUST, findings, [_TRUSTED])),
        time=_UNREADABLE if photo is None else _layer(TIME, findings, time),
        completeness=_NOT_JUDGED,
        duty=_NOT_JUDGED,
        first_bad=next((finding.place for finding in findings if finding.layer == INTEGRITY), None),
        places=tuple(finding.place for finding in findings if finding.place is not None),
        device=None if statement is None else statement.device,
        recording=None if place is None else place.recording,
        unit="" if statement is None else statement.unit,
        synthetic=statement is not None and statement.synthetic,
        source_file="" if statement is None else source_file(statement.context),
        segments=0,
        fragments=0,
        duration_s=0.0,
        recovered=False,
    )


def _position_lines(position: Position | None) -> list[str]:
    if position is None:
        return []
    told = "，接收机自称是模拟器" if position.simulated else ""
    return [f"设备自报拍摄位置：{position}（WGS-84，定位距拍摄 {position.age_ms / 1000:.1f} 秒{told}）。"]


def _layer(name: str, findings: Sequence[Finding], good: Sequence[str]) -> Layer:
    own = [finding.text for finding in findings if finding.layer == name]
    bad = any(finding.layer == name and finding.verdict is not Verdict.COMPLETE for finding in findings)
    status = Status.FAILED if bad else Status.NOTED if own or name == TIME else Status.PASSED
    return Layer(status, (*own, *(good if not bad else ())))
