"""An office of invented people with fixed keys who sign acts one after another, in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agent.duty.act_bodies import Finding, Judged
from agent.duty.case_facts import CaseFacts
from agent.duty.review import LEDGER, Move, Review
from agent.duty.review_admission import admit, decision, opinion, submission
from agent.duty.review_elements import QUESTIONS
from agent.duty.review_rules import ReviewRules, parse_review_rules
from agent.wire.acts import SignedAct, next_act, open_act, seal_act
from agent.wire.identifiers import District
from agent.wire.trust import Role
from tests.support.signers import NOW, Holder, holder, trusting

PLACE = District("xinghe")
HANDLER = holder("示例-000001", Role.HANDLER, 11)
EXAMINER = holder("示例-000011", Role.EXAMINER, 12)
STRANGER = holder("示例-000012", Role.EXAMINER, 13)
LEADER = holder("示例-000021", Role.LEADER, 14)
SECOND_LEADER = holder("示例-000022", Role.LEADER, 16)
COMMANDER = holder("示例-000031", Role.COMMANDER, 15)
OFFICER_AS_EXAMINER = holder("示例-000002", Role.EXAMINER, 17)
HANDLER_AS_LEADER = holder("示例-000001", Role.LEADER, 18)
TRUST = trusting(HANDLER, EXAMINER, STRANGER, LEADER, SECOND_LEADER, COMMANDER, OFFICER_AS_EXAMINER, HANDLER_AS_LEADER)
MATERIALS = ("执法文书", "录像检验结果", "拟处理意见")
RULES_ENTRY: Mapping[str, Any] = {
    "审核机构": "星河区综合行政执法局法制科",
    "审核人员": ["示例-000011", "示例-000002"],
    "审核范围": "重大执法决定",
    "送审材料": list(MATERIALS),
    "审核程序": "承办机构送审，法制科受理、审核、出具意见",
    "审核载体": "法制审核意见书",
    "受理时限": "1",
    "补正时限": "3",
    "审核时限": "5",
    "反馈时限": "2",
    "启动协调时限": "2",
    "协调时限": "5",
    "作出决定时限": "10",
    "协调机制": "意见不一致时由分管负责人召集协调，仍不一致的提交集体讨论",
    "责任追究": "逾期或不按审核意见办理又未经协调的，按规定追究责任",
}


def rules(**changes: Any) -> ReviewRules:
    return parse_review_rules([{**RULES_ENTRY, **changes}])[0]


def findings(**others: tuple[Finding, str]) -> tuple[Judged, ...]:
    """All eleven met, except those told otherwise: `e4=(Finding.UNMET, "理由")`."""
    numbers = range(1, len(QUESTIONS) + 1)
    return tuple(Judged(number, *others.get(f"e{number}", (Finding.MET, "已核对"))) for number in numbers)


@dataclass
class Desk:
    """The chain of one review: every act a quarter of an hour after the one before."""

    facts: CaseFacts
    rules: ReviewRules = field(default_factory=rules)
    review: Review = field(default_factory=lambda: Review("T-2026-0001"))
    at: datetime = NOW
    envelopes: list[bytes] = field(default_factory=list)

    def signed(self, who: Holder, move: str, body: Mapping[str, Any]) -> SignedAct:
        self.at += timedelta(minutes=15)
        act = next_act(self.review.last, PLACE, LEDGER, self.review.task, move, who.credential.subject, self.at, body)
        self.envelopes.append(seal_act(act, who.signer))
        return open_act(self.envelopes[-1], TRUST, self.review.last)

    def act(self, who: Holder, move: Move, **body: Any) -> Review:
        """Sign and take in; what is refused leaves no trace."""
        before = len(self.envelopes)
        try:
            self.review = admit(self.review, self.signed(who, move, body), self.facts, self.rules)
        except Exception:
            del self.envelopes[before:]
            raise
        return self.review

    def submit(self, who: Holder = HANDLER, materials: Iterable[str] = MATERIALS) -> Review:
        return self.act(who, Move.SUBMIT, **submission(self.facts, materials))

    def accept(self, who: Holder = EXAMINER) -> Review:
        return self.act(who, Move.ACCEPT)

    def give_opinion(self, move: Move, who: Holder = EXAMINER, **others: tuple[Finding, str]) -> Review:
        return self.act(who, move, **opinion(self.review, findings(**others), "审核意见"))

    def decide(self, who: Holder = LEADER, document: str = "星综执罚〔2026〕1号") -> Review:
        return self.act(who, Move.DECIDE, **decision(self.facts, document, "同意拟处理意见"))
