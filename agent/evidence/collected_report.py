"""Verifying material collected from another recorder: one verdict, in words that claim no more than was seen."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from agent.errors import SenderFault
from agent.evidence.bmff import Source
from agent.evidence.certificates import trust_chain
from agent.evidence.collected import MANIFEST_NAME, Collected, CollectedStatement, Structure, open_collected, readable
from agent.evidence.collected import sha256_of as digest_of
from agent.evidence.places import MISSING, clock_text, wall_text
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
from agent.evidence.sidecar_findings import sums_findings
from agent.wire.identifiers import Digest
from agent.wire.instant import TimeState
from agent.wire.trust import TrustList

_UNREADABLE = Layer(Status.NOT_JUDGED, ("没有可读的签名凭证，无从判断。",))
_DUTY = Layer(Status.NOT_JUDGED, ("采集件不评判此项。",))
_BEFORE = "采集之前的事无从知道：原件是否齐全、是否改过、何时摄录，请向原记录仪的管理单位查证。"
_STRUCTURES = {
    Structure.WHOLE: "采集时文件结构完整。",
    Structure.TORN: "采集时文件已残缺（原记录仪没有写完，或复制中断），照原样保存。",
    Structure.NOT_LOOKED: "文件结构未作判断。",
}


@dataclass(frozen=True)
class CollectedFiles:
    """The folder of one collected file: the sidecar; the material's name and content, None when it is not there; the
    sums and their signature, None likewise."""

    store: bytes
    name: str
    material: Source | None
    sums: bytes | None
    signature: bytes | None


def verify_collected(
    files: CollectedFiles, roots: Sequence[x509.Certificate], now: datetime, trust: TrustList | None = None
) -> Report:
    """The report on one collected file; never raises for content. `segments`, `fragments` and `duration_s` are 0."""
    try:
        found = open_collected(files.store)
    except SenderFault as fault:
        place = Place(MANIFEST_NAME, "manifest")
        return _report(None, [Finding(Verdict.ALTERED, INTEGRITY, f"{MANIFEST_NAME}：{fault}", place)])
    findings = [*_content(files, found, roots), *_trust(found, roots, now)]
    if trust is not None:
        signed = told_time(found.statement.collected)
        findings += revocation_findings(MANIFEST_NAME, leaf_key(found.chain), signed, None, trust)
    return _report(found.statement, findings)


def _content(files: CollectedFiles, found: Collected, roots: Sequence[x509.Certificate]) -> Iterator[Finding]:
    stated, digests = found.statement, {MANIFEST_NAME: Digest(hashlib.sha256(files.store).hexdigest())}
    if files.material is None:
        yield Finding(Verdict.MISSING, COMPLETENESS, "采集来的文件不在，只剩凭证。", Place(files.name, MISSING))
    else:
        digests[files.name] = digest_of(files.material)
        if (files.material.size, digests[files.name]) != (stated.size, stated.sha256):
            place = Place(files.name, "material")
            yield Finding(Verdict.ALTERED, INTEGRITY, f"{files.name}：内容与采集时不一致，已被改动。", place)
    if files.sums is not None:
        yield from sums_findings(files.sums, files.signature, digests.items(), roots, {stated.device})


def _trust(found: Collected, roots: Sequence[x509.Certificate], now: datetime) -> Iterator[Finding]:
    if not roots:
        yield Finding(Verdict.UNTRUSTED, TRUST, NO_ROOTS)
        return
    try:
        chain = trust_chain(found.chain, roots)
    except SenderFault as fault:
        yield Finding(Verdict.UNTRUSTED, TRUST, f"{MANIFEST_NAME}：{fault}")
        return
    stated = found.statement
    if chain.subject != stated.device or not stated.item.startswith(f"{stated.device}-C"):
        text = f"{MANIFEST_NAME}：证书属于 {chain.subject[:40]}，内容却自称 {stated.device}，不予信任。"
        yield Finding(Verdict.UNTRUSTED, TRUST, text)
    if chain.covers(stated.collected.wall):
        return
    if stated.collected.state is TimeState.UNSET and chain.covers(now):
        text = "设备时钟当时未校准，自报时间不在证书有效期内；证书今日有效。"
        yield Finding(Verdict.COMPLETE, TIME, text)
        return
    yield Finding(Verdict.UNTRUSTED, TIME, "自报的采集时间不在证书有效期内，不予信任。")


def _report(stated: CollectedStatement | None, findings: Sequence[Finding]) -> Report:
    unread = stated is None
    return Report(
        verdict=worst(finding.verdict for finding in findings),
        integrity=_layer(INTEGRITY, findings, ["与采集时一致，采集之后没有改动。"], []),
        trust=_UNREADABLE if unread else not_judged_without_roots(_trust_layer(findings)),
        time=_UNREADABLE if stated is None else _layer(TIME, findings, [], _times(stated)),
        completeness=_UNREADABLE if stated is None else _completeness(stated, findings),
        duty=_DUTY,
        first_bad=next((it.place for it in findings if it.layer == INTEGRITY and it.place is not None), None),
        places=tuple(finding.place for finding in findings if finding.place is not None),
        device=None if stated is None else stated.device,
        recording=None,
        unit="" if stated is None else stated.unit,
        synthetic=False,
        segments=0,
        fragments=0,
        duration_s=0.0,
        recovered=False,
        collected=True,
    )


def _trust_layer(findings: Sequence[Finding]) -> Layer:
    return _layer(TRUST, findings, ["采集的设备：签名证书属于所给的根证书。"], [])


def _times(stated: CollectedStatement) -> list[str]:
    claimed = f"来源处文件的时间 {wall_text(stated.modified)} 是来源自称的，未经核实。"
    return [f"设备自报采集时间：{clock_text(stated.collected)}（北京时间）。", claimed]


def _completeness(stated: CollectedStatement, findings: Sequence[Finding]) -> Layer:
    """Passed never: what was on the card is not known."""
    failed = [finding.text for finding in findings if finding.layer == COMPLETENESS]
    origin = f"采集件 {stated.item}，采自“{stated.source}”的 {readable(stated.path)}，{stated.size} 字节。"
    lines = (*failed, origin, _STRUCTURES[stated.structure], _BEFORE)
    return Layer(Status.FAILED if failed else Status.NOTED, lines)


def _layer(name: str, findings: Sequence[Finding], good: Sequence[str], notes: Sequence[str]) -> Layer:
    own = [finding for finding in findings if finding.layer == name]
    bad = any(finding.verdict is not Verdict.COMPLETE for finding in own)
    status = Status.FAILED if bad else Status.NOTED if own or notes else Status.PASSED
    return Layer(status, (*(finding.text for finding in own), *(() if bad else good), *notes))
