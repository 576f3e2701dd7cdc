"""What a person fills in on the page for an act of a review, turned into its body by the rules that `liuhen-center
review act` follows (pure). Nothing is decided here."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.duty import review_admission
from agent.duty.act_bodies import parse_findings
from agent.duty.case_facts import CaseFacts
from agent.duty.review import FLOW, LEDGER, MOVE_WORDS, ROLES, Move, Review
from agent.duty.review_admission import decision, opinion, submission
from agent.duty.review_elements import QUESTIONS
from agent.duty.review_rules import ReviewRules
from agent.errors import OperatorFault, SenderFault
from agent.wire.acts import Act, SignedAct, act_digest, next_act
from agent.wire.trust import Role, TrustList

Given = Mapping[str, Sequence[str]]


def open_moves(review: Review, barred: Container[Move] = ()) -> list[dict[str, Any]]:
    """What may follow but for what is `barred`, with what each asks for: one form each."""
    moves = [move for stage, move in FLOW if stage is review.stage and move not in barred]
    return [
        {
            "move": move.value,
            "words": MOVE_WORDS[move],
            "role": ROLES[move].value,
            "findings": move in (Move.APPROVE, Move.OBJECT),
            "materials": move is Move.SUBMIT,
            "outcome": move is Move.RESOLVE,
            "document": move is Move.DECIDE,
        }
        for move in moves
    ]


def draft_act(
    given: Given, by: str, review: Review, facts: CaseFacts, rules: ReviewRules, trust: TrustList, now: datetime
) -> Act:
    """The act that `by` is to sign, judged as it would be when it comes back signed; raises `SenderFault` and
    `OperatorFault`, each a line with the next step."""
    move = move_of(_one(given, "move"))
    body = _body(move, given, review, facts)
    act = next_act(review.last, trust.district, LEDGER, review.task, move.value, by, now, body)
    review_admission.admit(review, SignedAct(act, _role(by, move, trust, now), act_digest(act.encode())), facts, rules)
    return act


def move_of(text: str) -> Move:
    """The move called so; raises `OperatorFault`."""
    try:
        return Move(text)
    except ValueError as error:
        raise OperatorFault(f"没有“{text[:20]}”这一步。请从页面上选择。") from error


def _body(move: Move, given: Given, review: Review, facts: CaseFacts) -> Mapping[str, Any]:
    text = _one(given, "text").replace("\r\n", "\n").strip()
    match move:
        case Move.SUBMIT:
            return submission(facts, list(given.get("material", ())), text)
        case Move.APPROVE | Move.OBJECT:
            return opinion(review, parse_findings(_findings(given)), text)
        case Move.RESOLVE:
            return {"outcome": _one(given, "outcome"), "text": text}
        case Move.DECIDE:
            return decision(facts, _one(given, "document").strip(), text, _one(given, "settled").strip())
    return {"text": text}


def _findings(given: Given) -> list[dict[str, Any]]:
    numbers = range(1, len(QUESTIONS) + 1)
    return [
        {"number": number, "finding": _one(given, f"f{number}"), "note": _one(given, f"n{number}")}
        for number in numbers
    ]


def _role(by: str, move: Move, trust: TrustList, now: datetime) -> Role:
    """In which part `by` can sign: the one that the move asks for, if there is a key for it."""
    own = [it for it in trust.credentials.values() if it.subject == by and it.role in ROLES.values()]
    for credential in own:
        if credential.role is ROLES[move]:
            return credential.valid_at(now).role
    if not own:
        raise SenderFault(f"信任清单中没有 {by} 的承办、审核或负责人证书。请以本人编号登录，或联系技术人员。", "person")
    return own[0].role


def _one(given: Given, name: str) -> str:
    return next(iter(given.get(name, ())), "")
