"""Where a list of the office gives more time than the law: told to whoever drafts, signs and releases it. The list is
taken all the same: what the law says may change, and the office answers for its list with two signatures.
"""

from collections.abc import Iterator

from agent.duty.publication_rules import KIND_WORDS, PublicationRules, parse_publication_rules
from agent.duty.time_limits import joined, parse_time_limits
from agent.wire.disclosures import Disclosure, DisclosureKind

RESULT_DAYS = 20  # working days; 政府信息公开条例 article 26
DECISION_DAYS = 7  # working days; 国办发〔2018〕118号, for licences and penalties
WITHDRAW_DAYS = 3  # working days; 行政处罚法 articles 48 and 85
DECISIONS = ("行政许可", "行政处罚")


def beyond_law(document: Disclosure) -> tuple[str, ...]:
    """One Chinese line for each term of `document`, whose entries were checked, that is longer than the law's."""
    if document.withdrawn is not None:
        return ()
    if document.kind is DisclosureKind.TIME_LIMITS:
        return joined(parse_time_limits(document.entries)).loosened
    if document.kind is DisclosureKind.PUBLICATION_RULES:
        return tuple(_late(parse_publication_rules(document.entries)))
    return ()


def _late(rules: PublicationRules) -> Iterator[str]:
    kind = DisclosureKind.RESULTS
    for category, most, basis in (("", RESULT_DAYS, "政府信息公开条例第二十六条"), *_decisions()):
        rule = rules.of(kind, category)
        name = f"{KIND_WORDS[kind]}{f'（{category}）' if category else ''}"
        if rule is None:
            continue
        if rule.publish_days > most:
            yield f"{name}的公示时限为 {rule.publish_days} 个工作日，长于{basis}的 {most} 个工作日，请核对。"
        if rule.withdraw_days > WITHDRAW_DAYS and rule.category == category:
            text = f"{name}的撤回时限为 {rule.withdraw_days} 个工作日"
            yield f"{text}，长于行政处罚法第四十八条、第八十五条的 {WITHDRAW_DAYS} 个工作日，请核对。"


def _decisions() -> Iterator[tuple[str, int, str]]:
    return ((category, DECISION_DAYS, "国办发〔2018〕118号") for category in DECISIONS)
