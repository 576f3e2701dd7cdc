"""（一）1 制定具体办法: scope, content, carrier, procedure, limits, supervision as signed data; 审核、纠错和监督."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.duty.publication_rules import parse_publication_rules
from agent.errors import OperatorFault, SenderFault
from agent.wire.disclosures import DisclosureKind
from agent.wire.instant import BEIJING
from agent.wire.trust import Role
from kiosk.publishing.due import Task, due_of_pending, due_of_released, sorted_due
from kiosk.publishing.shelves import as_of
from tests.kiosk.office_bench import RULE, RULES, OfficeBench, draft_of

RESULT = {
    "决定书文号": "示例 1 号", "当事人": "示例公司", "违法行为类型": "示例", "处罚内容": "警告", "机关名称": "示例局",
    "作出日期": "2026-09-30",
}  # fmt: skip


def results(*entries: dict[str, Any]) -> dict[str, Any]:
    return draft_of(DisclosureKind.RESULTS, *entries, name="decisions")


@pytest.fixture
def office(tmp_path: Path) -> OfficeBench:
    bench = OfficeBench(tmp_path, datetime(2026, 10, 8, 2, tzinfo=UTC))
    bench.release(draft_of(DisclosureKind.PUBLICATION_RULES, *RULES))
    return bench


def test_clause_1_1_a_penalty_is_due_in_7_working_days_over_holidays_and_worked_weekends_others_in_20(
    office: OfficeBench,
) -> None:
    rules, now = office.office.rules(), office.now
    held = office.draft(results({**RESULT, "执法类别": "行政处罚"}, {**RESULT, "执法类别": "行政许可"}))
    (one,) = due_of_pending(held.document, rules)
    # 30 September; 1 and 2 October are holidays, Saturday the 10th is worked: 5 6 7 8 9 10 12
    assert (one.task, one.number, one.by) == (Task.PUBLISH, 1, datetime(2026, 10, 13, tzinfo=BEIJING))
    assert one.days_left(now) == 5
    assert not one.overdue(now)
    assert sorted_due([one], now, only_overdue=True) == []
    assert sorted_due([one], now + timedelta(days=5), only_overdue=True) == [one]
    permit = office.draft(results({**RESULT, "执法类别": "行政许可"}))
    (later,) = due_of_pending(permit.document, rules)
    assert later.by == datetime(2026, 10, 30, tzinfo=BEIJING)


def test_clause_1_1_what_was_drafted_in_its_term_and_lay_till_after_it_is_not_published(office: OfficeBench) -> None:
    held = office.draft(results({**RESULT, "执法类别": "行政处罚"}))
    office.sign(held.name)
    with pytest.raises(OperatorFault, match="第 1 条的公示期限已于 2026-12-31 届满"):
        office.office.release(held.name, datetime(2027, 1, 4, tzinfo=UTC))
    assert office.office.release(held.name, office.now).document.version == 1


def test_clause_1_1_a_withdrawal_has_a_term_where_rules_are_by_category_alone(office: OfficeBench) -> None:
    office.release(results({**RESULT, "执法类别": "行政处罚"}))
    short = {**RULES[1], "撤回时限": "1个工作日"}
    office.release(draft_of(DisclosureKind.PUBLICATION_RULES, short, {**RULES[0], "执法类别": "行政许可"}))
    tombstone = office.office.withdraw("results.decisions", "决定已被撤销", office.now).document
    (gone,) = due_of_pending(tombstone, office.office.rules())
    assert (gone.task, gone.by) == (Task.WITHDRAW, datetime(2026, 10, 10, tzinfo=BEIJING))


def test_clause_1_1_what_is_withdrawn_and_what_is_past_its_term_is_due_too(office: OfficeBench) -> None:
    office.release(results({**RESULT, "执法类别": "行政处罚"}))
    released = office.office.show("results.decisions")[0].document  # type: ignore[union-attr]
    (end,) = due_of_released(released, office.office.rules())
    assert (end.task, end.by) == (Task.TAKE_DOWN, datetime(2026, 12, 31, tzinfo=BEIJING))
    tombstone = office.office.withdraw("results.decisions", "决定已被撤销", office.now).document
    (gone,) = due_of_pending(tombstone, office.office.rules())
    assert (gone.task, gone.by) == (Task.WITHDRAW, datetime(2026, 10, 13, tzinfo=BEIJING))


def test_clause_1_1_an_entry_past_its_term_is_not_published_again(office: OfficeBench) -> None:
    office.now = datetime(2027, 1, 5, tzinfo=UTC)
    with pytest.raises(OperatorFault, match="第 1 条的公示期限已于 2026-12-31 届满"):
        office.draft(results({**RESULT, "执法类别": "行政处罚"}))


def test_clause_1_1_two_people_sign_the_editor_first_and_neither_alone_publishes(office: OfficeBench) -> None:
    name, desk = office.draft(results(RESULT)).name, office.office
    with pytest.raises(OperatorFault):
        desk.sign(name, office.bench.reviewer.signer, Role.REVIEWER, office.now)
    desk.sign(name, office.bench.editor.signer, Role.EDITOR, office.now)
    with pytest.raises(OperatorFault, match="两个签名"):
        desk.release(name, office.now)
    with pytest.raises(OperatorFault):
        desk.sign(name, office.bench.editor_too.signer, Role.REVIEWER, office.now)


def test_clause_1_1_what_was_published_on_a_day_stays_known_through_correction_and_withdrawal(
    office: OfficeBench,
) -> None:
    first = office.now
    office.release(results(RESULT))
    office.now = second = first + timedelta(days=3)
    office.release(results({**RESULT, "处罚内容": "罚款"}))
    office.now = third = second + timedelta(days=3)
    office.withdraw("results.decisions", "决定已被撤销")

    def shown(moment: datetime) -> list[int]:
        found = as_of(office.folder, moment + timedelta(hours=1))
        return [past.document.version for past in found if past.name == "results.decisions"]

    assert [shown(moment) for moment in (first - timedelta(days=1), first, second, third)] == [[], [1], [2], []]


@pytest.mark.parametrize(
    "change",
    [{"公示时限": "尽快"}, {"公示时限": "0个工作日"}, {"公示期限": "一阵子"}, {"公示种类": "其他"}, {"监督方式": ""},
     {"节假日": ["10月1日"]}],
)  # fmt: skip
def test_clause_1_1_rules_that_no_calendar_can_follow_are_refused_by_name(change: dict[str, Any]) -> None:
    entry = {**RULE, "公示种类": "行政执法结果", "公示时限": "20个工作日", "公示期限": "3年", **change}
    with pytest.raises(SenderFault, match=next(iter(change))):
        parse_publication_rules([entry])
