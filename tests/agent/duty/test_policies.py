"""Which policies rule at a moment, and what they ask of a task."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.duty.case_facts import Label
from agent.duty.disclosure_rules import check_content
from agent.duty.factors import parse_amount
from agent.duty.major_catalogue import MajorAnswer, MajorCatalogue, MajorMatter, parse_major_catalogue
from agent.duty.policies import MAX_FROZEN, POLICIES, POLICY_LABELS, PolicyShelf
from agent.duty.reason_codes import ReasonUse, parse_reason_codes
from agent.duty.recording_rules import parse_recording_rules
from agent.duty.requirements import PolicyEngine
from agent.duty.retention import CASE_FILE, PERMANENT
from agent.errors import SenderFault
from agent.wire.disclosures import DisclosureKind
from tests.support.policies import NOW, UNIT, entries_of, policy, sample_policies

LIST, RULES = DisclosureKind.RECORDING_LIST, DisclosureKind.RECORDING_RULES
CATALOGUE, REASONS = DisclosureKind.MAJOR_CATALOGUE, DisclosureKind.REASON_CODES
STALL = "对擅自占道经营的处罚"
ROW = entries_of(LIST)[0]


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {**ROW, "序号": str(number), **changes}


def engine(*rows: dict[str, Any]) -> PolicyEngine:
    documents = [policy(LIST, entries=rows), policy(RULES), policy(CATALOGUE)]
    return PolicyEngine(PolicyShelf(UNIT, documents).in_force(NOW))


def catalogue(*rows: dict[str, str]) -> MajorCatalogue:
    full = {"序号": "1", "决定事项": "示例", "执法类别": "不限", "执法层级": "不限", "所属领域": "不限"}
    full |= {"涉案金额": "不限", "社会影响": "不限"}
    return MajorCatalogue(parse_major_catalogue([{**full, "序号": str(n), **r} for n, r in enumerate(rows)]))


def test_the_sample_policies_are_what_a_recorder_needs() -> None:
    policies = sample_policies()
    assert policies.labels == ()
    assert policies.versions == {f"{kind}.main": 1 for kind in (LIST, RULES, CATALOGUE, REASONS)}
    assert [one.code for one in policies.reasons(ReasonUse.STEP_MISSING)][:2] == ["party-absent", "party-refused"]


def test_without_a_list_a_recording_is_labelled_and_never_refused() -> None:
    policies = PolicyShelf(UNIT).in_force(NOW)
    assert policies.labels == (Label.POLICY_MISSING,)
    assert policies.context == {POLICIES: "", POLICY_LABELS: "policy-missing"}
    asked = PolicyEngine(policies).requirement("行政处罚", STALL)
    assert (asked.steps, asked.listed, asked.retention) == ((), False, PERMANENT)


def test_another_departments_list_does_not_rule_here() -> None:
    shelf = PolicyShelf(UNIT, [policy(LIST, publisher="星河区市场监督管理局"), policy(RULES)])
    assert shelf.in_force(NOW).versions == {"recording-rules.main": 1}


def test_a_policy_past_its_end_is_used_on_and_labelled() -> None:
    ended = policy(RULES, effective_until=NOW - timedelta(days=1))
    policies = PolicyShelf(UNIT, [policy(LIST), ended]).in_force(NOW)
    assert policies.labels == (Label.POLICY_OUTDATED,)
    assert policies.outdated == ("recording-rules.main",)
    assert policies.rules


def test_a_policy_rules_from_its_day_on_and_not_after_its_withdrawal() -> None:
    later = policy(LIST, effective_from=NOW + timedelta(days=1))
    shelf = PolicyShelf(UNIT, [later])
    assert not shelf.in_force(NOW).items
    assert shelf.in_force(NOW + timedelta(days=2)).items
    shelf.put(policy(LIST, 2, withdrawn="示例撤回"))
    assert not shelf.in_force(NOW + timedelta(days=2)).items


def test_a_clock_that_was_never_set_finds_the_policies_all_the_same() -> None:
    assert PolicyShelf(UNIT, [policy(LIST)]).in_force(NOW - timedelta(days=20_000)).items


def test_very_many_documents_still_find_room_in_a_recording() -> None:
    many = [policy(RULES, disclosure_id=f"part-{number}") for number in range(60)]
    frozen = PolicyShelf(UNIT, many).in_force(NOW).frozen
    assert len(frozen) < MAX_FROZEN
    assert frozen.startswith("sha256=")
    other = PolicyShelf(UNIT, [*many[1:], policy(RULES, 2, disclosure_id="part-0")]).in_force(NOW).frozen
    assert other != frozen


def test_a_changed_rule_changes_what_a_recording_signs() -> None:
    other = policy(RULES, entries=entries_of(RULES)[:3])
    assert PolicyShelf(UNIT, [policy(RULES)]).in_force(NOW).frozen != PolicyShelf(UNIT, [other]).in_force(NOW).frozen


@pytest.mark.parametrize("kind", [RULES, REASONS])
def test_internal_rules_are_not_sent_where_kiosks_read(kind: DisclosureKind) -> None:
    with pytest.raises(SenderFault, match="只发给执法终端"):
        check_content(policy(kind, audience="all"))
    assert check_content(policy(LIST, audience="all"))


def test_rows_of_one_matter_are_joined_and_the_longest_retention_counts() -> None:
    stages = [row(1, 记录内容=["甲", "乙"], 存储期限="6个月"), row(2, 记录环节="送达", 记录内容=["乙", "丙"])]
    asked = engine(*stages).requirement(ROW["执法类别"], ROW["执法事项"])
    assert asked.steps == ("甲", "乙", "丙")
    assert asked.retention.text == "同案卷保留期限，不少于6个月"
    only = engine(*stages).requirement(ROW["执法类别"], ROW["执法事项"], ("送达",))
    assert only.steps == ("乙", "丙")


def test_a_row_for_the_whole_category_holds_for_every_matter_of_it() -> None:
    asked = engine(row(1, 执法事项="全部", 记录内容=["甲"])).requirement(ROW["执法类别"], "清单之外的事项")
    assert (asked.steps, asked.listed) == (("甲",), True)


def test_where_the_list_is_silent_the_rules_of_the_stage_speak() -> None:
    asked = engine(row(1)).requirement("行政征收", "清单之外的事项", ("送达",))
    assert asked.listed is False
    assert asked.steps == ("说明送达文书名称和文号", "签收或拒收情形")
    assert asked.retention == CASE_FILE


def test_a_list_that_leaves_retention_to_the_rules_gets_that_of_the_stage() -> None:
    kept = [engine(row(1, 存储期限="按记录办法", 记录环节=stage)).requirement(ROW["执法类别"], ROW["执法事项"])
            for stage in ("听证", "无此环节")]  # fmt: skip
    assert [one.retention for one in kept] == [PERMANENT, CASE_FILE]


def test_a_major_decision_is_recorded_from_beginning_to_end() -> None:
    rules = engine(row(1, 执法类别="行政强制", 全过程记录="否"))
    assert not rules.requirement("行政强制", ROW["执法事项"]).whole
    decision = rules.decide(ROW["执法事项"], MajorMatter("行政强制"))
    assert decision.major.factors == ("决定事项：查封、扣押经营场所或者财物", "执法类别：行政强制")
    assert decision.requirement.whole


@pytest.mark.parametrize(
    ("amount", "answer"),
    [
        (49_999, MajorAnswer()),
        (50_000, MajorAnswer(("决定事项：示例", "执法类别：行政处罚", "涉案金额：50000 元以上"))),
        (None, MajorAnswer((), ("涉案金额",))),
    ],
)
def test_an_amount_at_the_border_and_one_that_nobody_knows_yet(amount: int | None, answer: MajorAnswer) -> None:
    rules = catalogue({"执法类别": "行政处罚", "涉案金额": "5万元以上"})
    assert rules.answer(MajorMatter("行政处罚", amount=amount)) == answer
    assert rules.answer(MajorMatter("行政许可", amount=amount)) == MajorAnswer()


@pytest.mark.parametrize("factor", ["执法类别", "执法层级", "所属领域", "社会影响"])
def test_each_factor_of_the_catalogue_decides(factor: str) -> None:
    field = {"执法类别": "category", "执法层级": "level", "所属领域": "domain", "社会影响": "impact"}[factor]
    rules = catalogue({factor: "甲、乙"})
    known = {"category": "甲", "level": "甲", "domain": "甲", "impact": "甲"}
    assert rules.answer(MajorMatter(**known)).factors == ("决定事项：示例", f"{factor}：甲、乙")  # type: ignore[arg-type]
    assert rules.answer(MajorMatter(**{**known, field: "丙"})) == MajorAnswer()  # type: ignore[arg-type]
    if field != "category":
        assert rules.answer(MajorMatter(**{**known, field: ""})).open == (factor,)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "yuan"),
    [
        ("不限", None),
        ("1.5万元以上", 15_000),
        ("2,000元及以上", 2000),
        ("五万元以上", 50_000),
        ("十二万元（含）以上", 120_000),
        ("人民币1.5亿元以上", 150_000_000),
    ],
)
def test_amounts_are_read_as_published(text: str, yuan: int | None) -> None:
    assert parse_amount(text, "涉案金额") == yuan


@pytest.mark.parametrize("text", ["较大", "5000", "5000元以下", "1.5元以上", "-5元以上"])
def test_an_amount_that_sets_no_border_is_refused(text: str) -> None:
    with pytest.raises(SenderFault, match="应为不限"):
        parse_amount(text, "涉案金额")


@pytest.mark.parametrize(
    ("row", "known", "major"),
    [
        ({"执法层级": "区级以上"}, {"level": "市级"}, True),
        ({"执法层级": "区级以上"}, {"level": "县级"}, True),
        ({"执法层级": "区级以上"}, {"level": "镇级"}, False),
        ({"执法层级": "区级"}, {"level": "市级"}, False),
        ({"社会影响": "较大以上"}, {"impact": "特别重大"}, True),
        ({"社会影响": "较大以上"}, {"impact": "一般"}, False),
    ],
)
def test_levels_and_impacts_are_held_against_their_order(
    row: dict[str, str], known: dict[str, str], major: bool
) -> None:
    answer = catalogue(row).answer(MajorMatter("行政处罚", **known))  # type: ignore[arg-type]
    assert (bool(answer.factors), answer.open) == (major, ())


def test_a_word_of_a_task_that_stands_on_no_scale_is_open_and_never_a_no() -> None:
    found = catalogue({"执法层级": "区级以上"}).answer(MajorMatter("行政处罚", level="分局"))
    assert (found.factors, found.open) == ((), ("执法层级",))


def test_the_same_number_code_or_stage_twice_is_refused() -> None:
    for parse, kind in [
        (parse_major_catalogue, CATALOGUE),
        (parse_reason_codes, REASONS),
        (parse_recording_rules, RULES),
    ]:
        entries = entries_of(kind)
        with pytest.raises(SenderFault, match="重复"):
            parse([entries[0], entries[0]])  # type: ignore[operator]


@given(st.lists(st.sampled_from(entries_of(LIST)), min_size=1, max_size=5, unique_by=lambda entry: entry["序号"]))
def test_no_step_of_a_listed_row_is_ever_dropped(rows: list[dict[str, Any]]) -> None:
    rules = engine(*rows)
    for one in rows:
        asked = rules.requirement(one["执法类别"], one["执法事项"])
        assert set(one["记录内容"]) <= set(asked.steps)
        assert len(set(asked.steps)) == len(asked.steps)
