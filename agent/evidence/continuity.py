"""What the segments of one recording show together: the chain between them, interruptions, and time."""

import itertools
from collections.abc import Collection, Iterator, Sequence

from agent.evidence.excerpt_findings import excerpt_findings, is_excerpt
from agent.evidence.interruptions import REASON_NAMES
from agent.evidence.journal import GAP_CLOSED, GAP_OPENED, JournalRecord, Reason
from agent.evidence.places import MISSING, Examined, clock_text
from agent.evidence.reasons import RECORDING_GOES_ON
from agent.evidence.report import COMPLETENESS, INTEGRITY, Finding, Place, Verdict
from agent.wire.instant import Instant

TIME_HOLE_MS = 1000  # ours: more than this between the end of a fragment and the next one is an interruption
GAP_EDGE_MS = 5000  # ours: a silent camera is found lost after 3 s, and the first whole picture may come late
NO_INTERRUPTION = frozenset({Reason.STOPPED, Reason.CONTINUED})


def recording_findings(segments: Sequence[Examined], *, whole: bool, unread: Collection[int] = ()) -> list[Finding]:
    """Everything that only shows across fragments and segments, but for `interruptions`. `segments` have readable
    manifests and stand in the order of their numbers; `whole` says that they are meant to be all of one recording,
    `unread` which others lie there and could not be read."""
    findings = [*_identity(segments), *_numbers(segments, unread, whole=whole), *_seals(segments, whole=whole)]
    for before, after in itertools.pairwise(segments):
        findings += _link(before, after)
    return [*findings, *_holes(segments)]


def _identity(segments: Sequence[Examined]) -> Iterator[Finding]:
    first = segments[0].found.origin if segments else None
    for segment in segments:
        origin = segment.found.origin
        if origin is not None and first is not None and origin.recording != first.recording:
            place = Place(segment.file.name, "swapped", origin.segment)
            text = f"{segment.file.name}：属于另一次录制 {origin.recording}，被混入。"
            yield Finding(Verdict.ALTERED, INTEGRITY, text, place)


def _numbers(segments: Sequence[Examined], unread: Collection[int], *, whole: bool) -> Iterator[Finding]:
    numbers = [segment.number or 0 for segment in segments]
    for before, after in itertools.pairwise(segments):
        if before.number == after.number:
            place = Place(after.file.name, "duplicated", after.number)
            yield Finding(Verdict.ALTERED, INTEGRITY, f"{after.file.name}：第 {after.number} 段重复出现。", place)
    start = [0] if whole else []
    for before_number, after_number in itertools.pairwise(sorted([*start, *numbers, *unread])):
        if after_number > before_number + 1:
            yield _missing_segment(before_number + 1, after_number - before_number - 1)
    last = segments[-1].seal if segments else None
    goes_on = last is not None and last.closing.reason is Reason.CONTINUED
    if whole and goes_on and not any(number > numbers[-1] for number in unread):
        yield _missing_segment(numbers[-1] + 1, 1)


def _missing_segment(number: int, count: int) -> Finding:
    place = Place(f"segment-{number:04d}.mp4", MISSING, number, count=count)
    return Finding(Verdict.MISSING, COMPLETENESS, f"缺少第 {number} 段起的 {count} 个分段文件。", place)


def _link(before: Examined, after: Examined) -> Iterator[Finding]:
    origin, earlier = after.found.origin, before.found.origin
    if origin is None or earlier is None or origin.segment != earlier.segment + 1:
        return
    head = before.found.head if before.seal is None else before.seal.head
    if origin.prior_head == head:
        return
    name = after.file.name
    last = max((record.entry.sequence for record in before.found.fragments), default=earlier.first_sequence - 1)
    if before.seal is not None:
        last = max(last, earlier.first_sequence + before.seal.fragments - 1)
    if origin.first_sequence > last + 1:
        count = origin.first_sequence - last - 1
        place = Place(before.file.name, MISSING, before.number, last + 1, count=count)
        text = f"{before.file.name} 第 {last + 1} 片段起缺失 {count} 个片段。"
        yield Finding(Verdict.MISSING, COMPLETENESS, text, place)
        return
    text = f"{name}：与前一段 {before.file.name} 衔接不上。"
    yield Finding(Verdict.ALTERED, INTEGRITY, text, Place(name, "swapped", after.number))


def _seals(segments: Sequence[Examined], *, whole: bool) -> Iterator[Finding]:
    if not whole:
        yield from excerpt_findings(segments)
    for segment in segments:
        name, seal = segment.file.name, segment.seal
        if seal is None and not whole and is_excerpt(segment):
            continue
        if seal is None:
            # Every fragment verifies, but nobody signed where the segment ends: what followed may be gone.
            text = f"{name}：未封存，结尾没有签名说明。请在原设备上重新启动以恢复封存。"
            yield Finding(Verdict.UNEXPLAINED_GAP, COMPLETENESS, text)
        elif seal.closing.recovered:
            lost = f"，舍去残缺尾部 {seal.closing.discarded_bytes} 字节" if seal.closing.discarded_bytes else ""
            text = f"{name}：{REASON_NAMES[seal.closing.reason]}后恢复封存{lost}。"
            yield Finding(Verdict.EXPLAINED_GAP, COMPLETENESS, text)


def _holes(segments: Sequence[Examined]) -> Iterator[Finding]:
    records = [(segment, record) for segment in segments for record in segment.found.fragments]
    gaps = list(_empty_gaps(segments))
    for (segment, before), (other, after) in itertools.pairwise(records):
        told = (other is not segment and _ended(segment)) or _covered(before, after, gaps)
        if after.entry.sequence != before.entry.sequence + 1 or told:
            continue
        hole = _hole_ms(before, after)
        if hole is None or hole > TIME_HOLE_MS:
            length = "长度不明" if hole is None else f"{hole / 1000:.1f} 秒"
            text = f"{clock_text(before.entry.moment.captured)} 之后有一处无说明的中断（{length}）。"
            captured = before.entry.moment.captured
            place = Place(segment.file.name, "time-hole", segment.number, before.entry.sequence, captured)
            yield Finding(Verdict.UNEXPLAINED_GAP, COMPLETENESS, text, place)


def _hole_ms(before: JournalRecord, after: JournalRecord) -> int | None:
    """Milliseconds between the end of one fragment and the start of the next; None across a restart."""
    earlier, later = before.entry.moment, after.entry.moment
    if earlier.captured.boot != later.captured.boot:
        return None
    passed = (later.captured.monotonic_ns - earlier.captured.monotonic_ns) // 1_000_000
    return passed - earlier.duration_ms


def _ended(segment: Examined) -> bool:
    """Whether the signed end of `segment` says why nothing follows at once."""
    reason = None if segment.seal is None else segment.seal.closing.reason
    return reason is not None and reason not in NO_INTERRUPTION | RECORDING_GOES_ON


def _empty_gaps(segments: Sequence[Examined]) -> Iterator[tuple[Instant, Instant | None]]:
    """Begin and end of every gap in which nothing was recorded; an end whose begin is not here makes none."""
    begun: dict[Reason, Instant] = {}
    for event in (event for segment in segments for _, event in segment.events):
        if event.reason is None or event.reason in RECORDING_GOES_ON:
            continue
        if event.kind == GAP_OPENED:
            if event.reason in begun:
                yield begun[event.reason], None
            begun[event.reason] = event.at
        elif event.kind == GAP_CLOSED and event.reason in begun:
            yield begun.pop(event.reason), event.at
    yield from ((at, None) for at in begun.values())


def _covered(before: JournalRecord, after: JournalRecord, gaps: Sequence[tuple[Instant, Instant | None]]) -> bool:
    """Whether gaps that meet the hole between two fragments fill it, but for `GAP_EDGE_MS` at each edge and between
    two of them. One that never ends fills the hole it began at. Across a restart only the end of a segment tells."""
    earlier, stop = before.entry.moment, after.entry.moment.captured
    start, edge = earlier.captured.monotonic_ns + earlier.duration_ms * 1_000_000, GAP_EDGE_MS * 1_000_000
    met, reach = False, start
    for opened, closed in sorted(gaps, key=lambda gap: gap[0].monotonic_ns):
        if {opened.boot, earlier.captured.boot} != {stop.boot} or (closed is not None and closed.boot != stop.boot):
            continue
        begin = opened.monotonic_ns
        if closed is None:
            end = stop.monotonic_ns if begin >= earlier.captured.monotonic_ns else begin
        else:
            end = closed.monotonic_ns
        if end > start and begin <= min(reach + edge, stop.monotonic_ns):
            met, reach = True, max(reach, end)
    return met and reach + edge >= stop.monotonic_ns


def clock_lines(segments: Sequence[Examined], *, witnessed: bool = False) -> list[str]:
    """What the device's own clock said, in Chinese: stretch, trust states, jumps. `witnessed`: others say when too."""
    moments = [record.entry.moment.captured for segment in segments for record in segment.found.fragments]
    if not moments:
        return ["没有可读的时间。"]
    states = "、".join(sorted({moment.state.chinese for moment in moments}))
    lines = [
        f"设备自报时间：{clock_text(moments[0])} 至 {clock_text(moments[-1])}（北京时间），时钟状态 {states}，"
        f"误差界 {_error_text(moments)}{'' if witnessed else '；尚无可信时间戳佐证'}。"
    ]
    jumps = sum(_jumped(before, after) for before, after in itertools.pairwise(moments))
    if jumps:
        lines.append(f"录制中设备时钟跳变 {jumps} 次；先后次序以开机计时与序号为准。")
    return lines


def _error_text(moments: Sequence[Instant]) -> str:
    errors = [moment.error_ms for moment in moments if moment.error_ms is not None]
    return f"{max(errors)} 毫秒" if len(errors) == len(moments) else "不明"


def _jumped(before: Instant, after: Instant) -> bool:
    if before.boot != after.boot:
        return False
    wall = (after.wall - before.wall).total_seconds()
    return abs(wall - (after.monotonic_ns - before.monotonic_ns) / 1e9) > TIME_HOLE_MS / 1000
