"""The timeline of a recording for the printed report: where fragments stand, where nothing does, and what happened.

The horizontal axis is elapsed time by the device's monotonic clock, which a changed wall clock does not bend; across a
restart, where that clock begins anew, by wall time.
"""

import itertools
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from agent.evidence.continuity import NO_INTERRUPTION, TIME_HOLE_MS
from agent.evidence.interruptions import REASON_NAMES
from agent.evidence.journal import (
    CLOCK_JUMPED,
    CONFIRMED,
    DOCUMENT,
    EXPLANATION,
    GAP_CLOSED,
    GAP_OPENED,
    HEALTH,
    IDENTITY,
    LABEL,
    MARKER,
    MUTE_OFF,
    MUTE_ON,
    OFFICER,
    PHOTO,
    RECEIPT,
    STEP,
    STEP_DUE,
    TASK,
    JournalEvent,
    JournalRecord,
)
from agent.evidence.places import Examined, clock_text, wall_text
from agent.evidence.reasons import cause_words
from agent.evidence.report import Place
from agent.evidence.statements import Seal
from agent.wire.instant import Instant

WIDTH = 1000.0  # units of the drawing
MIN_WIDTH = 2.0  # so that half a second in a day can still be seen
TICKS = 5
MAX_HAPPENINGS = 200  # ours; more are counted, and stand in journal.jsonl
TIME_HOLE = "time-hole"
NUMBER_WIDTH = 16.0  # of the drawing; numbers closer than this would be printed over each other
KIND_NAMES = {
    GAP_OPENED: "中断开始",
    GAP_CLOSED: "中断结束",
    MARKER: "标注",
    CLOCK_JUMPED: "时钟跳变",
    MUTE_ON: "静音开始",
    MUTE_OFF: "静音结束",
    EXPLANATION: "口头说明",
    PHOTO: "拍照",
    HEALTH: "设备状况",
    OFFICER: "执法人员",
    LABEL: "不合要求之处",
    TASK: "任务",
    STEP_DUE: "应录环节",
    STEP: "步骤",
    IDENTITY: "出示证件",
    DOCUMENT: "执法文书",
    RECEIPT: "记录回执",
    CONFIRMED: "当事人确认",
}
CAUSED = frozenset({GAP_OPENED, MARKER, MUTE_ON, EXPLANATION})  # whose note may be an officer's reason


@dataclass(frozen=True)
class Bar:
    """A stretch from `x` on, `width` wide. `kind`: recorded, explained, unexplained, muted or damaged."""

    x: float
    width: float
    kind: str
    title: str


@dataclass(frozen=True)
class Tick:
    """A time under the axis."""

    x: float
    text: str
    anchor: str


@dataclass(frozen=True)
class Happening:
    """A journal event: when, what, and why or what for; `number` stands at `x` above the bar (None: not drawn)."""

    number: int
    x: float | None
    at: str
    kind: str
    words: str
    label: str = ""
    """What is printed above the bar; empty where the label beside it speaks for this one too."""


@dataclass(frozen=True)
class Timeline:
    """The whole drawing; `hidden` counts happenings that are not listed."""

    bars: tuple[Bar, ...]
    cuts: tuple[float, ...]
    ticks: tuple[Tick, ...]
    happenings: tuple[Happening, ...]
    hidden: int


def timeline(segments: Sequence[Examined], places: Sequence[Place]) -> Timeline | None:
    """The timeline of one recording; `places` are where its report found something. None without a fragment."""
    ordered = sorted(segments, key=lambda segment: segment.number or 0)
    records = sorted(
        (record for segment in ordered for record in segment.found.fragments), key=lambda it: it.entry.sequence
    )
    if not records:
        return None
    axis = _Axis(records)
    unexplained = {place.sequence for place in places if place.kind == TIME_HOLE}
    seals = {it.found.fragments[-1].entry.sequence: it.seal for it in ordered if it.found.fragments}
    events = [event for segment in ordered for _, event in segment.events if event.kind != HEALTH]
    holes = _holes(records, axis, unexplained, seals)
    bars = [*_runs(records, axis), *holes, *_muted(events, axis), *_damage(places, axis)]
    happenings = _labelled(
        [_happening(number, event, axis) for number, event in enumerate(events[:MAX_HAPPENINGS], start=1)]
    )
    cuts = tuple(axis.x(it.found.fragments[0].entry.sequence) for it in ordered[1:] if it.found.fragments)
    return Timeline(tuple(bars), cuts, tuple(axis.ticks()), tuple(happenings), len(events) - len(happenings))


class _Axis:
    """Elapsed milliseconds of every fragment, and where that is in the drawing."""

    def __init__(self, records: Sequence[JournalRecord]) -> None:
        self._records = records
        elapsed, starts = 0, {records[0].entry.sequence: 0}
        for before, after in itertools.pairwise(records):
            elapsed += max(0, _passed_ms(before.entry.moment.captured, after.entry.moment.captured))
            starts[after.entry.sequence] = elapsed
        self._starts: Mapping[int, int] = starts
        self._boots: dict[str, list[JournalRecord]] = {}
        for record in records:
            self._boots.setdefault(record.entry.moment.captured.boot, []).append(record)
        self._total = max(1, elapsed + records[-1].entry.moment.duration_ms)

    def x(self, sequence: int) -> float:
        """Where that fragment begins."""
        return self._at(self._starts[sequence])

    def width(self, milliseconds: int) -> float:
        """How wide a stretch is drawn."""
        return max(MIN_WIDTH, self._at(milliseconds))

    def moment(self, at: Instant) -> float | None:
        """Where a moment stands, counted from the fragment before it in its boot; None when that is nowhere here."""
        same = self._boots.get(at.boot)
        if same is None:
            return None
        near = same[max(0, bisect_right(same, at.monotonic_ns, key=_monotonic_ns) - 1)]
        milliseconds = self._starts[near.entry.sequence] + _passed_ms(near.entry.moment.captured, at)
        return min(WIDTH, max(0.0, self._at(milliseconds)))

    def ticks(self) -> Iterator[Tick]:
        """Wall times at even distances, as the device told them."""
        for number in range(TICKS + 1):
            elapsed = self._total * number // TICKS
            near = max((it for it in self._records if self._starts[it.entry.sequence] <= elapsed),
                       key=lambda it: self._starts[it.entry.sequence])  # fmt: skip
            wall = near.entry.moment.captured.wall
            ahead = min(elapsed - self._starts[near.entry.sequence], near.entry.moment.duration_ms)
            text = wall_text(wall + timedelta(milliseconds=ahead))
            yield Tick(self._at(elapsed), text[11:], "start" if number == 0 else "end" if number == TICKS else "middle")

    def _at(self, milliseconds: int) -> float:
        return round(WIDTH * milliseconds / self._total, 2)


def _monotonic_ns(record: JournalRecord) -> int:
    return record.entry.moment.captured.monotonic_ns


def _passed_ms(earlier: Instant, later: Instant) -> int:
    if earlier.boot == later.boot:
        return (later.monotonic_ns - earlier.monotonic_ns) // 1_000_000
    return int((later.wall - earlier.wall).total_seconds() * 1000)


def _is_hole(before: JournalRecord, after: JournalRecord) -> bool:
    first, second = before.entry.moment, after.entry.moment
    return _passed_ms(first.captured, second.captured) - first.duration_ms > TIME_HOLE_MS


def _runs(records: Sequence[JournalRecord], axis: _Axis) -> Iterator[Bar]:
    """Unbroken stretches, each as one bar however many fragments it has."""
    run = [records[0]]
    for before, after in itertools.pairwise(records):
        if after.entry.sequence != before.entry.sequence + 1 or _is_hole(before, after):
            yield _run(run, axis)
            run = []
        run.append(after)
    yield _run(run, axis)


def _run(run: Sequence[JournalRecord], axis: _Axis) -> Bar:
    first, last = run[0].entry, run[-1].entry
    begin = axis.x(first.sequence)
    width = axis.x(last.sequence) - begin + axis.width(last.moment.duration_ms)
    title = f"第 {first.sequence} 至 {last.sequence} 片段，{clock_text(first.moment.captured)} 起"
    return Bar(begin, width, "recorded", title)


def _holes(
    records: Sequence[JournalRecord], axis: _Axis, unexplained: Collection[int | None], seals: Mapping[int, Seal | None]
) -> Iterator[Bar]:
    for before, after in itertools.pairwise(records):
        if after.entry.sequence == before.entry.sequence + 1 and _is_hole(before, after):
            sequence = before.entry.sequence
            named = _reason(before, after, seals.get(sequence))
            begin = axis.x(before.entry.sequence) + axis.width(before.entry.moment.duration_ms)
            width = max(MIN_WIDTH, axis.x(after.entry.sequence) - begin)
            yield (
                Bar(begin, width, "unexplained", "没有说明的中断")
                if sequence in unexplained
                else Bar(begin, width, "explained", named)
            )


def _reason(before: JournalRecord, after: JournalRecord, seal: Seal | None) -> str:
    """What the device said about the break between two fragments; `seal` stands between them, if one does."""
    reasons = [event.reason for event in (*before.entry.moment.events, *after.entry.moment.events)]
    if seal is not None and seal.closing.reason not in NO_INTERRUPTION:
        reasons.append(seal.closing.reason)
    return next((REASON_NAMES[reason] for reason in reasons if reason is not None), "有说明的中断")


def _muted(events: Sequence[JournalEvent], axis: _Axis) -> Iterator[Bar]:
    """Stretches without sound; one that no event ends lasts to the end."""
    since: JournalEvent | None = None
    for event in events:
        if event.kind == MUTE_ON and since is None:
            since = event
        elif event.kind == MUTE_OFF and since is not None:
            yield from _silent(since, axis.moment(event.at), axis)
            since = None
    if since is not None:
        yield from _silent(since, WIDTH, axis)


def _silent(since: JournalEvent, end: float | None, axis: _Axis) -> Iterator[Bar]:
    begin = axis.moment(since.at)
    if begin is not None and end is not None:
        title = "静音：" + (cause_words(since.note) or "没有说明原因")
        yield Bar(begin, max(MIN_WIDTH, end - begin), "muted", title)


def _labelled(happenings: Sequence[Happening]) -> list[Happening]:
    """With labels that are not printed over each other: those close together share one, "3–5"."""
    groups: list[list[Happening]] = []
    for each in sorted((it for it in happenings if it.x is not None), key=lambda it: it.x or 0.0):
        room = NUMBER_WIDTH * (2 if groups and len(groups[-1]) > 1 else 1)
        near = groups and (each.x or 0.0) - (groups[-1][-1].x or 0.0) < room
        groups[-1].append(each) if near else groups.append([each])
    labels = {group[0].number: _span([it.number for it in group]) for group in groups}
    return [replace(it, label=labels.get(it.number, "")) for it in happenings]


def _span(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{min(numbers)}–{max(numbers)}"


def _damage(places: Sequence[Place], axis: _Axis) -> Iterator[Bar]:
    for place in places:
        x = None if place.captured is None or place.kind == TIME_HOLE else axis.moment(place.captured)
        if x is not None:
            yield Bar(min(x, WIDTH - MIN_WIDTH), axis.width(0) * 2, "damaged", f"{place.kind} {place.sequence or ''}")


def _happening(number: int, event: JournalEvent, axis: _Axis) -> Happening:
    reason = "" if event.reason is None else REASON_NAMES[event.reason]
    words = "，".join(
        word for word in (reason, cause_words(event.note) if event.kind in CAUSED else event.note) if word
    )
    return Happening(number, axis.moment(event.at), clock_text(event.at), KIND_NAMES[event.kind], words)
