"""Whether a recording is what its device told the centre while it recorded: nothing cut off, nothing exchanged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.evidence.account import Account
from agent.evidence.excerpt_findings import is_excerpt
from agent.evidence.journal import JournalRecord, Reason
from agent.evidence.places import MISSING, Examined, nearest, timed, wall_text
from agent.evidence.report import COMPLETENESS, INTEGRITY, TIME, Finding, Place, Verdict
from agent.evidence.told import ToldHead, ToldRecording
from agent.wire.identifiers import Digest, RecordingId, recording_number
from agent.wire.recording_receipts import RecordingReceipt

HEAD = "head"
CLOCK_TOLERANCE = timedelta(seconds=1)  # ours: beside the error that the device states itself


@dataclass(frozen=True)
class Compared:
    """The outcome of comparing one recording with an account: what speaks against it, and what is to be said anyway
    in the layers of completeness and time."""

    findings: tuple[Finding, ...]
    completeness: tuple[str, ...]
    time: tuple[str, ...]


def compare(segments: Sequence[Examined], account: Account, *, whole: bool) -> Compared:
    """Hold the readable `segments` of one recording, in order, against the account of its device. With `whole` they are
    meant to be all of it; without, only what the account tells of these very segments counts."""
    origin = segments[0].found.origin if segments else None
    if origin is None:
        return Compared((), (), ())
    told = account.recordings.get(origin.recording)
    shelf = _Shelf(segments, whole=whole)
    if (told is None or not told.by_device) and not account.reaches_back_to(origin.recording, origin.opened.wall):
        return _before_it_begins(origin.recording, account, shelf)
    if told is None:
        return _unheard_of(origin.recording, account)
    findings = [*_previous(told, segments), *_contradictions(told, shelf)]
    if whole:
        findings += _segments(told, shelf)
    findings += [*_tail(told, shelf), *_clock(told, shelf)]
    receipted = account.receipted.get(origin.recording)
    if whole and receipted is not None:
        findings += _receipted(receipted, shelf)
    lines = [*_confirmed(told, shelf, account), *_filed(receipted, shelf)]
    return Compared(tuple(findings), tuple(lines), tuple(_seen(told, shelf)))


def first_seen(segments: Sequence[Examined], told: ToldRecording | None) -> datetime | None:
    """When a witness first saw the end of the last fragment here, None when none did."""
    if told is None or not segments:
        return None
    last = segments[-1].found.head
    return min((head.seen for head in told.heads if head.seen is not None and head.head == last), default=None)


class _Shelf:
    """The fragments of a recording by number, and how far its files claim to go."""

    def __init__(self, segments: Sequence[Examined], *, whole: bool) -> None:
        self.segments = segments
        self.records: Mapping[int, tuple[Examined, JournalRecord]] = {
            record.entry.sequence: (segment, record) for segment in segments for record in segment.found.fragments
        }
        self.heads = {record.head for _, record in self.records.values()}
        self.numbers = {segment.number for segment in segments}
        self.covered = max(map(_claimed, segments))
        self.whole = whole

    def concerns(self, head: ToldHead) -> bool:
        """Whether the head is of what is here, or of what should be."""
        return self.whole or head.segment in self.numbers or head.sequence in self.records


def _claimed(segment: Examined) -> int:
    """The last number that a segment holds, or that its seal says it held."""
    origin = segment.found.origin
    first = 1 if origin is None else origin.first_sequence
    last = max((record.entry.sequence for record in segment.found.fragments), default=first - 1)
    return last if segment.seal is None else max(last, first + segment.seal.fragments - 1)


def _before_it_begins(recording: RecordingId, account: Account, shelf: "_Shelf") -> Compared:
    """A recording older than the account: only the centre's own receipt for all its files can speak of its end, and
    witnesses of what they saw."""
    told, receipted = account.recordings.get(recording), account.receipted.get(recording)
    findings = [] if told is None else [*_contradictions(told, shelf), *_tail(told, shelf)]
    if shelf.whole and receipted is not None:
        findings += _receipted(receipted, shelf)
    filed = tuple(_filed(receipted, shelf))
    if not filed:
        text = f"未涵盖：{recording} 早于所给凭据的起点，尾部是否齐全无从佐证。请向中心索取起点更早的凭据。"
        findings.append(Finding(Verdict.UNEXPLAINED_GAP, COMPLETENESS, text))
    return Compared(tuple(findings), (*filed, account.begins), ())


def _unheard_of(recording: RecordingId, account: Account) -> Compared:
    later = [it for it in account.recordings if recording_number(it) > recording_number(recording)]
    if account.as_of is None or not later:
        return Compared((), (f"所给凭据中没有 {recording} 的记录，尾部是否齐全无从佐证。",), ())
    text = f"设备的事件链（中心收至第 {account.upto} 号）讲到了之后的 {min(later)}，却没有讲到 {recording}，原因不明。"
    return Compared((Finding(Verdict.UNEXPLAINED_GAP, COMPLETENESS, text),), (), ())


def _previous(told: ToldRecording, segments: Sequence[Examined]) -> Iterator[Finding]:
    for segment in segments:
        origin = segment.found.origin
        if told.previous is not None and origin is not None and origin.previous_recording != told.previous:
            text = f"{segment.file.name}：所接的前一次录制与设备当时报给中心的不同。"
            yield Finding(Verdict.ALTERED, INTEGRITY, text, Place(segment.file.name, HEAD, segment.number))


def _contradictions(told: ToldRecording, shelf: _Shelf) -> Iterator[Finding]:
    """The first fragment that was told with another head; all after it differ as well."""
    for head in told.heads:
        found = shelf.records.get(head.sequence)
        if found is None or found[1].head == head.head or head.head in shelf.heads:
            continue
        segment, record = found
        captured = record.entry.moment.captured
        place = Place(segment.file.name, HEAD, segment.number, head.sequence, captured, offset=record.offset)
        text = f"{segment.file.name} 第 {head.sequence} 片段：链头与{_who(head)}不符，录制被换过。"
        yield Finding(Verdict.ALTERED, INTEGRITY, text, place)
        return


def _segments(told: ToldRecording, shelf: _Shelf) -> Iterator[Finding]:
    last = shelf.segments[-1]
    expected = max((head.segment for head in told.heads if head.segment is not None), default=0)
    number = last.number or 0
    if last.seal is not None and last.seal.closing.reason is Reason.CONTINUED:
        number += 1  # that one is missed already, because of the seal before it
    if expected > number:
        place = Place(f"segment-{number + 1:04d}.mp4", MISSING, number + 1, count=expected - number)
        text = f"设备报给中心的录制有 {expected} 个分段，这里缺第 {number + 1} 段起的 {expected - number} 个。"
        yield Finding(Verdict.MISSING, COMPLETENESS, text, place)


def _tail(told: ToldRecording, shelf: _Shelf) -> Iterator[Finding]:
    beyond = [head for head in told.heads if head.sequence > shelf.covered and shelf.concerns(head)]
    if not beyond or (not shelf.whole and is_excerpt(shelf.segments[-1])):  # that more follows is what an excerpt says
        return
    last, segment = beyond[-1], shelf.segments[-1]
    count = last.sequence - shelf.covered
    place = Place(segment.file.name, MISSING, segment.number, shelf.covered + 1, count=count)
    records = [record for _, record in shelf.records.values()]
    place = timed(place, nearest(records, shelf.covered + 1))
    text = (
        f"尾部缺失：{_who(last)}到第 {last.sequence} 片段，这里只到第 {shelf.covered} 片段，缺 {count} 个片段"
        f"{_stretch(place, last)}。"
    )
    yield Finding(Verdict.MISSING, COMPLETENESS, text, place)


def _stretch(place: Place, last: ToldHead) -> str:
    if place.captured is None or last.told is None:
        return ""
    return f"（约 {wall_text(place.captured.wall)} 至 {wall_text(last.told)}）"


def _clock(told: ToldRecording, shelf: _Shelf) -> Iterator[Finding]:
    """A fragment cannot have been captured after somebody saw its head."""
    for head in told.heads:
        found = shelf.records.get(head.sequence)
        if head.seen is None or found is None or found[1].head != head.head:
            continue
        captured = found[1].entry.moment.captured
        ahead = captured.wall - timedelta(milliseconds=captured.error_ms or 0) - head.seen
        if ahead > CLOCK_TOLERANCE:
            text = f"设备时钟比{head.witness}快至少 {ahead.total_seconds():.0f} 秒，自报时间偏晚。"
            yield Finding(Verdict.COMPLETE, TIME, text)
            return


def _confirmed(told: ToldRecording, shelf: _Shelf, account: Account) -> Iterator[str]:
    agreed = sum(head.head in shelf.heads for head in told.heads)
    if account.as_of is not None:
        yield (
            f"中心 {account.receiver} 的回执截至 {wall_text(account.as_of)}（设备事件第 {account.upto} 号）；"
            f"所述 {len(told.heads)} 个链头中 {agreed} 个与这里的片段一致。"
        )
    if account.anchor is not None:
        yield account.begins
    end = told.end
    last = shelf.segments[-1]
    if end is not None and last.seal is None and last.found.head in _end_heads(told):
        yield "设备报给中心的结尾与这里的末片段一致：虽未封存，尾部没有缺失。"
    if end is None:
        yield "设备没有向中心报过这次录制的结尾；最后一个链头之后是否还有内容，无从佐证。"


def _receipted(receipt: RecordingReceipt, shelf: _Shelf) -> Iterator[Finding]:
    """What the centre held when it signed for the whole recording must end as this one does."""
    if receipt.head == shelf.segments[-1].found.head:
        return
    last = shelf.segments[-1]
    verdict = Verdict.ALTERED if receipt.head in shelf.heads else Verdict.MISSING
    text = f"末片段不是中心 {receipt.receiver} 于 {wall_text(receipt.received_at)} 签收全部文件时的那一个。"
    layer = INTEGRITY if verdict is Verdict.ALTERED else COMPLETENESS
    yield Finding(verdict, layer, text, Place(last.file.name, HEAD, last.number))


def _filed(receipt: RecordingReceipt | None, shelf: _Shelf) -> Iterator[str]:
    if receipt is not None and receipt.head == shelf.segments[-1].found.head:
        yield (
            f"中心 {receipt.receiver} 于 {wall_text(receipt.received_at)} 签收这次录制的全部文件"
            f"（{receipt.size} 字节），末片段与这里一致。"
        )


def _end_heads(told: ToldRecording) -> set[Digest]:
    end = told.end
    return set() if end is None else {head.head for head in told.heads if head.sequence == end.fragments}


def _seen(told: ToldRecording, shelf: _Shelf) -> Iterator[str]:
    """The farthest fragment that each witness saw in this very form, and when first."""
    farthest: dict[str, ToldHead] = {}
    for head in told.heads:
        if head.witness is None or head.seen is None or head.head not in shelf.heads:
            continue
        best = farthest.get(head.witness)
        if best is None or (head.sequence, best.seen or head.seen) > (best.sequence, head.seen):
            farthest[head.witness] = head
    for witness, head in sorted(farthest.items()):
        if head.seen is not None:
            yield f"{witness} 见证：第 {head.sequence} 片段及之前的内容至迟在 {wall_text(head.seen)} 已存在。"


def _who(head: ToldHead) -> str:
    if head.witness is not None and head.seen is not None:
        return f"{head.witness} 于 {wall_text(head.seen)} 的见证"
    return "设备当时报给中心的" if head.told is None else f"设备于 {wall_text(head.told)} 报给中心的"
