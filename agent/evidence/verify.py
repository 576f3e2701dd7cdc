"""Verifying a recording: every segment, the chain between them, the sidecars, the certificates; then one verdict.

Any interior damage is `altered`, whoever signed. What is intact but does not lead to a given root is `untrusted`. A
missing segment, fragment or tail is `missing`. A break in time, or a segment that nobody closed, is `unexplained-gap`;
one with a signed reason is `explained-gap`. An unsealed segment whose fragments all verify is an unexplained gap and
not missing: nothing shows that anything followed, but nobody signed that it was the end.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from cryptography import x509

from agent.errors import SenderFault
from agent.evidence.certificates import trust_chain
from agent.evidence.continuity import clock_lines, recording_findings
from agent.evidence.places import Examined, SegmentFile
from agent.evidence.recovery import examine
from agent.evidence.report import (
    COMPLETENESS,
    INTEGRITY,
    TIME,
    TRUST,
    Finding,
    Layer,
    Report,
    Status,
    Verdict,
    worst,
)
from agent.evidence.segment_findings import segment_findings
from agent.evidence.sidecar_findings import Sidecars, sidecar_findings, sidecar_lines
from agent.evidence.time_findings import Testimony, date_findings, testimony, witness_lines
from agent.evidence.time_stamps import TokenReader

__all__ = ["SegmentFile", "Sidecars", "verify_recording"]

_GOOD = {
    INTEGRITY: "所有片段、索引与签名凭证均与签名时一致。",
    TRUST: "签名证书属于所给的根证书。",
    TIME: "",
    COMPLETENESS: "序号连续，首尾齐全，没有中断。",
}
_DUTY = Layer(Status.NOT_JUDGED, ("此处不评判是否依规记录（应录环节、告知、两人执法等）。",))

_UNREADABLE = Layer(Status.NOT_JUDGED, ("没有可读的签名凭证，无从判断。",))


def verify_recording(
    files: Sequence[SegmentFile],
    roots: Sequence[x509.Certificate],
    now: datetime,
    sidecars: Sidecars | None = None,
    progress: Callable[[int], None] | None = None,
    stamps: TokenReader | None = None,
) -> Report:
    """The report on the segments `files`. With `sidecars` (a folder was given) they are meant to be a whole recording;
    without, each is judged for itself and nothing is said about segments that were not given. `now` decides only where
    a device's clock was not set. `progress` is told how many bytes more have been read; `stamps` reads time-stamps that
    were put in later. Never raises for content."""
    segments = [_examined(file, progress) for file in files]
    readable = sorted((entry for entry in segments if entry.number is not None), key=lambda entry: entry.number or 0)
    findings = [finding for entry in segments for finding in segment_findings(entry)]
    findings += [finding for file in files for finding in file.besides()]
    if sidecars is not None and not files:
        findings.append(Finding(Verdict.MISSING, COMPLETENESS, "文件夹中没有任何分段文件（segment-0001.mp4）。"))
    findings += recording_findings(readable, whole=sidecars is not None)
    if sidecars is not None:
        given = [*readable, *(entry for entry in segments if entry.number is None)]
        findings += sidecar_findings(sidecars, given, roots, intact=not _is_damaged(findings))
    said = [testimony(entry, stamps) for entry in readable]
    for entry, word in zip(readable, said, strict=True):
        findings += [*word.findings, *_trust_findings(entry, roots, now, word)]
    return _report(segments, readable, findings, sidecars, witness_lines(said))


def _examined(file: SegmentFile, progress: Callable[[int], None] | None) -> Examined:
    behind = 0

    def advance(position: int) -> None:
        nonlocal behind
        if progress is not None and position > behind:
            progress(position - behind)
            behind = position

    found = examine(file.source, advance)
    advance(file.source.size)
    return Examined(file, found)


def _is_damaged(findings: Sequence[Finding]) -> bool:
    return any(finding.verdict in (Verdict.ALTERED, Verdict.MISSING, Verdict.UNTRUSTED) for finding in findings)


def _trust_findings(
    segment: Examined, roots: Sequence[x509.Certificate], now: datetime, said: Testimony
) -> Iterator[Finding]:
    found, origin = segment.found.manifest, segment.found.origin
    if found is None or origin is None:
        return
    name = segment.file.name
    try:
        chain = trust_chain(found.chain, roots)
    except SenderFault as fault:
        yield Finding(Verdict.UNTRUSTED, TRUST, f"{name}：{fault}")
        return
    if chain.subject != origin.device:
        text = f"{name}：证书属于 {chain.subject[:40]}，内容却自称 {origin.device}，不予信任。"
        yield Finding(Verdict.UNTRUSTED, TRUST, text)
    yield from date_findings(segment, chain, now, said)


def _report(
    segments: Sequence[Examined],
    readable: Sequence[Examined],
    findings: Sequence[Finding],
    sidecars: Sidecars | None,
    witnesses: list[str],
) -> Report:
    origin = readable[0].found.origin if readable else None
    records = [record for segment in readable for record in segment.found.fragments]
    notes = [] if sidecars is None else sidecar_lines(sidecars)
    if sidecars is None:
        notes = ["只检验了所给的文件，不判断录制的其他分段是否齐全。"]
    return Report(
        verdict=worst(finding.verdict for finding in findings),
        integrity=_layer(INTEGRITY, findings, ()),
        trust=_layer(TRUST, findings, ()) if readable else _UNREADABLE,
        time=_time_layer(readable, findings, witnesses),
        completeness=_layer(COMPLETENESS, findings, notes) if readable or not segments else _UNREADABLE,
        duty=_DUTY,
        places=tuple(finding.place for finding in findings if finding.place is not None),
        device=None if origin is None else origin.device,
        recording=None if origin is None else origin.recording,
        unit="" if origin is None else origin.unit,
        synthetic=origin is not None and origin.synthetic,
        segments=len(segments),
        fragments=len(records),
        duration_s=sum(record.entry.moment.duration_ms for record in records) / 1000,
        recovered=any(segment.seal is not None and segment.seal.closing.recovered for segment in readable),
    )


def _time_layer(readable: Sequence[Examined], findings: Sequence[Finding], witnesses: list[str]) -> Layer:
    """Passed only when every segment was witnessed and nothing speaks against it: a device's own word is a note."""
    if not readable:
        return _UNREADABLE
    layer = _layer(TIME, findings, [*witnesses, *clock_lines(readable, witnessed=bool(witnesses))])
    own = any(finding.layer == TIME for finding in findings)
    return replace(layer, status=Status.PASSED) if len(witnesses) == len(readable) and not own else layer


def _layer(name: str, findings: Sequence[Finding], notes: Sequence[str]) -> Layer:
    own = [finding for finding in findings if finding.layer == name]
    bad = any(finding.verdict not in (Verdict.COMPLETE, Verdict.EXPLAINED_GAP) for finding in own)
    quiet = Status.NOTED if own or name == TIME else Status.PASSED
    lines = [finding.text for finding in own] or [line for line in (_GOOD[name],) if line]
    return Layer(Status.FAILED if bad else quiet, (*lines, *notes))
