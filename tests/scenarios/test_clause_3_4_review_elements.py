"""（三）4 编制要素清单: the eleven elements in the plan's words and order, filled in where signed facts speak."""

import pytest

from agent.duty.act_bodies import Finding
from agent.duty.case_facts import Label, OfficerFact
from agent.duty.review import Move
from agent.duty.review_elements import Prefill, review_elements
from agent.duty.review_rules import Stage
from agent.errors import SenderFault
from tests.agent.duty.facts import OFFICERS, STEPS, UNIT, case
from tests.agent.duty.office import EXAMINER, Desk, findings

PLAN = (
    "行政执法主体是否合法、行政执法人员是否具备执法资格、主要事实是否清楚、证据是否确凿充分、适用法律法规规章是否准确、"
    "执行裁量基准是否适当、程序是否合法、是否有超越职权范围或滥用职权情形、行政执法文书是否规范齐备、"
    "违法行为是否涉嫌犯罪需要移送司法机关、其他应当审核的内容"
)


def test_clause_3_4_eleven_elements_stand_in_the_words_and_the_order_of_the_plan() -> None:
    assert "、".join(element.question for element in review_elements(case())) == PLAN


def test_clause_3_4_signed_facts_fill_in_five_and_leave_six_to_people() -> None:
    prefills = [element.prefill for element in review_elements(case())]
    assert [number for number, it in enumerate(prefills, 1) if it is Prefill.SUPPORTED] == [2, 4, 7, 9, 10]
    assert [number for number, it in enumerate(prefills, 1) if it is Prefill.HUMAN] == [1, 3, 5, 6, 8, 11]


def test_clause_3_4_an_expired_certificate_and_a_missing_step_speak_against_with_their_places() -> None:
    expired = OfficerFact(OFFICERS[0], UNIT, 7, (Label.CERTIFICATE_EXPIRED,))
    told = review_elements(case(officers=(expired,), steps=STEPS[:-1]))
    assert [element.number for element in told if element.prefill is Prefill.AGAINST] == [2, 7]
    assert all(line.spans for line in told[6].lines if not line.against)


def test_clause_3_4_an_opinion_judges_every_element() -> None:
    desk = Desk(case(major=("社会影响",)))
    desk.submit()
    desk.accept()
    short = [judged.as_json() for judged in findings()[:-1]]
    with pytest.raises(SenderFault, match="全部 11 项"):
        desk.act(EXAMINER, Move.APPROVE, elements=short, facts=desk.review.facts, text="同意")
    assert desk.give_opinion(Move.OBJECT, e10=(Finding.UNMET, "涉嫌犯罪，应当移送")).stage is Stage.OBJECTED
