"""The papers of a review packet's page: materials handed in, documents of the case, and their texts (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from agent.duty.case_facts import CaseFacts, DocumentFact
from agent.duty.case_papers import CasePaper, Standing
from agent.duty.review_admission import missing_materials
from agent.duty.review_rules import ReviewRules

PAPER_WORDS = {
    True: "在本包中，与现场出具的文书一致",
    False: "在本包中，<b>与现场出具的文书不一致</b>",
    None: "在本包中",
}


def materials(handed: Sequence[str], rules: ReviewRules, papers: Mapping[str, bool | None]) -> str:
    """What was handed in, what is asked for and missing, and which files came along."""
    rows = [f"<tr><td>{escape(name)}<td>{'已送审' if name in handed else '缺'}" for name in rules.materials]
    rows += [f"<tr><td>{escape(name)}<td>已送审（目录外）" for name in handed if name not in rules.materials]
    rows += [f"<tr><td>{_material_link(name)}<td>{PAPER_WORDS[same]}" for name, same in papers.items()]
    missing = missing_materials(handed, rules)
    note = f'<p class="against">缺少材料：{escape("、".join(missing))}</p>' if missing else ""
    return f'<table class="facts"><tr><th>材料<th>情况{"".join(rows)}</table>{note}'


def documents(facts: CaseFacts, papers: Iterable[CasePaper]) -> str:
    """Every document and key-content sheet, with what became of it and whether its text is there."""
    found = {paper.number: paper for paper in papers}
    rows = [_row(paper, document) for document in facts.documents if (paper := found.pop(document.number, None))]
    rows += [_row(paper, None) for paper in found.values()]
    head = "<tr><th>文号<th>名称<th>送达<th>原文<th>SHA-256"
    return f'<table class="papers">{head}{"".join(rows)}</table>' if rows else "<p>没有。</p>"


def texts(papers: Iterable[CasePaper]) -> str:
    """The texts themselves, each from a page that can be torn off."""
    shown = "".join(_text(paper) for paper in papers if paper.standing is Standing.PRESENT)
    told = "<p>以下文字的 SHA-256 即第四部分所列，与设备签名的事件一致；原样存于 documents/。</p>"
    return f"<h2>六、文书原文</h2>{told}{shown}" if shown else ""


def _row(paper: CasePaper, document: DocumentFact | None) -> str:
    number = escape(paper.number)
    served = "—" if document is None else document.served.value
    link = f'<a href="#x-{number}">{paper.standing.value}</a>'
    standing = link if paper.standing is Standing.PRESENT else f'<span class="against">{paper.standing.value}</span>'
    standing += f'<br><span class="against">{escape(paper.doubt)}</span>' if paper.doubt else ""
    return f'<tr id="d-{number}"><td>{number}<td>{escape(paper.title)}<td>{served}<td>{standing}<td>{paper.digest}'


def _text(paper: CasePaper) -> str:
    return f'<pre class="text" id="x-{escape(paper.number)}">{escape(paper.text)}</pre>'


def _material_link(name: str) -> str:
    return f'<a href="materials/{escape(name)}">{escape(name)}</a>'
