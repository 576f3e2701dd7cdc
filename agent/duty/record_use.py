"""What the records are used for (强化记录结果运用, the plan's section 二（二）5): six exports from the same facts.

Each use gets what it needs and no more: the pseudonym of a party stands only where the party's own case is judged or
answered for, certificate numbers only where officers are. A matter reaches 信用体系 only once it is decided.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from agent.duty.case_facts import CaseFacts, Label, RecordingFact, Served
from agent.duty.case_papers import lacking, text_rate
from agent.duty.labels import LABEL_WORDS
from agent.duty.record_counts import CERTIFICATE_LABELS, UsedCase, good, month, recorded_steps, unrecorded, whole
from agent.duty.review_elements import VERDICT_WORDS
from agent.duty.review_rules import Stage
from agent.duty.whole_process import early_words
from agent.wire.instant import BEIJING

Row = Mapping[str, Any]
Columns = tuple[str, ...]
Maker = Callable[[Sequence[UsedCase]], Iterator[Sequence[Any]]]


class Use(StrEnum):
    """The six uses in the words and the order of the plan."""

    FILES = "案卷评查"
    OVERSIGHT = "执法监督"
    ASSESSMENT = "评议考核"
    OPINION = "舆情应对"
    DECISIONS = "行政决策"
    CREDIT = "信用体系"


COLUMNS: Mapping[Use, Columns] = {
    Use.FILES: (
        "任务", "执法单位", "执法类别", "执法事项", "开始", "结束", "执法人员", "录像", "录像检验", "应记环节",
        "已记环节", "缺少环节", "缺少原因", "文书", "未送达文书", "文书原文在案", "缺原文的文书",
        "当事人确认", "重大情形", "审核状态", "存储期限", "录像环节是否完整",
    ),
    Use.OVERSIGHT: ("任务", "执法单位", "时间", "类别", "问题", "说明"),
    Use.ASSESSMENT: (
        "证件编号", "执法单位", "任务数", "完整任务数", "应记环节", "已记环节", "未说明中断", "证件问题",
    ),
    Use.OPINION: (
        "任务", "执法单位", "执法事项", "开始", "结束", "录像", "检验结论", "链头", "已告知环节", "中断", "未说明中断",
        "文书送达", "当事人确认",
    ),
    Use.DECISIONS: ("月份", "执法单位", "执法类别", "执法事项", "任务数", "完整任务数", "重大数", "录像分钟"),
    Use.CREDIT: ("当事人代号", "执法单位", "执法类别", "执法事项", "决定书文号", "决定时间", "任务", "录像检验"),
}  # fmt: skip


@dataclass(frozen=True)
class UseTable:
    """One export: each row has every column, in their order; values are texts and whole numbers."""

    use: Use
    columns: Columns
    rows: tuple[Row, ...]


def tables(cases: Sequence[UsedCase], now: datetime) -> tuple[UseTable, ...]:
    """The six exports of `cases` as they stand at `now`, by task number."""
    ordered = sorted(cases, key=lambda case: case.facts.task)
    makers: Mapping[Use, Maker] = {**MAKERS, Use.OVERSIGHT: partial(_oversight, now=now)}
    return tuple(UseTable(use, COLUMNS[use], tuple(_rows(use, makers[use](ordered)))) for use in Use)


def _rows(use: Use, made: Iterable[Sequence[Any]]) -> Iterator[Row]:
    for values in made:
        yield dict(zip(COLUMNS[use], values, strict=True))


def _files(cases: Iterable[UsedCase]) -> Iterator[Sequence[Any]]:
    for case in cases:
        it = case.facts
        reasons = it.reasons or {}
        yield (
            it.task, it.unit, it.category, it.matter, moment(it.began), _ended(it),
            _words(officer.certificate for officer in it.officers), _words(film.recording for film in it.recordings),
            _verdicts(it), len(it.required), len(it.required) - len(unrecorded(it)),
            _words(_lacking_steps(it)),
            _words(f"{step}：{reason}" for step, reason in reasons.items()), len(it.documents), _unserved(it),
            text_rate(case.papers), _words(lacking(case.papers)), _confirmed(it), "；".join(it.major), case.stage.value,
            it.retention, _yes(whole(it)),
        )  # fmt: skip


def _lacking_steps(it: CaseFacts) -> Iterator[str]:
    """Those never marked, and those whose mark stands in a recording that shows nothing."""
    for step in unrecorded(it):
        yield step if step in it.missing else f"{step}（所在录像未通过检验）"


def _oversight(cases: Iterable[UsedCase], now: datetime) -> Iterator[Sequence[Any]]:
    for case in cases:
        it = case.facts
        for at, kind, trouble, told in _troubles(it):
            yield it.task, it.unit, moment(at), kind, trouble, told
        for paper in (one for one in case.papers if one.doubt):
            yield it.task, it.unit, moment(it.began), "文书", paper.doubt, paper.number
        for turn in case.turns:
            if turn.due is not None and turn.late(now):
                told = f"由 {turn.by} 办结" if turn.ended is not None else "至今未办结"
                yield it.task, it.unit, moment(turn.due), "审核", f"{turn.stage.value}逾期", told


def _troubles(it: CaseFacts) -> Iterator[tuple[datetime, str, str, str]]:
    if not it.recordings:
        yield it.began, "录像", "没有录像", ""
    for film in it.recordings:
        if not good(film):
            yield film.begins, "录像", _verdict(film), film.recording
        plain = (label for label in film.labels if label is not Label.STOPPED_EARLY)
        yield from ((film.begins, "录像", LABEL_WORDS[label], film.recording) for label in plain)
        for stop in (one for one in it.early if one.recording == film.recording):
            yield film.ends, "录像", early_words(stop), film.recording
    for step in it.missing:
        yield it.began, "环节", f"缺少 {step}", (it.reasons or {}).get(step, "没有说明原因")
    for mark in (fact for fact in it.steps if fact.repeated):
        yield mark.span.begins, "环节", f"重复标记 {mark.step}", f"另标记 {mark.repeated} 次"
    for gap in it.gaps:
        if not gap.explained:
            yield gap.span.begins, "中断", gap.told, "没有说明"
    for officer in it.officers:
        yield from ((it.began, "人员", LABEL_WORDS[label], officer.certificate) for label in officer.labels)
    yield from ((it.began, "任务", LABEL_WORDS[label], "") for label in it.labels)
    for paper in it.documents:
        if paper.served is Served.NOT_SERVED:
            yield it.began, "文书", "未送达", paper.number


def _assessment(cases: Sequence[UsedCase]) -> Iterator[Sequence[Any]]:
    own: dict[tuple[str, str], list[CaseFacts]] = {}
    for case in cases:
        for officer in case.facts.officers:
            own.setdefault((officer.certificate, officer.unit), []).append(case.facts)
    for (certificate, unit), facts in sorted(own.items()):
        asked = sum(len(it.required) for it in facts)
        marked = sum(len(set(it.required) & recorded_steps(it)) for it in facts)
        unexplained = sum(not gap.explained for it in facts for gap in it.gaps)
        labels = {LABEL_WORDS[label] for it in facts for officer in it.officers if officer.certificate == certificate
                  for label in officer.labels if label in CERTIFICATE_LABELS}  # fmt: skip
        yield certificate, unit, len(facts), sum(map(whole, facts)), asked, marked, unexplained, _words(sorted(labels))


def _opinion(cases: Iterable[UsedCase]) -> Iterator[Sequence[Any]]:
    for case in cases:
        it = case.facts
        told = [step for step in it.required if step in recorded_steps(it) and "告知" in step]
        served = Counted(paper.served.value for paper in it.documents)
        unexplained = sum(not gap.explained for gap in it.gaps)
        yield (
            it.task, it.unit, it.matter, moment(it.began), _ended(it), _words(film.recording for film in it.recordings),
            _verdicts(it), _words(film.head for film in it.recordings), _words(told), len(it.gaps), unexplained,
            str(served), _confirmed(it),
        )  # fmt: skip


def _decisions(cases: Iterable[UsedCase]) -> Iterator[Sequence[Any]]:
    groups: dict[tuple[str, ...], list[CaseFacts]] = {}
    for case in cases:
        it = case.facts
        groups.setdefault((month(it.began), it.unit, it.category, it.matter), []).append(it)
    for key, facts in sorted(groups.items()):
        seconds = sum((film.ends - film.begins).total_seconds() for it in facts for film in it.recordings)
        yield *key, len(facts), sum(map(whole, facts)), sum(bool(it.major) for it in facts), round(seconds / 60)


def _credit(cases: Iterable[UsedCase]) -> Iterator[Sequence[Any]]:
    for case in cases:
        it = case.facts
        if case.stage is Stage.DECIDED and case.decided_at is not None:
            decided = moment(case.decided_at)
            yield it.party, it.unit, it.category, it.matter, case.decided, decided, it.task, _verdicts(it)


MAKERS: Mapping[Use, Maker] = {
    Use.FILES: _files,
    Use.ASSESSMENT: _assessment,
    Use.OPINION: _opinion,
    Use.DECISIONS: _decisions,
    Use.CREDIT: _credit,
}
"""Those that are the same at any time; what is late for oversight is late as of now."""


class Counted:
    """Words with how often each stands, as `当事人签收 2、未送达 1`."""

    def __init__(self, words: Iterable[str]) -> None:
        self._counts: dict[str, int] = {}
        for word in words:
            self._counts[word] = self._counts.get(word, 0) + 1

    def __str__(self) -> str:
        return _words(f"{word} {times}" for word, times in self._counts.items())


def moment(at: datetime) -> str:
    """Beijing time to the second."""
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"


def _words(words: Iterable[str]) -> str:
    return "、".join(words)


def _ended(it: CaseFacts) -> str:
    return "" if it.ended is None else moment(it.ended)


def _verdict(film: RecordingFact) -> str:
    return VERDICT_WORDS.get(film.verdict, film.verdict)


def _verdicts(it: CaseFacts) -> str:
    return _words(_verdict(film) for film in it.recordings) or "没有录像"


def _unserved(it: CaseFacts) -> int:
    return sum(paper.served is Served.NOT_SERVED for paper in it.documents)


def _confirmed(it: CaseFacts) -> str:
    return "" if it.confirmation is None else it.confirmation.value


def _yes(value: bool) -> str:
    return "是" if value else "否"
