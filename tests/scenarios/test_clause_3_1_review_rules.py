"""（三）1 制定具体办法: 明确法制审核主体、范围、内容和程序; two people sign, and every recording says what held."""

import pytest

from agent.duty.disclosure_rules import check_content
from agent.errors import SenderFault
from agent.wire.disclosures import DisclosureKind
from tests.agent.control.test_policy_desk import KEYS, Recorder, refusal
from tests.support.documents import signed
from tests.support.policies import policy

RULES = DisclosureKind.REVIEW_RULES


def test_clause_3_1_the_rules_of_review_are_signed_by_two_and_stand_in_the_recording() -> None:
    recorder = Recorder()
    alone = policy(RULES, 1)
    assert refusal(recorder.arrive(alone, signed(alone, KEYS.editor.signer))) == "signature"
    recorder.arrive(alone)
    assert recorder.record()[1].data["policies"] == {"review-rules.main": 1}


@pytest.mark.parametrize("field", ["审核机构", "审核范围", "送审材料", "审核程序", "审核时限", "协调机制", "责任追究"])
def test_clause_3_1_rules_that_leave_out_who_what_or_how_are_refused(field: str) -> None:
    document = policy(RULES)
    check_content(document)
    for entry in ({**document.entries[0], field: ""}, {**document.entries[0], field: None}):
        with pytest.raises(SenderFault, match=field):
            check_content(policy(RULES, entries=(entry,)))
