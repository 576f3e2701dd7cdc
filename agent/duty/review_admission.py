"""Whether an act of a review may be taken in now: what depends on today's facts and today's rules (`review.step` judges
what holds for ever)."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.duty.act_bodies import Finding, Judged, Outcome, choice, parse_findings
from agent.duty.case_facts import CaseFacts
from agent.duty.case_json import case_digest
from agent.duty.review import Move, Review, step
from agent.duty.review_elements import Element, Prefill, review_elements
from agent.duty.review_rules import ReviewRules, Scope, Stage
from agent.errors import SenderFault
from agent.wire.acts import SignedAct
from agent.wire.canonical import Fields
from agent.wire.identifiers import Digest
from agent.wire.trust import Role

TOLD_FIELDS = {"outcome": "协调结果", "document": "决定书文号", "transfer": "涉嫌犯罪移送", "settled": "查明情况"}
MAX_WORDS = 4000  # ours; characters of an opinion
TEXT_MOVES = frozenset(Move) - {Move.SUBMIT, Move.ACCEPT, Move.APPROVE}


def must_be_reviewed(facts: CaseFacts, rules: ReviewRules, settled: str = "") -> bool:
    """Whether no decision may be made without a closed review. A factor that was not known on scene is no "no": it asks
    for one as well, unless whoever decides says in signed words, `settled`, what was found out since."""
    return bool(facts.major) or rules.scope is Scope.ALL or (bool(facts.major_open) and not settled.strip())


def barred(review: Review, facts: CaseFacts, rules: ReviewRules) -> frozenset[Move]:
    """The moves that the flow has next and that would be refused whatever is written in them: nobody is offered a
    decision of what must be reviewed first, nor an opinion or a decision on facts that have changed."""
    found = set()
    if review.stage is Stage.UNSUBMITTED and (facts.major or rules.scope is Scope.ALL):
        found.add(Move.DECIDE)
    if review.facts is not None and review.facts != case_digest(facts):
        found |= {Move.APPROVE, Move.OBJECT, Move.DECIDE}
    return frozenset(found)


def submission(facts: CaseFacts, materials: Iterable[str], text: str = "") -> dict[str, Any]:
    """The body of a 送审: what is submitted, by its digest, and which materials come with it."""
    return {
        "facts": case_digest(facts),
        "major": list(facts.major),
        "materials": list(materials),
        "officers": list(facts.people),
        "text": text,
        "transfer": facts.transfer,
    }


def opinion(review: Review, findings: Iterable[Judged], text: str = "") -> dict[str, Any]:
    """The body of an opinion, on what was submitted."""
    return {"elements": [judged.as_json() for judged in findings], "facts": review.facts, "text": text}


def decision(facts: CaseFacts, document: str, text: str, settled: str = "") -> dict[str, Any]:
    """The body of a decision: the facts it rests on, the number of its document; `settled` says why what was not known
    on scene makes it no major one."""
    told = {"settled": settled} if settled else {}
    return {"document": document, "facts": case_digest(facts), "major": list(facts.major), "text": text, **told}


def overtaken(review: Review, facts: Digest) -> str:
    """What is to be said, in one Chinese line, where the facts with the digest `facts` are no longer those that the
    decision, or the submission, was about; empty where they are."""
    decided = [it.act.body.get("facts") for it in review.acts if it.act.kind == Move.DECIDE]
    if decided:
        text = "作出决定之后案件事实有变化：意见与决定所依据的是另一份事实，以下为现在的事实，请先查明何处不同。"
        return "" if decided[-1] == facts else text
    text = "送审之后案件事实有变化：以下为现在的事实，意见所针对的不是它，请重新送审。"
    return "" if review.facts in (None, facts) else text


def act_words(body: Mapping[str, Any]) -> str:
    """What an act says beside its findings, in one line; empty where it says nothing."""
    told = [f"{title}：{body[name]}" for name, title in TOLD_FIELDS.items() if body.get(name)]
    return "；".join([*told, str(body.get("text", ""))]).strip("；")


def missing_materials(handed_in: Iterable[str], rules: ReviewRules) -> tuple[str, ...]:
    """Which of the configured materials are not there, in the order of the rules."""
    there = set(handed_in)
    return tuple(name for name in rules.materials if name not in there)


def admit(review: Review, signed: SignedAct, facts: CaseFacts, rules: ReviewRules) -> Review:
    """`review` with `signed` taken in; raises `SenderFault`, one Chinese line with the next step."""
    after, move, fields = step(review, signed), Move(signed.act.kind), Fields("办理记录", signed.act.body)
    if signed.role is Role.EXAMINER and signed.act.by not in rules.members:
        raise SenderFault(f"{signed.act.by} 不属于审核机构 {rules.body}，不能审核。请由该机构人员办理。", "body")
    if move in TEXT_MOVES and not 1 <= len(fields.text("text").strip()) <= MAX_WORDS:
        raise SenderFault(f"请写明理由或意见，不超过 {MAX_WORDS} 字。", "text")
    match move:
        case Move.SUBMIT:
            _check_submission(fields, facts)
        case Move.APPROVE | Move.OBJECT:
            _check_opinion(move, fields, review, facts)
        case Move.RESOLVE:
            choice(Outcome, fields.text("outcome"), "协调结果")
        case Move.DECIDE:
            _check_decision(review, fields, facts, rules)
    return after


def _check_submission(fields: Fields, facts: CaseFacts) -> None:
    told = submission(facts, fields.array("materials"))
    if any(fields.any(name) != told[name] for name in ("facts", "major", "officers", "transfer")):
        raise SenderFault("送审的事实与中心所存的不一致，已拒绝。请重新汇总案件后送审。", "facts")


def _check_opinion(move: Move, fields: Fields, review: Review, facts: CaseFacts) -> None:
    if fields.text("facts") != review.facts:
        raise SenderFault("意见所针对的不是送审的事实，已拒绝。请重新打开审核包。", "facts")
    if review.facts != case_digest(facts):
        raise SenderFault("送审之后案件事实有变化，请退回，由承办人重新送审。", "facts-changed")
    found = parse_findings(fields.array("elements"))
    for judged, element in zip(found, review_elements(facts), strict=True):
        _check_finding(judged, element)
    agreed = all(judged.finding in (Finding.MET, Finding.NOT_APPLICABLE) for judged in found)
    if agreed is not (move is Move.APPROVE):
        text = "各要素均符合时请用 approve" if agreed else "有要素不符合或需补充时请用 object"
        raise SenderFault(f"审核结论与要素意见不一致：{text}。", "conclusion")


def _check_finding(judged: Judged, element: Element) -> None:
    against = element.prefill is Prefill.AGAINST and judged.finding in (Finding.MET, Finding.NOT_APPLICABLE)
    wanting = judged.finding in (Finding.UNMET, Finding.SUPPLEMENT)
    if (against or wanting) and not judged.note.strip():
        why = "签名事实发现问题而认为符合" if against else "认为不符合或需补充"
        raise SenderFault(f"第 {judged.number} 项“{element.question}”{why}，须写明理由。", "reason")


def _check_decision(review: Review, fields: Fields, facts: CaseFacts, rules: ReviewRules) -> None:
    if not fields.text("document").strip():
        raise SenderFault("请写明决定书文号。", "text")
    settled = fields.text("settled") if fields.has("settled") else ""
    if len(settled) > MAX_WORDS:
        raise SenderFault(f"查明情况不超过 {MAX_WORDS} 字。", "text")
    if review.stage is Stage.UNSUBMITTED and must_be_reviewed(facts, rules, settled):
        raise SenderFault(
            f"{facts.task} 须经法制审核（{_why_reviewed(facts, rules)}），审核完结前不能作出决定。请先送审。",
            "not-reviewed",
        )
    if fields.text("facts") != case_digest(facts):
        raise SenderFault("决定所依据的事实与中心所存的不一致，已拒绝。请重新汇总案件。", "facts")
    if review.facts is not None and review.facts != case_digest(facts):
        raise SenderFault("审核之后案件事实有变化，审核意见不再适用。请重新送审。", "facts-changed")


def _why_reviewed(facts: CaseFacts, rules: ReviewRules) -> str:
    if facts.major:
        return "、".join(facts.major)
    if facts.major_open:
        return f"{'、'.join(facts.major_open)}现场未知，是否重大尚未查明；已查明不属重大的，决定时写明查明情况"
    return f"审核范围为{rules.scope}"
