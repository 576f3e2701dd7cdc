"""The review packet as one self-contained page for screen and paper: A4, no script, nothing from outside (pure)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from agent.duty.act_bodies import Judged, parse_findings
from agent.duty.case_facts import CaseFacts, GapFact, RecordingFact, Span, StepFact
from agent.duty.case_json import case_digest
from agent.duty.case_papers import CasePaper
from agent.duty.review import MOVE_WORDS, ROLE_WORDS, Move, Review, Turn, turns
from agent.duty.review_admission import act_words, must_be_reviewed, overtaken
from agent.duty.review_elements import VERDICT_WORDS, Element, Line, Prefill, review_elements
from agent.duty.review_rules import ReviewRules, Stage
from agent.evidence.report import WHAT_A_SIGNATURE_PROVES
from agent.wire.instant import BEIJING
from provisioning.center.review_papers import documents, materials, texts

STYLE = """
@page { size: A4; margin: 12mm 14mm }
body { font: 10pt/1.5 "Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Micro Hei", sans-serif; color: #111;
  max-width: 182mm; margin: auto; padding: 4mm }
h1 { font-size: 19pt; letter-spacing: .2em; text-align: center; margin: 0 }
h1 + p { text-align: center; margin: 0 0 4mm } h2 { font-size: 12pt; margin: 5mm 0 1mm }
table { border-collapse: collapse; width: 100% } tr { break-inside: avoid }
th, td { border: .3mm solid #777; padding: .8mm 2mm; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #f0f0f0; font-weight: 600; white-space: nowrap } .facts th { width: 30mm }
.elements { table-layout: fixed } .elements th:nth-child(1) { width: 5mm } .elements th:nth-child(2) { width: 28mm }
.elements th:nth-child(4) { width: 22mm } .elements th:nth-child(5) { width: 30mm } .elements .q { font-weight: 600 }
ul { margin: 0; padding-left: 4mm }
.against { color: #a40000 } .human { color: #555 } .good { color: #0a5c1f } .late { color: #a40000; font-weight: 600 }
.red { display: inline-block; border: .5mm solid #a40000; color: #a40000; padding: 0 2mm; font-weight: 700 }
.text { border: .3mm solid #777; padding: 3mm 4mm; margin: 2mm 0; white-space: pre-wrap; overflow-wrap: anywhere;
  font: inherit; break-inside: avoid }
a { color: inherit; white-space: nowrap } :target { background: #ffeca8 }
footer { color: #444; font-size: 8.5pt; margin-top: 4mm }
@media screen and (max-width: 720px) { th { white-space: normal } .facts th { width: auto } a { white-space: normal }
  .elements, .elements tbody, .elements tr, .elements td, .elements th { display: block; width: auto !important } }
"""
PREFILL_CLASS = {Prefill.SUPPORTED: "good", Prefill.AGAINST: "against", Prefill.HUMAN: "human"}


@dataclass(frozen=True)
class Dossier:
    """All that a packet shows. `papers` are the materials that lie in it: name, and whether its bytes are those of the
    document that was signed on the scene (None: no such document). `documents` are the case's, with their texts;
    `told` is what is wrong with the rules."""

    facts: CaseFacts
    review: Review
    rules: ReviewRules
    papers: Mapping[str, bool | None]
    made: datetime
    centre: str
    documents: tuple[CasePaper, ...] = ()
    told: str = ""

    @property
    def findings(self) -> Mapping[int, Judged]:
        """The last opinion, by element; empty without one."""
        bodies = [it.act.body for it in self.review.acts if it.act.kind in (Move.APPROVE, Move.OBJECT)]
        return {judged.number: judged for judged in parse_findings(bodies[-1]["elements"])} if bodies else {}


def review_page(dossier: Dossier) -> str:
    """The page."""
    return "".join(_page(dossier))


def _page(it: Dossier) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield f"<title>法制审核包 {escape(it.facts.task)}</title><style>{STYLE}</style><main>"
    yield "<h1>重大执法决定法制审核包</h1><p>Legal review packet</p>"
    if changed := overtaken(it.review, case_digest(it.facts)):
        yield f'<p class="red" role="alert">{changed}</p>'
    if it.told:
        yield f'<p class="late">{escape(it.told)}</p>'
    yield f'<table class="facts">{"".join(_head(it))}</table>'
    yield f"<h2>一、送审材料</h2>{materials(_submitted(it.review), it.rules, it.papers)}"
    yield "<h2>二、审核要素</h2><p>“签名事实”一栏由设备与中心签名的记录预填，不是结论；每项结论由审核人员作出。</p>"
    yield '<table class="elements"><tr><th>#<th>要素<th>签名事实<th>预填<th>审核意见'
    findings, many = it.findings, len(it.facts.recordings) > 1
    yield "".join(_element(one, findings.get(one.number), many=many) for one in review_elements(it.facts))
    yield f"</table><h2>三、录像与时间段</h2>{_recordings(it.facts)}{_stretches(it.facts)}"
    yield f"<h2>四、执法文书</h2>{documents(it.facts, it.documents)}"
    yield f"<h2>五、审核流程</h2>{_acts(it)}{_turns(it)}"
    yield texts(it.documents)
    yield f"<footer><p>本页由 {escape(it.centre)} 于 {_moment(it.made)} 从 facts.json 与 acts/ 生成；"
    yield f"以签名的文件为准，检验办法见 HOW-TO-CHECK.txt。{WHAT_A_SIGNATURE_PROVES}"
    yield "<br>时间均为北京时间，录像时间为设备自报。</footer></main></html>\n"


def _head(it: Dossier) -> Iterator[str]:
    facts = it.facts
    factors = "；".join(facts.major) or ("尚未查明：" + "、".join(facts.major_open) if facts.major_open else "")
    tag = '<span class="red">须法制审核</span> ' if must_be_reviewed(facts, it.rules) else ""
    ended = "未结束" if facts.ended is None else _moment(facts.ended)
    yield f"<tr><th>任务<td>{escape(facts.task)}<th>状态<td><b>{it.review.stage.value}</b>"
    yield f"<tr><th>执法单位<td>{escape(facts.unit)}<th>审核机构<td>{escape(it.rules.body)}"
    matter = f"{escape(facts.category)}，{escape(facts.matter)}"
    yield f"<tr><th>类别、事项<td>{matter}<th>当事人代号<td>{escape(facts.party)}"
    yield f"<tr><th>现场起止<td>{_moment(facts.began)} 至 {ended}<th>存储期限<td>{escape(facts.retention or '—')}"
    yield f"<tr><th>重大情形<td colspan=3>{tag}{escape(factors or '目录未列为重大')}"


def _submitted(review: Review) -> list[str]:
    bodies = [signed.act.body for signed in review.acts if signed.act.kind == Move.SUBMIT]
    return [str(name) for name in bodies[-1]["materials"]] if bodies else []


def _element(element: Element, judged: Judged | None, *, many: bool) -> str:
    lines = "".join(f"<li{_class(line)}>{escape(line.text)}{_links(line, many=many)}" for line in element.lines)
    found = '<span class="human">待审核</span>' if judged is None else f"<b>{judged.finding.value}</b>"
    note = "" if judged is None or not judged.note else f"<br>{escape(judged.note)}"
    facts = f"<ul>{lines}</ul>" if lines else '<span class="human">签名事实对此没有记载</span>'
    prefill = f'<td class="p {PREFILL_CLASS[element.prefill]}">{element.prefill.value}'
    question = f'<tr id="e{element.number}"><td>{element.number}<td class="q">{element.question}'
    return f'{question}<td>{facts}{prefill}<td class="f">{found}{note}'


def _class(line: Line) -> str:
    return ' class="against"' if line.against else ""


def _links(line: Line, *, many: bool) -> str:
    """Where it can be seen; which recording, only where there are `many`."""
    spans = "".join(f' <a href="#{_anchor(span)}">{_stretch(span, named=many)}</a>' for span in line.spans)
    papers = "".join(f' <a href="#d-{escape(number)}">见文书</a>' for number in line.documents)
    return spans + papers


def _recordings(facts: CaseFacts) -> str:
    rows = "".join(_recording(it) for it in facts.recordings)
    return f"<table><tr><th>录像<th>起止<th>片段数<th>检验结果<th>链头{rows}</table>"


def _recording(it: RecordingFact) -> str:
    anchor = _anchor(Span(it.recording, 1, max(1, it.fragments), it.begins, it.ends))
    word = VERDICT_WORDS.get(it.verdict, it.verdict)
    times = f"{_moment(it.begins)} 至 {_clock(it.ends)}"
    return f'<tr id="{anchor}"><td>{it.recording}<td>{times}<td>{it.fragments}<td>{word}<td>{it.head[:16]}…'


def _stretches(facts: CaseFacts) -> str:
    told = [(_mark(step), step.span) for step in facts.steps]
    told += [(_gap(gap), gap.span) for gap in facts.gaps]
    told += [(f"文书：{paper.number}", paper.span) for paper in facts.documents if paper.span is not None]
    rows = [
        f'<tr id="{_anchor(span)}"><td>{escape(words)}<td>{span.recording}<td>{_numbers(span)}'
        f"<td>{_clock(span.begins)} 至 {_clock(span.ends)}"
        for words, span in sorted(told, key=lambda entry: (entry[1].recording, entry[1].first))
    ]
    return f"<p></p><table><tr><th>内容<th>录像<th>片段<th>时间{''.join(rows)}</table>" if rows else ""


def _gap(gap: GapFact) -> str:
    return f"中断：{gap.told}（{'已说明' if gap.explained else '没有说明'}）"


def _mark(step: StepFact) -> str:
    return f"环节：{step.step}{f'（另重复标记 {step.repeated} 次）' if step.repeated else ''}"


def _acts(it: Dossier) -> str:
    rows = [
        f"<tr><td>{signed.act.number}<td>{_moment(signed.act.at)}<td>{MOVE_WORDS[Move(signed.act.kind)]}"
        f"<td>{escape(signed.act.by)}（{ROLE_WORDS[signed.role]}）<td>{escape(act_words(signed.act.body))}"
        for signed in it.review.acts
    ]
    heading = "<tr><th>#<th>时间<th>办理<th>办理人<th>意见、理由"
    return f"<table>{heading}{''.join(rows)}</table>" if rows else "<p>尚未送审。</p>"


def _turns(it: Dossier) -> str:
    found: Sequence[Turn] = turns(it.review, it.rules)
    rows = [
        f"<tr><td>{turn.stage.value}<td>{_moment(turn.began)}<td>{'—' if turn.due is None else _moment(turn.due)}"
        f"<td>{_left(turn)}<td>{_late(turn, it.made)}"
        for turn in found
    ]
    notes = _paragraphs((("协调机制", it.rules.coordination), ("责任追究", it.rules.accountability)))
    return f"<p></p><table><tr><th>状态<th>进入<th>期限<th>离开<th>是否逾期{''.join(rows)}</table>{notes}"


def _left(turn: Turn) -> str:
    if turn.ended is not None:
        return _moment(turn.ended)
    return "办结" if turn.stage is Stage.DECIDED else "进行中"


def _late(turn: Turn, now: datetime) -> str:
    who = f"（{escape(turn.by)} 办结）" if turn.by else ""
    return f'<span class="late">逾期</span>{who}' if turn.late(now) else "否"


def _paragraphs(notes: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<p>{title}：{escape(words)}</p>" for title, words in notes)


def _anchor(span: Span) -> str:
    return f"t-{span.recording}-{span.first}-{span.last}"


def _stretch(span: Span, *, named: bool) -> str:
    name = f"{span.recording} " if named else ""
    return f"[{name}{_fragments(span)}，{_clock(span.begins)}–{_clock(span.ends)}]"


def _fragments(span: Span) -> str:
    return f"第 {_numbers(span)} 片段"


def _numbers(span: Span) -> str:
    return f"{span.first}" if span.first == span.last else f"{span.first}–{span.last}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(BEIJING):%H:%M:%S}"
