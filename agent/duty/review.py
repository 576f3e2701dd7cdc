"""Legal review of a decision (重大执法决定法制审核), from 送审 to 决定: one table, the people it takes, and its clocks.

    未送审 -submit-> 待受理 -accept-> 审核中 -approve-> 审核完结 -decide-> 已决定
                       |  ^              |                ^  ^
                    return submit      object           adopt |
                       v  |              v                |   |
                    退回补正          待反馈意见 ----------+   |
                                         |dissent             |resolve
                                         v                    |
                                     意见不一致 -coordinate-> 协调中

Every act is signed (`agent.wire.acts`). The one who reviews belongs to the configured body and has handled nothing
of the matter (执法与监督相分离, the plan's section 二（三）2); one person never takes two parts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from agent.duty.act_bodies import check_body
from agent.duty.review_rules import LIMIT_FIELDS, ReviewRules, Stage
from agent.errors import SenderFault
from agent.wire.acts import SignedAct
from agent.wire.identifiers import Digest, digest
from agent.wire.trust import Role

LEDGER = "review"


class Move(StrEnum):
    """What somebody does; the value is the act's kind."""

    SUBMIT = "submit"
    RETURN = "return"
    ACCEPT = "accept"
    APPROVE = "approve"
    OBJECT = "object"
    ADOPT = "adopt"
    DISSENT = "dissent"
    COORDINATE = "coordinate"
    RESOLVE = "resolve"
    DECIDE = "decide"


FLOW: Mapping[tuple[Stage, Move], Stage] = {
    (Stage.UNSUBMITTED, Move.SUBMIT): Stage.SUBMITTED,
    (Stage.UNSUBMITTED, Move.DECIDE): Stage.DECIDED,  # not major: `admit` refuses it for what must be reviewed
    (Stage.SUBMITTED, Move.ACCEPT): Stage.ACCEPTED,
    (Stage.SUBMITTED, Move.RETURN): Stage.RETURNED,
    (Stage.RETURNED, Move.SUBMIT): Stage.SUBMITTED,
    (Stage.ACCEPTED, Move.RETURN): Stage.RETURNED,
    (Stage.ACCEPTED, Move.APPROVE): Stage.CLOSED,
    (Stage.ACCEPTED, Move.OBJECT): Stage.OBJECTED,
    (Stage.OBJECTED, Move.ADOPT): Stage.CLOSED,
    (Stage.OBJECTED, Move.SUBMIT): Stage.SUBMITTED,
    (Stage.OBJECTED, Move.DISSENT): Stage.DISPUTED,
    (Stage.DISPUTED, Move.COORDINATE): Stage.COORDINATING,
    (Stage.COORDINATING, Move.RESOLVE): Stage.CLOSED,
    (Stage.CLOSED, Move.SUBMIT): Stage.SUBMITTED,  # the facts changed after the review
    (Stage.CLOSED, Move.DECIDE): Stage.DECIDED,
}
ROLES: Mapping[Move, Role] = {
    Move.SUBMIT: Role.HANDLER,
    Move.RETURN: Role.EXAMINER,
    Move.ACCEPT: Role.EXAMINER,
    Move.APPROVE: Role.EXAMINER,
    Move.OBJECT: Role.EXAMINER,
    Move.ADOPT: Role.HANDLER,
    Move.DISSENT: Role.HANDLER,
    Move.COORDINATE: Role.LEADER,
    Move.RESOLVE: Role.LEADER,
    Move.DECIDE: Role.LEADER,
}
MOVE_WORDS: Mapping[Move, str] = {
    Move.SUBMIT: "送审",
    Move.RETURN: "退回补正",
    Move.ACCEPT: "受理",
    Move.APPROVE: "审核同意",
    Move.OBJECT: "提出审核意见",
    Move.ADOPT: "采纳意见",
    Move.DISSENT: "提出异议",
    Move.COORDINATE: "启动协调",
    Move.RESOLVE: "协调结果",
    Move.DECIDE: "作出决定",
}
NEEDED: Mapping[Move, tuple[str, ...]] = {
    Move.SUBMIT: ("facts", "major", "materials", "officers", "text", "transfer"),
    Move.RETURN: ("text",),
    Move.ACCEPT: (),
    Move.APPROVE: ("elements", "facts", "text"),
    Move.OBJECT: ("elements", "facts", "text"),
    Move.ADOPT: ("text",),
    Move.DISSENT: ("text",),
    Move.COORDINATE: ("text",),
    Move.RESOLVE: ("outcome", "text"),
    Move.DECIDE: ("document", "facts", "major", "text"),
}
"""The fields that the body of each has at least."""
ROLE_WORDS = {Role.HANDLER: "承办人", Role.EXAMINER: "审核人", Role.LEADER: "负责人"}


@dataclass(frozen=True)
class Review:
    """The review of `task` after `acts`. `facts` is the digest that was last submitted, `officers` those who were on
    the scene; `parts` says in which role each person has acted."""

    task: str
    stage: Stage = Stage.UNSUBMITTED
    facts: Digest | None = None
    officers: frozenset[str] = frozenset()
    parts: Mapping[str, Role] | None = None
    acts: tuple[SignedAct, ...] = ()

    @property
    def last(self) -> SignedAct | None:
        """The act that the next one follows."""
        return self.acts[-1] if self.acts else None


def replay(task: str, acts: Iterable[SignedAct]) -> Review:
    """The review that these acts make; raises `SenderFault` where the flow, a role or a person does not fit."""
    review = Review(task)
    for act in acts:
        review = step(review, act)
    return review


def step(review: Review, signed: SignedAct) -> Review:
    """`review` after one more act, by table, role and persons alone: what can be judged at any later time."""
    act, move = signed.act, _move(signed)
    if act.ledger != LEDGER or act.subject != review.task:
        raise SenderFault(f"这项记录属于 {act.subject}，不属于 {review.task}，已拒绝。", "subject")
    stage = FLOW.get((review.stage, move))
    if stage is None:
        allowed = "、".join(MOVE_WORDS[step] for before, step in FLOW if before is review.stage) or "没有"
        text = f"{review.task} 现为“{review.stage}”，不能{MOVE_WORDS[move]}；此时可办：{allowed}。"
        raise SenderFault(text, "stage")
    fields = check_body(act.body, NEEDED[move])
    parts = dict(review.parts or {})
    if signed.role is not ROLES[move]:
        raise SenderFault(f"{MOVE_WORDS[move]}须由{ROLE_WORDS[ROLES[move]]}签名，已拒绝。", "role")
    if parts.setdefault(act.by, signed.role) is not signed.role:
        raise SenderFault(
            f"{act.by} 已是本案{ROLE_WORDS[parts[act.by]]}，不能再作{ROLE_WORDS[signed.role]}。", "person"
        )
    after = replace(review, stage=stage, parts=parts, acts=(*review.acts, signed))
    if move is Move.SUBMIT:
        officers = frozenset(str(officer) for officer in fields.array("officers"))
        after = replace(after, facts=digest(fields.text("facts")), officers=review.officers | officers)
    return _separate(after)


def _separate(review: Review) -> Review:
    for person, role in (review.parts or {}).items():
        if role is Role.EXAMINER and person in review.officers:
            raise SenderFault(f"{person} 是本案执法人员，不能审核本案。请由其他审核人员办理。", "person")
    return review


def _move(signed: SignedAct) -> Move:
    try:
        return Move(signed.act.kind)
    except ValueError as error:
        raise SenderFault(f"办理事项“{signed.act.kind[:40]}”未知，已拒绝。", "kind") from error


@dataclass(frozen=True)
class Turn:
    """How long the matter stood in `stage`: `due` by the rules (None: no limit), `ended` None while it stands there,
    `by` who ended it."""

    stage: Stage
    began: datetime
    due: datetime | None
    ended: datetime | None
    by: str

    def late(self, now: datetime) -> bool:
        """Whether it took, or has by now taken, longer than allowed."""
        return self.due is not None and (self.ended or now) > self.due


def turns(review: Review, rules: ReviewRules) -> tuple[Turn, ...]:
    """Every stage the matter stood in, in order; what a lateness is told from (责任追究)."""
    found: list[Turn] = []
    stage = Stage.UNSUBMITTED
    for signed in review.acts:
        if found:
            found[-1] = replace(found[-1], ended=signed.act.at, by=signed.act.by)
        stage = FLOW[stage, Move(signed.act.kind)]
        due = rules.calendar.due(signed.act.at, rules.limits[stage]) if stage in LIMIT_FIELDS else None
        found.append(Turn(stage, signed.act.at, due, None, ""))
    return tuple(found)
