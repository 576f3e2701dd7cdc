"""The rules of review in a packet: those that each act was judged by, with the signatures of the two who released
them, so that whoever checks the packet sees that the one who reviewed belongs to the review body."""

from collections.abc import Mapping
from datetime import datetime

from agent.duty.disclosure_rules import SIGNATURES, check_content, check_two_people
from agent.duty.review import Review
from agent.duty.review_rules import ReviewRules, parse_review_rules
from agent.errors import SenderFault
from agent.wire.disclosures import DISCLOSURE_TYPE, DisclosureKind, parse_disclosure
from agent.wire.envelope import open_archived
from agent.wire.trust import Role, TrustList

RULES = "rules"  # the folder in a packet; `001.dsse` is what act 1 was judged by


def rules_files(grounds: Mapping[int, bytes]) -> dict[str, bytes]:
    """The files of a packet for what its acts were judged by."""
    return {f"{RULES}/{number:03d}.dsse": envelope for number, envelope in grounds.items()}


def check_reviewers(review: Review, unit: str, grounds: Mapping[int, bytes], trust: TrustList) -> tuple[int, ...]:
    """The numbers of those acts of reviewers that came without the rules they were judged by; raises `SenderFault`
    for an act of somebody whom the rules do not name, and for rules that are none of `unit`'s at that time."""
    without = []
    for signed in review.acts:
        number = signed.act.number
        if signed.role is not Role.EXAMINER:
            continue
        if number not in grounds:
            without.append(number)
            continue
        rules = _ruled(grounds[number], unit, signed.act.at, trust)
        if signed.act.by not in rules.members:
            text = f"第 {number} 项的审核人 {signed.act.by} 不在 {rules.body} 的审核人员之中"
            raise SenderFault(f"{text}，已拒绝。请向办理单位查问。", "body")
    return tuple(without)


def _ruled(envelope: bytes, unit: str, at: datetime, trust: TrustList) -> ReviewRules:
    opened = open_archived(envelope, DISCLOSURE_TYPE, trust)
    document = check_content(parse_disclosure(opened.payload))
    if len(opened.signers) != SIGNATURES:
        raise SenderFault("审核包中的法制审核办法没有编辑、审核两个签名，已拒绝。", "signature")
    editor, reviewer = (opened.signer(role).valid_at(document.issued_at) for role in (Role.EDITOR, Role.REVIEWER))
    check_two_people(editor.subject, reviewer.subject)
    told = (document.kind, document.publisher, document.district)
    if told != (DisclosureKind.REVIEW_RULES, unit, trust.district) or document.effective_from > at:
        raise SenderFault(f"审核包中的法制审核办法不是 {unit} 当时的，已拒绝。请向办理单位查问。", "rules")
    return parse_review_rules(document.entries)[0]
