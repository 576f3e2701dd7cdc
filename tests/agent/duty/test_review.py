from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from agent.duty.act_bodies import Finding
from agent.duty.case_facts import Label, Served
from agent.duty.review import Move, replay, step, turns
from agent.duty.review_admission import act_words, admit, decision, missing_materials, opinion, submission
from agent.duty.review_elements import Prefill, review_elements
from agent.duty.review_rules import Stage
from agent.duty.working_days import WorkCalendar
from agent.errors import SenderFault
from agent.wire.acts import open_acts
from agent.wire.device_events import GENESIS
from agent.wire.instant import BEIJING
from tests.agent.duty.facts import STEPS, case, document, gap, officers, recording
from tests.agent.duty.office import (
    EXAMINER,
    HANDLER,
    HANDLER_AS_LEADER,
    LEADER,
    MATERIALS,
    OFFICER_AS_EXAMINER,
    STRANGER,
    TRUST,
    Desk,
    findings,
    rules,
)

MAJOR = ("执法类别", "涉案金额")


def desk(**changes: object) -> Desk:
    return Desk(case(**{"major": MAJOR, **changes}))


def accepted(**changes: object) -> Desk:
    found = desk(**changes)
    found.submit()
    found.accept()
    return found


def objected() -> Desk:
    found = accepted()
    found.give_opinion(Move.OBJECT, e6=(Finding.UNMET, "裁量档次偏高"))
    return found


def refused(code: str) -> pytest.RaisesExc[SenderFault]:
    return pytest.raises(SenderFault, check=lambda fault: fault.code == code)


def test_the_straight_way_ends_in_a_decision() -> None:
    way = accepted()
    assert way.give_opinion(Move.APPROVE).stage is Stage.CLOSED
    assert way.decide().stage is Stage.DECIDED


def test_a_major_matter_is_not_decided_without_a_closed_review() -> None:
    way = desk()
    with refused("not-reviewed"):
        way.decide()
    way.submit()
    with refused("stage"):
        way.decide()
    way.accept()
    with refused("stage"):
        way.decide()


def test_a_matter_that_is_not_major_is_decided_without_review_unless_the_department_widened_the_scope() -> None:
    assert Desk(case()).decide().stage is Stage.DECIDED
    with refused("not-reviewed"):
        Desk(case(), rules(审核范围="简易程序以外的所有执法决定")).decide()


def test_a_matter_of_which_it_is_not_known_whether_it_is_major_is_not_decided_unreviewed() -> None:
    """What was not known on scene is no "no": a review, or signed words of what was found out since."""
    office = desk(major=(), major_open=("涉案金额",))
    with refused("not-reviewed"):
        office.decide()
    with refused("not-reviewed"):
        office.act(LEADER, Move.DECIDE, **decision(office.facts, "1号", "处罚", "  "))
    told = decision(office.facts, "1号", "处罚", "涉案金额经核为 800 元")
    assert office.act(LEADER, Move.DECIDE, **told).stage is Stage.DECIDED
    assert act_words(told) == "决定书文号：1号；查明情况：涉案金额经核为 800 元；处罚"


def test_words_of_what_was_found_out_make_no_major_matter_an_ordinary_one() -> None:
    office = desk(major_open=("涉案金额",))
    with refused("not-reviewed"):
        office.act(LEADER, Move.DECIDE, **decision(office.facts, "1号", "处罚", "不属重大"))


def test_whoever_was_named_by_the_task_or_held_a_device_for_it_cannot_review_it() -> None:
    for part in ("assigned", "holders"):
        office = desk(**{part: (EXAMINER.credential.subject,)})
        office.submit()
        with refused("person"):
            office.accept()


def test_an_officer_of_the_case_cannot_review_it() -> None:
    way = desk()
    way.submit()
    with refused("person"):
        way.accept(OFFICER_AS_EXAMINER)


def test_an_officer_who_is_named_only_after_the_opinion_spoils_the_review() -> None:
    way = accepted()
    way.give_opinion(Move.APPROVE)
    way.facts = replace(way.facts, officers=officers("示例-000002", "示例-000011"))
    with refused("person"):
        way.submit()


def test_a_reviewer_from_outside_the_configured_body_is_refused() -> None:
    way = desk()
    way.submit()
    with refused("body"):
        way.accept(STRANGER)


def test_one_person_cannot_handle_and_decide() -> None:
    way = accepted()
    way.give_opinion(Move.APPROVE)
    with refused("person"):
        way.decide(HANDLER_AS_LEADER)


def test_a_handler_cannot_sign_the_opinion_on_his_own_case() -> None:
    way = accepted()
    with refused("role"):
        way.give_opinion(Move.APPROVE, HANDLER)


def test_dissent_goes_through_coordination_before_anything_is_decided() -> None:
    way = objected()
    assert way.act(HANDLER, Move.DISSENT, text="从重情节有证据").stage is Stage.DISPUTED
    with refused("stage"):
        way.decide()
    assert way.act(LEADER, Move.COORDINATE, text="召集法制科与承办机构").stage is Stage.COORDINATING
    with refused("word"):
        way.act(LEADER, Move.RESOLVE, text="维持", outcome="随便")
    assert way.act(LEADER, Move.RESOLVE, text="裁量降一档", outcome="修改后办理").stage is Stage.CLOSED
    assert way.decide().stage is Stage.DECIDED


def test_an_objection_can_be_adopted_or_answered_with_a_new_submission() -> None:
    assert objected().act(HANDLER, Move.ADOPT, text="采纳，降一档").stage is Stage.CLOSED
    assert objected().submit().stage is Stage.SUBMITTED


def test_a_decision_on_facts_that_changed_after_the_review_is_refused() -> None:
    way = accepted()
    way.give_opinion(Move.APPROVE)
    way.facts = replace(way.facts, gaps=(gap(explained=False),))
    with refused("facts-changed"):
        way.decide()
    assert way.submit().stage is Stage.SUBMITTED


def test_an_opinion_on_facts_that_changed_since_the_submission_is_refused() -> None:
    way = accepted()
    way.facts = replace(way.facts, documents=())
    with refused("facts-changed"):
        way.give_opinion(Move.APPROVE)


def test_an_opinion_that_leaves_an_element_out_is_refused() -> None:
    way = accepted()
    with refused("elements"):
        way.act(EXAMINER, Move.APPROVE, elements=[], facts=way.review.facts, text="同意")


def test_approval_over_a_signed_fact_that_speaks_against_needs_a_reason() -> None:
    way = accepted(steps=STEPS[:-1])
    with refused("reason"):
        way.give_opinion(Move.APPROVE, e7=(Finding.MET, ""))
    assert way.give_opinion(Move.APPROVE, e7=(Finding.MET, "当事人已离开，有见证人")).stage is Stage.CLOSED


def test_approval_with_an_element_unmet_is_refused_and_so_is_an_objection_without_one() -> None:
    with refused("conclusion"):
        accepted().give_opinion(Move.APPROVE, e3=(Finding.UNMET, "事实不清"))
    with refused("conclusion"):
        accepted().give_opinion(Move.OBJECT)


def test_a_submission_that_tells_other_facts_than_the_centre_holds_is_refused() -> None:
    way = desk()
    honest = way.facts
    way.facts = replace(honest, officers=officers("示例-000003", "示例-000004"))
    told = {"facts": "0" * 64, "major": [], "officers": [], "materials": [], "text": "", "transfer": ""}
    signed = way.signed(HANDLER, Move.SUBMIT, told)
    with refused("facts"):
        admit(way.review, signed, honest, way.rules)


@pytest.mark.parametrize(
    "odd",
    [
        {"materials": [{"a": 1}, 5]}, {"materials": ["x"] * 101}, {"materials": [""]}, {"materials": None},
        {"elements": 7}, {"elements": []}, {"text": ["a"]}, {"transfer": 1}, {"officers": [[]]}, {"else": "x"},
        {"settled": None},
    ],
)  # fmt: skip
def test_a_signed_act_whose_body_no_page_could_show_is_no_act(odd: dict[str, object]) -> None:
    """It would block its matter for good: whatever shows the chain later must find in each field what it expects."""
    way = desk()
    with pytest.raises(SenderFault):
        way.act(HANDLER, Move.SUBMIT, **{**submission(way.facts, MATERIALS), **odd})
    with pytest.raises(SenderFault):
        way.act(HANDLER, Move.SUBMIT)
    way.submit()
    with pytest.raises(SenderFault):
        way.act(EXAMINER, Move.RETURN, **{"text": "缺材料", **({"elements": "y"} if "materials" in odd else odd)})
    assert way.act(EXAMINER, Move.RETURN, text="缺材料").stage is Stage.RETURNED


def test_an_opinion_on_other_facts_than_those_submitted_is_refused() -> None:
    way = accepted()
    told = {**opinion(way.review, findings(), "审核意见"), "facts": "0" * 64}
    with refused("facts"):
        way.act(EXAMINER, Move.APPROVE, **told)
    assert way.give_opinion(Move.APPROVE).stage is Stage.CLOSED


def test_an_act_taken_out_of_the_middle_or_changed_is_noticed() -> None:
    way = objected()
    way.act(HANDLER, Move.DISSENT, text="有异议")
    whole = open_acts(way.envelopes, TRUST)
    assert replay("T-2026-0001", whole) == way.review
    with refused("chain"):
        open_acts([*way.envelopes[:2], *way.envelopes[3:]], TRUST)
    with pytest.raises(SenderFault):
        open_acts([*way.envelopes[:2], way.envelopes[2].replace(b'"keyid":"', b'"keyid":"0', 1)], TRUST)


def test_an_act_in_another_persons_name_is_refused() -> None:
    way = desk()
    with refused("signature"):
        way.signed(replace(HANDLER, credential=EXAMINER.credential), Move.SUBMIT, {})


def test_the_acts_of_another_case_are_not_taken_for_this_one() -> None:
    way = desk()
    way.submit()
    with refused("subject"):
        step(replace(way.review, task="T-2026-0002", acts=(), stage=Stage.UNSUBMITTED), way.review.acts[0])
    assert way.review.acts[0].act.previous == GENESIS


def test_lateness_is_told_by_stage_and_person() -> None:
    way = desk()
    way.submit()
    way.at += timedelta(days=9)
    way.accept()
    submitted, reviewing = turns(way.review, way.rules)
    assert (submitted.stage, submitted.late(way.at), submitted.by) == (Stage.SUBMITTED, True, "示例-000011")
    assert (reviewing.ended, reviewing.late(way.at)) == (None, False)
    assert reviewing.late(way.at + timedelta(days=14))


def test_a_term_neither_counts_its_first_day_nor_holidays() -> None:
    calendar = WorkCalendar(frozenset({date(2026, 10, 1), date(2026, 10, 2)}), frozenset({date(2026, 10, 10)}))
    wednesday = datetime(2026, 9, 30, 23, 50, tzinfo=BEIJING)
    assert calendar.due(wednesday, 1) == datetime(2026, 10, 6, tzinfo=BEIJING)
    assert calendar.due(datetime(2026, 10, 9, 9, tzinfo=BEIJING), 1) == datetime(2026, 10, 11, tzinfo=BEIJING)
    assert calendar.count(wednesday, datetime(2026, 10, 10, 8, tzinfo=BEIJING)) == 6


def test_materials_that_are_not_handed_in_are_named() -> None:
    assert missing_materials(["拟处理意见"], rules()) == ("执法文书", "录像检验结果")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("审核时限", "五", "审核时限"),
        ("审核时限", "0", "审核时限"),
        ("审核人员", [], "审核人员"),
        ("审核范围", "一切", "审核范围"),
        ("节假日", ["2027/1/1"], "节假日"),
    ],
)
def test_review_rules_with_a_wrong_field_are_refused_by_its_name(name: str, value: object, words: str) -> None:
    with pytest.raises(SenderFault, match=words):
        rules(**{name: value})


def test_facts_without_fault_leave_to_people_what_asks_for_judgement() -> None:
    found = [element.prefill for element in review_elements(case())]
    human = [number for number, prefill in enumerate(found, 1) if prefill is Prefill.HUMAN]
    supported = [number for number, prefill in enumerate(found, 1) if prefill is Prefill.SUPPORTED]
    assert (human, supported) == ([1, 3, 5, 6, 8, 11], [2, 4, 7, 9, 10])


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"officers": officers("示例-000001")}, 2),
        ({"recordings": (recording(verdict="altered"),)}, 4),
        ({"recordings": ()}, 4),
        ({"gaps": (gap(explained=False),)}, 4),
        ({"steps": STEPS[:-1]}, 7),
        ({"documents": ()}, 9),
        ({"documents": (document(served=Served.NOT_SERVED),)}, 9),
        ({"transfer": "涉案金额达到追诉标准"}, 10),
        ({"labels": (Label.CLOCK_UNSET,)}, 11),
    ],
)
def test_a_signed_fact_that_speaks_against_shows_at_its_element(changes: dict[str, object], element: int) -> None:
    against = [each.number for each in review_elements(case(**changes)) if each.prefill is Prefill.AGAINST]
    assert element in against
