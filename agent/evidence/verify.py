"""Verifying a recording: every segment, the chain between them, the sidecars, the certificates; then one verdict.

Any interior damage is `altered`, whoever signed. What is intact but does not lead to a given root is `untrusted`. A
missing segment, fragment or tail is `missing`. A break in time, or a segment that nobody closed, is `unexplained-gap`;
so is one with a signed reason that a person has to explain and nobody did (`reasons.EXPLANATION`); any other one with a
signed reason is `explained-gap`. An unsealed segment whose fragments all verify is an unexplained gap and
not missing: nothing shows that anything followed, but nobody signed that it was the end.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from cryptography import x509

from agent.evidence.account_findings import Compared, compare, first_seen
from agent.evidence.continuity import clock_lines, recording_findings
from agent.evidence.duty_findings import duty_layer
from agent.evidence.flat_hash import NewHash
from agent.evidence.grounds import NO_GROUNDS, Grounds
from agent.evidence.health import health_lines
from agent.evidence.interruptions import interruption_findings
from agent.evidence.note_findings import judge_notes, note_lines
from agent.evidence.photo_report import photo_digests, photo_lines, recording_photo_findings, told_photo_findings
from agent.evidence.places import Examined, SegmentFile
from agent.evidence.recovery import examine
from agent.evidence.report import (
    COMPLETENESS,
    INTEGRITY,
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
from agent.evidence.revocation import revocation_findings, told_time
from agent.evidence.segment_findings import segment_findings
from agent.evidence.sidecar_findings import Sidecars, sidecar_findings, sidecar_lines
from agent.evidence.strangers import folder_findings, name_findings
from agent.evidence.time_findings import Testimony, testimony, witness_lines
from agent.evidence.trust_findings import with_trust
from agent.wire.signing import key_id_of

__all__ = ["SegmentFile", "Sidecars", "examine_files", "judge", "verify_recording"]

_GOOD = {
    INTEGRITY: "所有片段、索引与签名凭证均与签名时一致。",
    TRUST: "签名证书属于所给的根证书。",
    TIME: "",
    COMPLETENESS: "序号连续，首尾齐全，没有中断。",
}
_UNREADABLE = Layer(Status.NOT_JUDGED, ("没有可读的签名凭证，无从判断。",))
_NOTHING = Layer(Status.NOT_JUDGED, ("这里没有可核验的录像。请检查路径是否为录制的文件夹。",))


def verify_recording(
    files: Sequence[SegmentFile],
    roots: Sequence[x509.Certificate],
    now: datetime,
    sidecars: Sidecars | None = None,
    progress: Callable[[int], None] | None = None,
    grounds: Grounds = NO_GROUNDS,
    new_hash: NewHash = hashlib.sha256,
) -> Report:
    """The report on the segments `files`. With `sidecars` (a folder was given) they are meant to be a whole recording;
    without, each is judged for itself and nothing is said about segments that were not given. `now` decides only where
    a device's clock was not set. `progress` is told how many bytes more have been read; `new_hash`
    is for `examine`. Never raises for content."""
    return judge(examine_files(files, progress, new_hash), roots, now, sidecars, grounds)


def examine_files(
    files: Sequence[SegmentFile],
    progress: Callable[[int], None] | None = None,
    new_hash: NewHash = hashlib.sha256,
) -> list[Examined]:
    """Read every segment file once; the first half of `verify_recording`."""
    return [_examined(file, progress, new_hash) for file in files]


def judge(
    segments: Sequence[Examined],
    roots: Sequence[x509.Certificate],
    now: datetime,
    sidecars: Sidecars | None = None,
    grounds: Grounds = NO_GROUNDS,
) -> Report:
    """The report on segments that were examined; the second half of `verify_recording`. Without `roots` nothing is
    trusted, and the report says that it was not asked."""
    readable = sorted((entry for entry in segments if entry.number is not None), key=lambda entry: entry.number or 0)
    findings = [finding for entry in segments for finding in segment_findings(entry, whole=sidecars is not None)]
    findings += [finding for entry in segments for finding in entry.file.besides()]
    if sidecars is not None and not segments:
        findings.append(Finding(Verdict.MISSING, COMPLETENESS, "文件夹中没有任何分段文件（segment-0001.mp4）。"))
    unread = () if sidecars is None else sidecars.unread_segments
    findings += recording_findings(readable, whole=sidecars is not None, unread=unread)
    photos = {} if sidecars is None else sidecars.photos
    if sidecars is not None:
        given = [*readable, *(entry for entry in segments if entry.number is None)]
        hashed = photo_digests(photos)
        intact = not unread and not _is_damaged(findings)
        findings += sidecar_findings(sidecars, hashed, given, roots, grounds.trust, intact=intact)
        findings += told_photo_findings(hashed, readable, sidecars.unread)
        findings += folder_findings(sidecars.names, sidecars.traces)
    origin = readable[0].found.origin if readable else None
    findings += name_findings("" if sidecars is None else sidecars.folder, origin.recording if origin else None)
    of_photos = list(recording_photo_findings(photos, readable, roots, now, grounds))
    findings += of_photos
    compared = _compared(readable, grounds, whole=sidecars is not None and not unread)
    files_of_notes = {} if sidecars is None else sidecars.notes
    noted = judge_notes(files_of_notes, readable, roots, grounds.trust, intact=not unread and not _is_damaged(findings))
    findings += [*noted.findings, *interruption_findings(readable, noted.notes), *compared.findings]
    said = [testimony(entry, grounds.stamps) for entry in readable]
    findings += [finding for told in said for finding in told.findings]
    findings = with_trust(findings, readable, roots, now, said)
    for at in range(len(readable)):
        # Who saw the head of a later segment saw, through the chain, this one as well.
        findings += _revocations(readable[at:], said[at:], grounds)
    told = [*note_lines(noted.notes), *photo_lines(photos, of_photos)]
    return _report(segments, readable, findings, sidecars, compared, told, witness_lines(said))


def _compared(readable: Sequence[Examined], grounds: Grounds, *, whole: bool) -> Compared:
    origin = readable[0].found.origin if readable else None
    account = None if origin is None else grounds.accounts.get(origin.device)
    if account is None and origin is not None and grounds.accounts:
        return Compared((), (f"所给凭据中没有设备 {origin.device} 的：尾部与整次录制是否齐全，无从佐证。",), ())
    return Compared((), (), ()) if account is None else compare(readable, account, whole=whole)


def _revocations(following: Sequence[Examined], said: Sequence[Testimony], grounds: Grounds) -> Iterator[Finding]:
    """About the first of `following`, the segments from it on, of which witnesses and time-stamps `said` something."""
    segment = following[0]
    found, origin = segment.found.manifest, segment.found.origin
    if found is None or origin is None or grounds.trust is None:
        return
    account = grounds.accounts.get(origin.device)
    told = None if account is None else account.recordings.get(origin.recording)
    signed = origin.opened if segment.seal is None else segment.seal.closing.at
    moments = [*(first_seen([entry], told) for entry in following), *(word.at for word in said)]
    seen = min((moment for moment in moments if moment is not None), default=None)
    key = key_id_of(found.leaf_key)
    yield from revocation_findings(segment.file.name, key, told_time(signed), seen, grounds.trust)


def _examined(file: SegmentFile, progress: Callable[[int], None] | None, new_hash: NewHash) -> Examined:
    behind = 0

    def advance(position: int) -> None:
        nonlocal behind
        if progress is not None and position > behind:
            progress(position - behind)
            behind = position

    found = examine(file.source, advance, new_hash)
    advance(file.source.size)
    return Examined(file, found)


def _tells(layer: str, findings: Sequence[Finding]) -> bool:
    return any(finding.layer == layer for finding in findings)


def _is_damaged(findings: Sequence[Finding]) -> bool:
    return any(finding.verdict in (Verdict.ALTERED, Verdict.MISSING, Verdict.UNTRUSTED) for finding in findings)


def _report(
    segments: Sequence[Examined],
    readable: Sequence[Examined],
    findings: Sequence[Finding],
    sidecars: Sidecars | None,
    compared: Compared,
    told: Sequence[str],
    witnesses: Sequence[str],
) -> Report:
    origin = readable[0].found.origin if readable else None
    records = [record for segment in readable for record in segment.found.fragments]
    notes = [*told] if sidecars is None else [*told, *sidecar_lines(sidecars)]
    if sidecars is None:
        notes = ["只检验了所给的文件，不判断录制的其他分段是否齐全。"]
    notes += compared.completeness
    return Report(
        verdict=worst(finding.verdict for finding in findings),
        integrity=_layer(INTEGRITY, findings, ())
        if segments or INTEGRITY in {it.layer for it in findings}
        else _NOTHING,
        trust=not_judged_without_roots(_layer(TRUST, findings, ())) if readable else _UNREADABLE,
        time=_time_layer(readable, findings, witnesses, compared) if readable else _UNREADABLE,
        completeness=_layer(COMPLETENESS, findings, notes) if readable or not segments else _UNREADABLE,
        duty=duty_layer(readable) if readable else _UNREADABLE,
        first_bad=_first_bad(findings),
        places=tuple(finding.place for finding in findings if finding.place is not None),
        device=None if origin is None else origin.device,
        recording=None if origin is None else origin.recording,
        unit="" if origin is None else origin.unit,
        synthetic=origin is not None and origin.synthetic,
        source_file="" if origin is None else origin.source_file,
        segments=len(segments),
        fragments=len(records),
        duration_s=sum(record.entry.moment.duration_ms for record in records) / 1000,
        recovered=any(segment.seal is not None and segment.seal.closing.recovered for segment in readable),
        health=tuple(health_lines(readable)) if readable else (),
    )


def _first_bad(findings: Sequence[Finding]) -> Place | None:
    places = [it.place for it in findings if it.layer == INTEGRITY and it.place is not None]
    # A sidecar that disagrees has no offset: it comes after the place in the film that it disagrees about.
    return min(places, key=lambda it: (it.offset is None, it.segment or 0, it.file, it.offset or 0), default=None)


def _time_layer(
    readable: Sequence[Examined], findings: Sequence[Finding], witnesses: Sequence[str], compared: Compared
) -> Layer:
    """Passed only when every segment was witnessed and nothing speaks against it: a device's own word is a note."""
    notes = [*witnesses, *clock_lines(readable, witnessed=bool(witnesses)), *compared.time]
    layer = _layer(TIME, findings, notes)
    quiet = not _tells(TIME, findings)
    return replace(layer, status=Status.PASSED) if quiet and len(witnesses) == len(readable) else layer


def _layer(name: str, findings: Sequence[Finding], notes: Sequence[str]) -> Layer:
    own = [finding for finding in findings if finding.layer == name]
    bad = any(finding.verdict not in (Verdict.COMPLETE, Verdict.EXPLAINED_GAP) for finding in own)
    quiet = Status.NOTED if own or name == TIME else Status.PASSED
    good = [_GOOD[name]] if _GOOD[name] and all(finding.verdict is Verdict.COMPLETE for finding in own) else []
    return Layer(Status.FAILED if bad else quiet, (*good, *(finding.text for finding in own), *notes))
