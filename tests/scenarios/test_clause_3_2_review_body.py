"""（三）2 落实审核主体: 按照执法与监督相分离的原则，明确法制审核工作机构."""

import pytest

from agent.duty.review import Move
from agent.duty.review_rules import Stage
from agent.errors import SenderFault
from tests.agent.duty.facts import OFFICERS, case, officers
from tests.agent.duty.office import EXAMINER, HANDLER, OFFICER_AS_EXAMINER, STRANGER, Desk
from tests.support.signers import Holder


def submitted() -> Desk:
    desk = Desk(case(major=("社会影响",), officers=officers(*OFFICERS)))
    desk.submit()
    return desk


def test_clause_3_2_the_configured_body_reviews() -> None:
    assert submitted().accept(EXAMINER).stage is Stage.ACCEPTED


@pytest.mark.parametrize(
    ("who", "why"),
    [(OFFICER_AS_EXAMINER, "是本案执法人员"), (STRANGER, "不属于审核机构"), (HANDLER, "须由审核人签名")],
    ids=["an officer of the case", "somebody outside the body", "the handler himself"],
)
def test_clause_3_2_nobody_reviews_his_own_enforcement(who: Holder, why: str) -> None:
    desk = submitted()
    with pytest.raises(SenderFault, match=why):
        desk.accept(who)
    assert [signed.act.kind for signed in desk.review.acts] == [Move.SUBMIT]
