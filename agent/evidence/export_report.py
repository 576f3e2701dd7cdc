"""The certificate of an export (`export.dsse`), held against the files that lie in its folder: who handed out what,
when, why and with whose approval, signed by the centre; and whether these are still the same files.

What the films themselves show is not judged here: each is verified by its own signatures.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from agent.errors import OperatorFault, SenderFault
from agent.evidence.places import MISSING, wall_text
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
    worst,
)
from agent.wire import canonical
from agent.wire.envelope import open_archived
from agent.wire.identifiers import Digest, device_id, parse_recording_id
from agent.wire.trust import Role, TrustList

EXPORT_TYPE = "application/vnd.liuhen.export+json"
CERTIFICATE_NAME, PAGE_NAME = "export.dsse", "export.html"  # the page shows the certificate, and is not listed in it
MAX_CERTIFICATE_BYTES = 4 * 1024 * 1024  # ours; it lists every photo and note, up to 4096 of each
STRANGERS_TOLD = 100  # ours; of a folder that somebody has filled up
_NOT_JUDGED = Layer(Status.NOT_JUDGED, ("导出证明不评判此项。",))
_NO_TRUST = "没有给出信任清单（--trust trust.dsse），不知导出证明由谁签名，其中所说一概未采信。"
_KINDS = {
    "whole": "整个录制",
    "exact": "原样节选",
    "masked": "遮挡后的片段（由中心重新编码并签名，画面请用 C2PA 软件核验）",
}


def open_certificate(data: bytes, trust: TrustList) -> Mapping[str, Any]:
    """The fields of a certificate that a receiver of the district signed while its own certificate was in date and not
    revoked, by the moment that it states; raises `SenderFault` otherwise."""
    opened = open_archived(data, EXPORT_TYPE, trust, MAX_CERTIFICATE_BYTES)
    fields = canonical.decode_object(opened.payload)
    opened.signer(Role.RECEIVER).valid_at(canonical.parse_timestamp(fields.get("exported_at")))
    return fields


def _doubted(certificate: bytes, trust: TrustList) -> Iterator[Finding]:
    """That the centre's key was revoked later: whoever has it may date a certificate as he likes."""
    signer = open_archived(certificate, EXPORT_TYPE, trust, MAX_CERTIFICATE_BYTES).signer(Role.RECEIVER)
    if signer.revoked_at is not None:
        told = f"{CERTIFICATE_NAME}：{signer.subject} 的签名密钥已于 {wall_text(signer.revoked_at)} 吊销"
        text = f"{told}；导出时间只有它自己的时钟为证，请向中心核对导出台账。"
        yield Finding(Verdict.COMPLETE, TRUST, text)


def verify_export(
    certificate: bytes,
    files: Mapping[str, Callable[[], Digest]],
    trust: TrustList | None,
    now: datetime,
    traces: Sequence[str] = (),
) -> Report:
    """The report on a certificate and on `files`, everything that lies in its folder by its path in it, each with what
    makes its SHA-256 or raises `OperatorFault`: only those are read that the certificate lists. `now` bounds the moment
    that the certificate states; `traces` are what computers left in the folder by themselves. Never raises for
    content."""
    if trust is None:
        return _report([Finding(Verdict.UNTRUSTED, TRUST, _NO_TRUST)])
    try:
        fields = open_certificate(certificate, trust)
        told = _told(fields)
        whose = device_id(fields["device"]), parse_recording_id(fields["recording"]), str(fields["unit"])
        listed = {str(name): str(digest) for name, digest in fields["files"].items()}
    except (SenderFault, KeyError, TypeError, ValueError, AttributeError) as fault:
        why = str(fault) if isinstance(fault, SenderFault) else "缺少应有的内容。"
        return _report([Finding(Verdict.UNTRUSTED, TRUST, f"{CERTIFICATE_NAME}：{why}")])
    findings = [*_compared(listed, files), *_doubted(certificate, trust)]
    if PAGE_NAME in files:
        told.append(f"{PAGE_NAME} 只供打印，不在证明之列，未核验；以本报告所述为准。")
    if traces:
        told.append(f"电脑自动留下的文件，不在证明之列，未查看：{'、'.join(sorted(traces)[:STRANGERS_TOLD])}。")
    if canonical.parse_timestamp(fields["exported_at"]) > now:
        findings.append(Finding(Verdict.UNTRUSTED, TIME, f"{CERTIFICATE_NAME}：所写的导出时间在将来，不予信任。"))
    return replace(_report(findings, told), device=whose[0], recording=whose[1], unit=whose[2])


def _compared(listed: Mapping[str, str], files: Mapping[str, Callable[[], Digest]]) -> Iterator[Finding]:
    for name, digest in listed.items():
        try:
            if name not in files:
                yield _missing(name, "不在。")
            elif files[name]() != digest:
                yield _altered(name, "与导出时不一致")
        except OperatorFault as fault:  # a pipe, a link that leads nowhere: the file that was handed out is not there
            yield _missing(name, f"读不到，视同不在：{fault}")
    # Any name: a film is one whatever it is called, and who plays what lies here asks no list.
    strangers = sorted(files.keys() - listed.keys() - {CERTIFICATE_NAME, PAGE_NAME})
    for name in strangers[:STRANGERS_TOLD]:
        yield _altered(name, "不在导出证明所列的文件中，被混入；若是自己放入的，请移出后重新检验")
    if len(strangers) > STRANGERS_TOLD:
        yield _altered(".", f"另有 {len(strangers) - STRANGERS_TOLD} 个不在导出证明所列的文件中")


def _missing(name: str, why: str) -> Finding:
    return Finding(Verdict.MISSING, COMPLETENESS, f"导出证明所列的 {name} {why}", Place(name, MISSING))


def _altered(name: str, why: str) -> Finding:
    return Finding(Verdict.ALTERED, INTEGRITY, f"{name}：{why}。", Place(name, "export"))


def _told(fields: Mapping[str, Any]) -> list[str]:
    """What the certificate says, in Chinese; raises when something is not there."""
    when, kind = wall_text(canonical.parse_timestamp(fields["exported_at"])), _KINDS[fields["kind"]]
    lines = [
        f"{fields['centre']} 于 {when}（北京时间，中心自报）导出：{kind}，{len(fields['files'])} 个文件。",
        f"导出人 {fields['by']}，批准人 {fields['approved_by']}，理由：{fields['reason']}。",
        f"导出时对原录制的检验结论：{Verdict(fields['verdict']).chinese}；本报告未见原录制，不重复该结论。",
    ]
    lines += [_taken(entry, fields["sources"]) for entry in fields["taken"] if entry["range"] is not None]
    return [*lines, *(f"改动：{change}。" for change in fields["changes"])]


def _taken(entry: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    stretch, source = entry["range"], entry["source"]
    where = f"取自 {source} 第 {stretch['first']} 至 {stretch['last']} 片段"
    return f"{entry['file']}：{where}，该分段当时的 SHA-256 为 {sources[source]}。"


def _report(findings: Sequence[Finding], told: Sequence[str] = ()) -> Report:
    known = bool(told)
    return Report(
        verdict=worst(finding.verdict for finding in findings),
        integrity=_layer(INTEGRITY, findings, ["各文件与导出时一致。"]) if known else _NOT_JUDGED,
        trust=_layer(TRUST, findings, ["导出证明由本区中心签名。"]),
        time=_layer(TIME, findings, []) if known else _NOT_JUDGED,
        completeness=_layer(COMPLETENESS, findings, list(told)) if known else _NOT_JUDGED,
        duty=_NOT_JUDGED,
        first_bad=next((finding.place for finding in findings if finding.layer == INTEGRITY), None),
        places=tuple(finding.place for finding in findings if finding.place is not None),
        device=None,
        recording=None,
        unit="",
        synthetic=False,
        segments=0,
        fragments=0,
        duration_s=0.0,
        recovered=False,
    )


def _layer(name: str, findings: Sequence[Finding], good: Sequence[str]) -> Layer:
    own = [finding.text for finding in findings if finding.layer == name]
    quiet = Status.NOTED if name == TIME else Status.PASSED
    lines = good if name == COMPLETENESS or not own else ()  # who handed out what is told in any case
    return Layer(Status.FAILED if own else quiet, (*own, *lines))
