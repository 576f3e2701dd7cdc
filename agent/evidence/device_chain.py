"""What the recordings of one device show together: each names the head of the one before, so that one that is taken
away leaves a gap; with the account of the device, the first and the last ones as well."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.evidence.account import Account
from agent.evidence.places import MISSING, Examined, wall_text
from agent.evidence.report import (
    COMPLETENESS,
    DUTY,
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
from agent.evidence.strangers import beside_recordings
from agent.evidence.told import ToldRecording
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import DeviceId, Digest, RecordingId, recording_number

_RANK = [Status.NOT_JUDGED, Status.PASSED, Status.NOTED, Status.FAILED]


@dataclass(frozen=True)
class ChainLink:
    """What the chain of a device needs of one recording. `heads` are all heads its files can show; `whole`: every
    segment is sealed and none of them by a later start; `partly`: a segment lies there that could not be read."""

    recording: RecordingId
    device: DeviceId
    previous: Digest
    heads: frozenset[Digest]
    opened: datetime
    ended: datetime
    whole: bool
    partly: bool = False


def chain_link(segments: Sequence[Examined], *, partly: bool = False) -> ChainLink | None:
    """The link that the segments of one recording make, None when nothing signed could be read; `partly`: there are
    others, which could not be."""
    readable = [segment for segment in segments if segment.found.origin is not None]
    origin = readable[0].found.origin if readable else None
    if origin is None:
        return None
    seals = [segment.seal for segment in readable if segment.seal is not None]
    records = [record for segment in readable for record in segment.found.fragments]
    heads = {record.head for record in records} | {seal.head for seal in seals}
    ends = [record.entry.moment.captured.wall for record in records] + [seal.closing.at.wall for seal in seals]
    whole = len(seals) == len(segments) and not any(seal.closing.recovered for seal in seals)
    ended = max(ends, default=origin.opened.wall)
    opened = origin.opened.wall
    return ChainLink(
        origin.recording, origin.device, origin.previous_recording, frozenset(heads), opened, ended, whole, partly
    )


def chain_findings(links: Sequence[ChainLink], account: Account | None) -> list[Finding]:
    """What is wrong between the recordings of one device, and which of them are missing. `links` are all that are
    there, of one device."""
    ordered = sorted(links, key=lambda link: recording_number(link.recording))
    told = {} if account is None else account.recordings
    findings = [*_absent(ordered, account)]
    for before, after in itertools.pairwise(ordered):
        findings += _step(before, after, told_between(before, after, list(told.values())))
        findings += _clock(before, after)
    return findings


def chain_lines(links: Sequence[ChainLink], account: Account | None) -> list[str]:
    """How far the chain reaches at both ends, in Chinese."""
    if not links:
        return []
    first = min(links, key=lambda link: recording_number(link.recording))
    lines = []
    if account is None:
        lines.append("没有中心的凭据（--receipts）：最后一次录制之后是否还有录制，无从佐证。")
        if first.previous != GENESIS:
            lines.append(f"{first.recording} 之前还有录制，未在其中。")
    elif account.as_of is not None:
        lines.append(f"中心 {account.receiver} 的回执截至 {wall_text(account.as_of)}，设备事件第 {account.upto} 号。")
    if account is not None and account.anchor is not None:
        lines.append(account.begins)
    return lines


def device_report(
    links: Sequence[ChainLink],
    reports: Sequence[Report],
    account: Account | None,
    besides: Sequence[str] = (),
    more: Sequence[Finding] = (),
) -> Report:
    """One report on all recordings of a device: the worst of their own, and what shows only between them. `besides` are
    the names that lie among them and are no recordings, `more` what was found of something else of the device."""
    findings = [*chain_findings(links, account), *more]
    first_bad = next((report.first_bad for report in reports if report.first_bad is not None), None)
    places = [finding.place for finding in findings if finding.place is not None]
    layers = {name: _layer(name, reports, findings) for name in (INTEGRITY, TRUST, TIME, COMPLETENESS, DUTY)}
    known = layers[COMPLETENESS]
    return Report(
        verdict=worst([*(report.verdict for report in reports), *(finding.verdict for finding in findings)]),
        integrity=layers[INTEGRITY],
        trust=layers[TRUST],
        time=layers[TIME],
        completeness=Layer(known.status, (*known.lines, *chain_lines(links, account), *beside_recordings(besides))),
        duty=layers[DUTY],
        first_bad=first_bad,
        places=tuple(places),
        device=links[0].device if links else None,
        recording=None,
        unit=next((report.unit for report in reports if report.unit), ""),
        synthetic=any(report.synthetic for report in reports),
        segments=sum(report.segments for report in reports),
        fragments=sum(report.fragments for report in reports),
        duration_s=sum(report.duration_s for report in reports),
        recovered=any(report.recovered for report in reports),
    )


def _layer(name: str, reports: Sequence[Report], findings: Sequence[Finding]) -> Layer:
    """How a layer stands over all recordings: as the worst of them, or as what shows between them."""
    own = [finding for finding in findings if finding.layer == name]
    bad = any(finding.verdict not in (Verdict.COMPLETE, Verdict.EXPLAINED_GAP) for finding in own)
    status = max((report.layers[name].status for report in reports), key=_RANK.index, default=Status.NOT_JUDGED)
    status = max(status, Status.FAILED if bad else Status.NOTED if own else Status.NOT_JUDGED, key=_RANK.index)
    failed = [str(report.recording) for report in reports if report.layers[name].status is Status.FAILED]
    lines = [f"{'、'.join(failed)} 不通过，见各自的报告。"] if failed else []
    return Layer(status, (*lines, *(finding.text for finding in own)))


def told_between(before: ChainLink, after: ChainLink, told: Sequence[ToldRecording]) -> list[ToldRecording]:
    """The recordings with fragments that were told of between two that are there."""
    first, last = recording_number(before.recording), recording_number(after.recording)
    return [it for it in told if it.heads and first < recording_number(it.recording) < last]


def _absent(links: Sequence[ChainLink], account: Account | None) -> Iterator[Finding]:
    here = {link.recording for link in links}
    told, receipted = ({}, {}) if account is None else (account.recordings, account.receipted)
    since = None if account is None else account.anchor
    for recording in sorted(told.values(), key=lambda it: recording_number(it.recording)):
        if recording.recording in here:
            continue
        receipt = receipted.get(recording.recording)
        if recording.deleted is not None and receipt is not None:
            text = f"录制 {recording.recording} 已于 {wall_text(recording.deleted)} 由设备按期限删除；此前中心"
            text += f" {receipt.receiver} 已签收全部文件，可向其调取。"
            yield Finding(Verdict.EXPLAINED_GAP, COMPLETENESS, text)
        elif since is not None and not recording.by_device:
            continue  # of before the account, which hears of it once more
        elif recording.last is not None:
            yield _missing(recording.recording, f"{_told(recording)}，却不在其中")
        elif not recording.failed:
            text = f"录制 {recording.recording}：{_told(recording)}，此后再无消息，也不在其中。"
            yield Finding(Verdict.UNEXPLAINED_GAP, COMPLETENESS, text)


def _told(recording: ToldRecording) -> str:
    begin = "" if recording.started is None else f" {wall_text(recording.started)} 开始"
    if recording.last is None:
        return f"设备向中心报过{begin}"
    end = "" if recording.end is None else f"，{wall_text(recording.end.at)} 结束"
    return f"设备向中心报过{begin}{end}，至少 {recording.last.sequence} 个片段"


def _missing(recording: RecordingId, why: str) -> Finding:
    text = f"缺少录制 {recording}：{why}。"
    return Finding(Verdict.MISSING, COMPLETENESS, text, Place(recording, MISSING))


def _step(before: ChainLink, after: ChainLink, between: Sequence[ToldRecording]) -> Iterator[Finding]:
    skipped = recording_number(after.recording) - recording_number(before.recording) - 1
    unknown = before.partly and skipped == 0
    if after.previous in before.heads or between or unknown:  # those between are missing, and named so
        return
    if skipped < 0:
        text = f"{after.recording} 出现了两次。"
        yield Finding(Verdict.ALTERED, INTEGRITY, text, Place(after.recording, "duplicated"))
    elif after.previous == GENESIS:
        text = f"{after.recording} 不接任何录制，另起一链（如重新装机），与 {before.recording} 之间无从佐证。"
        yield Finding(Verdict.UNEXPLAINED_GAP, COMPLETENESS, text)
    elif skipped:
        first = f"{before.device}-R{recording_number(before.recording) + 1:06d}"
        why = f"{after.recording} 所接的链头不属于 {before.recording}，两者之间（共 {skipped} 个编号）有录制被取走"
        yield _missing(RecordingId(first), why)
    elif before.whole:
        text = f"{after.recording} 所接的链头不属于 {before.recording}：后者被换过。"
        yield Finding(Verdict.ALTERED, INTEGRITY, text, Place(before.recording, "head"))
    else:
        text = f"{before.recording} 的尾部缺失：{after.recording} 所接的链头不在其中。"
        yield Finding(Verdict.MISSING, COMPLETENESS, text, Place(before.recording, MISSING))


def _clock(before: ChainLink, after: ChainLink) -> Iterator[Finding]:
    if after.opened < before.ended:
        text = (
            f"{after.recording} 自报 {wall_text(after.opened)} 开始，早于 {before.recording} 的结束"
            f"（{wall_text(before.ended)}）：设备时钟被往回拨过；先后以链为准。"
        )
        yield Finding(Verdict.COMPLETE, TIME, text)
