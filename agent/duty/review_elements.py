"""The eleven elements of legal review (法制审核要素), in the words and the order of the plan's section 二（三）4.

What signed facts can say is filled in, with the stretches of the recordings and the documents it comes from. What asks
for judgement says so (人工判断). Nothing filled in here is a finding: every finding is a reviewer's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from agent.duty.case_facts import CaseFacts, GapFact, RecordingFact, Served, Span
from agent.duty.labels import LABEL_WORDS, LAWFUL_OFFICERS
from agent.duty.whole_process import early_words

GOOD_VERDICTS = frozenset({"complete", "explained-gap"})
VERDICT_WORDS: Mapping[str, str] = {
    "complete": "完整", "explained-gap": "有说明中断", "unexplained-gap": "无说明中断", "missing": "缺失",
    "untrusted": "不可信", "altered": "被改",
}  # fmt: skip


class Prefill(StrEnum):
    """What signed facts say of an element."""

    SUPPORTED = "签名事实未见问题"
    AGAINST = "签名事实发现问题"
    HUMAN = "人工判断"


@dataclass(frozen=True)
class Line:
    """One fact in words; `against` tells that it speaks against; where it can be seen and on which papers."""

    text: str
    against: bool = False
    spans: tuple[Span, ...] = ()
    documents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Element:
    """Element `number` (from 1) with its question as the plan puts it."""

    number: int
    question: str
    prefill: Prefill
    lines: tuple[Line, ...]


def review_elements(facts: CaseFacts) -> tuple[Element, ...]:
    """All eleven for one case."""
    return tuple(_element(number, facts) for number in range(1, len(QUESTIONS) + 1))


def _element(number: int, facts: CaseFacts) -> Element:
    question, judged, lines_of = QUESTIONS[number - 1]
    lines = tuple(lines_of(facts))
    if any(line.against for line in lines):
        return Element(number, question, Prefill.AGAINST, lines)
    return Element(number, question, Prefill.HUMAN if judged else Prefill.SUPPORTED, lines)


def _subject(facts: CaseFacts) -> Iterator[Line]:
    yield Line(f"执法单位 {facts.unit}；其职责权限以已公示的主体资格清单为准。")


def _officers(facts: CaseFacts) -> Iterator[Line]:
    count = len(facts.officers)
    yield Line(f"在场执法人员 {count} 人，法定不少于 {LAWFUL_OFFICERS} 人。", count < LAWFUL_OFFICERS)
    for officer in facts.officers:
        words = "、".join(LABEL_WORDS[label] for label in officer.labels) or "当日持证有效"
        text = (
            f"证件 {officer.certificate}（{officer.unit}）：{words}，依据人员资格清单第 {officer.roster_version} 版。"
        )
        yield Line(text, bool(officer.labels))
    there = {officer.certificate for officer in facts.officers}
    if absent := [it for it in facts.assigned if it not in there]:
        yield Line(f"任务指派的 {'、'.join(absent)} 没有在场记录。", against=True)
    if unnamed := [it for it in facts.holders if it not in there]:
        yield Line(f"为本任务领用设备的 {'、'.join(unnamed)} 没有在场记录。", against=True)


def _main_facts(facts: CaseFacts) -> Iterator[Line]:
    for step in facts.steps:
        again = f"，另重复标记 {step.repeated} 次" if step.repeated else ""
        yield Line(f"现场标记“{step.step}”{again}。", spans=(step.span,))


def _evidence(facts: CaseFacts) -> Iterator[Line]:
    if not facts.recordings:
        yield Line("没有本案录像。", against=True)
    yield from (_recording(recording) for recording in facts.recordings)
    yield from (_gap(gap) for gap in facts.gaps)
    if facts.confirmation is not None:
        yield Line(f"录像校验值：{facts.confirmation}。", facts.confirmation is Served.NOT_SERVED)


def _recording(recording: RecordingFact) -> Line:
    word = VERDICT_WORDS.get(recording.verdict, recording.verdict)
    labels = "".join(f"，{LABEL_WORDS[label]}" for label in recording.labels)
    text = f"录像 {recording.recording} 检验结果：{word}{labels}。"
    return Line(text, recording.verdict not in GOOD_VERDICTS or bool(recording.labels), (_whole_span(recording),))


def _whole_span(recording: RecordingFact) -> Span:
    return Span(recording.recording, 1, max(1, recording.fragments), recording.begins, recording.ends)


def _gap(gap: GapFact) -> Line:
    explained = "已说明原因" if gap.explained else "没有说明原因"
    return Line(f"录像有中断：{gap.told}，{explained}。", not gap.explained, (gap.span,))


def _procedure(facts: CaseFacts) -> Iterator[Line]:
    marked = {fact.step: fact.span for fact in facts.steps}
    for step in facts.required:
        if step in marked:
            yield Line(f"应记录环节“{step}”：已标记。", spans=(marked[step],))
        else:
            reason = (facts.reasons or {}).get(step, "")
            yield Line(
                f"应记录环节“{step}”：缺少，{f'现场说明：{reason}' if reason else '没有说明原因'}。", against=True
            )
    for stop in facts.early:
        spans = tuple(_whole_span(film) for film in facts.recordings if film.recording == stop.recording)
        yield Line(f"录像 {stop.recording}：{early_words(stop)}。", against=True, spans=spans)
    if not facts.required:
        yield Line("没有适用的音像记录事项清单，无从核对应记录环节。", against=True)
    if len(facts.officers) < LAWFUL_OFFICERS:
        yield Line(f"在场执法人员不足 {LAWFUL_OFFICERS} 人。", against=True)


def _papers(facts: CaseFacts) -> Iterator[Line]:
    if not facts.documents:
        yield Line("没有出具执法文书。", against=True)
    for paper in facts.documents:
        spans = () if paper.span is None else (paper.span,)
        text = f"{paper.title} {paper.number}：{paper.served}，内容摘要 {paper.digest[:16]}…"
        yield Line(text, paper.served is Served.NOT_SERVED, spans, (paper.number,))


def _crime(facts: CaseFacts) -> Iterator[Line]:
    if facts.transfer:
        yield Line(f"已标记涉嫌犯罪需要移送：{facts.transfer}。决定移送后 24 小时内移送（国务院令第 730 号）。", True)
    else:
        yield Line("办理中没有人标记涉嫌犯罪。")


def _other(facts: CaseFacts) -> Iterator[Line]:
    yield from (Line(f"本案标注：{LABEL_WORDS[label]}。", against=True) for label in facts.labels)


def _nothing(_facts: CaseFacts) -> Iterable[Line]:
    return ()


QUESTIONS: tuple[tuple[str, bool, Callable[[CaseFacts], Iterable[Line]]], ...] = (
    ("行政执法主体是否合法", True, _subject),
    ("行政执法人员是否具备执法资格", False, _officers),
    ("主要事实是否清楚", True, _main_facts),
    ("证据是否确凿充分", False, _evidence),
    ("适用法律法规规章是否准确", True, _nothing),
    ("执行裁量基准是否适当", True, _nothing),
    ("程序是否合法", False, _procedure),
    ("是否有超越职权范围或滥用职权情形", True, _nothing),
    ("行政执法文书是否规范齐备", False, _papers),
    ("违法行为是否涉嫌犯罪需要移送司法机关", False, _crime),
    ("其他应当审核的内容", True, _other),
)
"""In the plan's order; the second says that no signed fact answers it: judgement, unless a fact speaks against."""
