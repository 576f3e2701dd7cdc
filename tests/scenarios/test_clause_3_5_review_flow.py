"""（三）5 编制流程图: 送审材料、审核程序、审核载体、时限要求、意见不一致的协调解决机制和责任追究机制."""

from datetime import timedelta
from itertools import pairwise

import pytest

from agent.duty.act_bodies import Finding
from agent.duty.review import FLOW, ROLES, Move, replay, turns
from agent.duty.review_admission import missing_materials
from agent.duty.review_rules import LIMIT_FIELDS, Stage
from agent.errors import SenderFault
from agent.wire.acts import open_acts
from tests.agent.duty.facts import case
from tests.agent.duty.office import EXAMINER, HANDLER, LEADER, MATERIALS, TRUST, Desk


def desk() -> Desk:
    return Desk(case(major=("涉案金额",)))


def disputed() -> Desk:
    way = desk()
    way.submit()
    way.accept()
    way.give_opinion(Move.OBJECT, e6=(Finding.UNMET, "裁量不当"))
    way.act(HANDLER, Move.DISSENT, text="不同意见及理由")
    return way


def test_clause_3_5_materials_of_the_flow_chart_that_are_missing_are_named_and_sent_back() -> None:
    way = desk()
    way.submit(materials=MATERIALS[:1])
    assert missing_materials(way.review.acts[0].act.body["materials"], way.rules) == MATERIALS[1:]
    assert way.act(EXAMINER, Move.RETURN, text="请补齐").stage is Stage.RETURNED
    assert way.submit().stage is Stage.SUBMITTED


def test_clause_3_5_dissent_is_coordinated_before_a_decision() -> None:
    way = disputed()
    with pytest.raises(SenderFault, match="启动协调"):
        way.decide()
    way.act(LEADER, Move.COORDINATE, text="召集协调")
    way.act(LEADER, Move.RESOLVE, text="降一档", outcome="修改后办理")
    assert way.decide().stage is Stage.DECIDED
    kinds = [signed.act.kind for signed in replay(way.review.task, open_acts(way.envelopes, TRUST)).acts]
    assert kinds == ["submit", "accept", "object", "dissent", "coordinate", "resolve", "decide"]


def test_clause_3_5_every_stage_between_submission_and_decision_has_a_limit_and_somebody_to_act() -> None:
    assert set(LIMIT_FIELDS) == set(Stage) - {Stage.UNSUBMITTED, Stage.DECIDED}
    assert all(any(before is stage for before, _ in FLOW) for stage in LIMIT_FIELDS)
    assert set(ROLES) == set(Move)


def test_clause_3_5_who_let_a_limit_pass_is_told() -> None:
    way = disputed()
    way.at += timedelta(days=20)
    way.act(LEADER, Move.COORDINATE, text="召集协调")
    late = [(turn.stage, turn.by) for turn in turns(way.review, way.rules) if turn.late(way.at)]
    assert late == [(Stage.DISPUTED, LEADER.credential.subject)]


def test_clause_3_5_every_act_names_the_one_before() -> None:
    acts = disputed().review.acts
    assert all(later.act.previous == before.digest for before, later in pairwise(acts))
