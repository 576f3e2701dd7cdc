"""Counts over many cases: which recordings and steps are complete, why not, whose certificates, how long reviews took.

A rate has its two numbers beside it; where nothing was asked for there is no rate. Months are those of Beijing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.duty.case_facts import CaseFacts, Label, RecordingFact
from agent.duty.case_papers import CasePaper
from agent.duty.review import Turn
from agent.duty.review_rules import Stage
from agent.wire.identifiers import RecordingId
from agent.wire.instant import BEIJING

GOOD_VERDICTS = frozenset({"complete", "explained-gap"})  # words of liuhen-verify: nothing is left unexplained
CERTIFICATE_LABELS = (
    Label.NOT_ON_ROSTER,
    Label.CERTIFICATE_EXPIRED,
    Label.CHECK_MISSING,
    Label.WRONG_CATEGORY,
    Label.WRONG_AREA,
)


@dataclass(frozen=True)
class UsedCase:
    """A case with what became of it: `stage` and `turns` of its legal review, `decided` the number of the decision
    (决定书文号), empty where there is none; `papers` are its documents with what the centre has of them."""

    facts: CaseFacts
    stage: Stage = Stage.UNSUBMITTED
    turns: tuple[Turn, ...] = ()
    decided: str = ""
    decided_at: datetime | None = None
    papers: tuple[CasePaper, ...] = ()


@dataclass(frozen=True)
class Rate:
    """`good` of `asked` for one step, unit or month."""

    name: str
    good: int
    asked: int

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where nothing was asked for."""
        return self.good / self.asked if self.asked else None


@dataclass(frozen=True)
class GapCount:
    """How often recordings were interrupted for `reason`, a code, with the cause that an officer gave in `words`,
    and for how long in all."""

    reason: str
    words: str
    explained: int
    unexplained: int
    lasted: timedelta


@dataclass(frozen=True)
class CertificateCount:
    """What was wrong with the certificate of an officer on the scene, and in which tasks."""

    certificate: str
    label: Label
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class StageTime:
    """How long matters stood in one stage of the review: ended ones in `median` and `longest`, `open` still there."""

    stage: Stage
    ended: int
    open: int
    late: int
    median: timedelta | None
    longest: timedelta | None


@dataclass(frozen=True)
class Counts:
    """Everything that is counted; `by_step` in the order in which steps were first asked for."""

    cases: int
    recordings: Rate
    by_step: tuple[Rate, ...]
    by_unit: tuple[Rate, ...]
    by_month: tuple[Rate, ...]
    gaps: tuple[GapCount, ...]
    certificates: tuple[CertificateCount, ...]
    reviews: tuple[StageTime, ...]


def count(cases: Sequence[UsedCase], now: datetime) -> Counts:
    """The counts over `cases` as they stand at `now`."""
    facts = [case.facts for case in cases]
    return Counts(
        len(facts),
        Rate("全部", *_tally(recording for it in facts for recording in _recorded(it))),
        _by_step(facts),
        _by(facts, lambda it, _: it.unit),
        _by(facts, lambda it, recording: month(recording.begins if recording else it.began)),
        _gaps(facts),
        _certificates(facts),
        tuple(_stage_times([turn for case in cases for turn in case.turns], now)),
    )


def good(recording: RecordingFact | None) -> bool:
    """Whether a recording is whole, its interruptions explained; a task without a recording has None."""
    return recording is not None and recording.verdict in GOOD_VERDICTS


def whole(facts: CaseFacts) -> bool:
    """Whether every recording is good and every required step was marked in one."""
    return all(good(it) for it in _recorded(facts)) and not unrecorded(facts)


def recorded_steps(facts: CaseFacts) -> frozenset[str]:
    """The steps that were marked inside a good recording: a mark in an altered one shows nothing."""
    fine: set[RecordingId] = {it.recording for it in facts.recordings if good(it)}
    return frozenset(step.step for step in facts.steps if step.span.recording in fine)


def unrecorded(facts: CaseFacts) -> tuple[str, ...]:
    """The required steps that no good recording shows, in the list's order."""
    shown = recorded_steps(facts)
    return tuple(step for step in facts.required if step not in shown)


def month(moment: datetime) -> str:
    """Such as `2026-11`."""
    return f"{moment.astimezone(BEIJING):%Y-%m}"


def _recorded(facts: CaseFacts) -> Sequence[RecordingFact | None]:
    return facts.recordings or (None,)


def _tally(recordings: Iterable[RecordingFact | None]) -> tuple[int, int]:
    judged = [good(it) for it in recordings]
    return sum(judged), len(judged)


def _by(facts: Iterable[CaseFacts], key: Callable[[CaseFacts, RecordingFact | None], str]) -> tuple[Rate, ...]:
    groups: dict[str, list[RecordingFact | None]] = {}
    for it in facts:
        for recording in _recorded(it):
            groups.setdefault(key(it, recording), []).append(recording)
    return tuple(Rate(name, *_tally(groups[name])) for name in sorted(groups))


def _by_step(facts: Iterable[CaseFacts]) -> tuple[Rate, ...]:
    asked, marked = Counter[str](), Counter[str]()
    for it in facts:
        asked.update(set(it.required))
        marked.update(set(it.required) & recorded_steps(it))
    order = dict.fromkeys(step for it in facts for step in it.required)
    return tuple(Rate(step, marked[step], asked[step]) for step in order)


def _gaps(facts: Iterable[CaseFacts]) -> tuple[GapCount, ...]:
    found = [gap for it in facts for gap in it.gaps]
    counts = []
    for reason, words in {(gap.reason, gap.words) for gap in found}:
        same = [gap for gap in found if (gap.reason, gap.words) == (reason, words)]
        lasted = sum((gap.span.ends - gap.span.begins for gap in same), timedelta())
        explained = sum(gap.explained for gap in same)
        counts.append(GapCount(reason, words, explained, len(same) - explained, lasted))
    return tuple(sorted(counts, key=lambda it: (-it.explained - it.unexplained, it.reason, it.words)))


def _certificates(facts: Iterable[CaseFacts]) -> tuple[CertificateCount, ...]:
    found: dict[tuple[str, Label], list[str]] = {}
    for it in facts:
        for officer in it.officers:
            for label in CERTIFICATE_LABELS:
                if label in officer.labels:
                    found.setdefault((officer.certificate, label), []).append(it.task)
    return tuple(CertificateCount(*key, tuple(tasks)) for key, tasks in sorted(found.items()))


def _stage_times(turns: Sequence[Turn], now: datetime) -> Iterator[StageTime]:
    for stage in Stage:
        own = [turn for turn in turns if turn.stage is stage and stage is not Stage.DECIDED]
        if own:
            times = sorted(turn.ended - turn.began for turn in own if turn.ended is not None)
            middle = times[(len(times) - 1) // 2] if times else None
            late = sum(turn.late(now) for turn in own)
            yield StageTime(stage, len(times), len(own) - len(times), late, middle, times[-1] if times else None)
