"""Verifying a photo: one verdict and the same layers as for a recording."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509

from agent.errors import SenderFault
from agent.evidence.bmff import Source
from agent.evidence.certificates import trust_chain
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.grounds import NO_GROUNDS, Grounds
from agent.evidence.journal import PHOTO
from agent.evidence.photo import MAX_PHOTO_BYTES, AlteredPhoto, Photo, PhotoStatement, as_taken, open_photo
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
from agent.evidence.time_findings import NOBODY, Testimony, date_findings, token_testimony, witness_lines
from agent.wire.identifiers import Digest

_TRUSTED = "签名证书属于所给的根证书。"
_NOT_JUDGED = Layer(Status.NOT_JUDGED, ("照片不评判此项。",))
_UNREADABLE = Layer(Status.NOT_JUDGED, ("没有可读的签名凭证，无从判断。",))


def verify_photo(
    name: str, data: bytes, roots: Sequence[x509.Certificate], now: datetime, grounds: Grounds = NO_GROUNDS
) -> Report:
    """The report on the photo `data`; `now` decides only where the device's clock was not set. Nobody countersigns a
    photo: when it was signed its device's clock says alone, unless a time-stamp was put in. Never raises for content.
    `segments` and `fragments` of the report are 0."""
    return _report(_judged(name, data, roots, now, grounds))


def recording_photo_findings(
    photos: Mapping[str, Source],
    segments: Sequence[Examined],
    roots: Sequence[x509.Certificate],
    now: datetime,
    grounds: Grounds = NO_GROUNDS,
) -> Iterator[Finding]:
    """What is to be said of the photos, by name, that lie beside `segments`, which tell of what recording."""
    for name, source in photos.items():
        judged = _judged(name, source.read_at(0, MAX_PHOTO_BYTES), roots, now, grounds)
        yield from judged.findings
        if judged.photo is not None and not _belongs(judged.photo.statement, segments):
            text = f"{name}：照片不是在这次录制中拍的，被混入。"
            yield Finding(Verdict.ALTERED, INTEGRITY, text, Place(name, "photo"))


def _belongs(photo: PhotoStatement, segments: Sequence[Examined]) -> bool:
    """Whether the device that made `segments` says that it took the photo in that recording. Where in it is not held
    against the film: the fragment before may have been lost with the disk that it was on."""
    origin = segments[0].found.origin if segments else None
    place = photo.place
    if origin is None:
        return True
    return place is not None and (place.recording, photo.device) == (origin.recording, origin.device)


def photo_digests(photos: Mapping[str, Source]) -> dict[str, Digest]:
    """The SHA-256 of each photo by name, as its device wrote it: neither encrypted nor time-stamped; of one that is too
    long, of its beginning, which no sum matches."""
    return {name: digest_as_taken(source.read_at(0, MAX_PHOTO_BYTES + 1)) for name, source in photos.items()}


def digest_as_taken(data: bytes) -> Digest:
    """The SHA-256 of the photo `data` as its device wrote it."""
    return Digest(hashlib.sha256(as_taken(data)).hexdigest())


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


@dataclass(frozen=True)
class _Judged:
    """A photo, None when it cannot be read, and what is to be said of it."""

    photo: Photo | None
    findings: Sequence[Finding]
    said: Testimony = NOBODY


def _judged(name: str, data: bytes, roots: Sequence[x509.Certificate], now: datetime, grounds: Grounds) -> _Judged:
    try:
        photo = open_photo(data)
    except AlteredPhoto as fault:
        return _Judged(None, [Finding(Verdict.ALTERED, INTEGRITY, f"{name}：{fault}", Place(name, "photo"))])
    except SenderFault as fault:
        return _Judged(None, [Finding(Verdict.UNTRUSTED, INTEGRITY, f"{name}：{fault}")])
    said = NOBODY
    if photo.token is not None:
        said = token_testimony(Place(name, "photo"), photo.token, photo.countersigned, grounds.stamps)
    trusted, revoked = _trust(name, photo, roots, now, said), _revoked(name, photo, roots, grounds, said)
    return _Judged(photo, [*said.findings, *trusted, *revoked], said)


def damaged_photo(name: str, why: str) -> Report:
    """The report on a photo whose encrypted file was changed, so that nothing of it can be read."""
    return _report(_Judged(None, [Finding(Verdict.ALTERED, INTEGRITY, f"{name}：{why}", Place(name, "photo"))]))


def _trust(
    name: str, photo: Photo, roots: Sequence[x509.Certificate], now: datetime, said: Testimony
) -> Iterator[Finding]:
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
    yield from date_findings(name, chain, [photo.statement.signed], now, said)


def _revoked(
    name: str, photo: Photo, roots: Sequence[x509.Certificate], grounds: Grounds, said: Testimony
) -> Iterator[Finding]:
    """What the trust list says of the photo's key; nothing of a key that no root vouches for."""
    try:
        vouched = bool(roots) and trust_chain(photo.chain, roots)
    except SenderFault:
        return
    if vouched and grounds.trust is not None:
        signed = told_time(photo.statement.signed)
        yield from revocation_findings(name, leaf_key(photo.chain), signed, said.at, grounds.trust)


def _report(judged: _Judged) -> Report:
    photo, findings = judged.photo, judged.findings
    statement = None if photo is None else photo.statement
    place = None if statement is None else statement.place
    where = [] if place is None else [f"拍于录制 {place.recording} 第 {place.sequence} 片段。"]
    where += [] if statement is None else _position_lines(statement.position)
    return Report(
        verdict=worst(finding.verdict for finding in findings),
        integrity=_layer(INTEGRITY, findings, ["照片与签名时一致。", *where]),
        trust=_UNREADABLE if photo is None else not_judged_without_roots(_layer(TRUST, findings, [_TRUSTED])),
        time=_UNREADABLE if photo is None else _time_layer(photo, findings, judged.said),
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


def _time_layer(photo: Photo, findings: Sequence[Finding], said: Testimony) -> Layer:
    """As of a recording: passed only when it was witnessed and nothing speaks against it."""
    told = f"设备自报拍摄时间：{clock_text(photo.statement.captured)}（北京时间）。"
    layer = _layer(TIME, findings, [*witness_lines([said]), told])
    quiet = said.witnessed is not None and not any(finding.layer == TIME for finding in findings)
    return replace(layer, status=Status.PASSED) if quiet else layer


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
