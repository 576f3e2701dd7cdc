from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from agent.duty.entries import Entry
from agent.duty.roster import AnnualCheck, Roster, merge_rosters, parse_roster
from agent.duty.windows import Standing, Window, WindowState, parse_windows, present
from agent.errors import SenderFault
from tests.kiosk.bench import sample

TODAY = date(2026, 11, 22)
ENTRIES = sample("personnel-list").entries


def changed(**fields: Any) -> Roster:
    return parse_roster([{**ENTRIES[0], **fields}])


def licensed(roster: Roster, on: date = TODAY, category: str = "行政处罚", area: str | None = "星河区") -> bool:
    return roster.officers["示例-000001"].licensed(on, category, area)


def test_a_good_certificate_is_good_to_its_last_day() -> None:
    roster = changed(证件有效期至="2026-11-22")
    assert licensed(roster)
    assert not licensed(roster, on=date(2026, 11, 23))


def test_category_area_and_check_each_hinder() -> None:
    assert not licensed(changed(), category="行政许可")
    assert not licensed(changed(), area="月河区")
    assert licensed(changed(), area=None)
    assert not licensed(changed(年度审验=AnnualCheck.FAILED.value))
    assert not licensed(changed(年度审验=AnnualCheck.MISSING.value))


def test_a_check_holds_to_the_end_of_the_next_year_and_not_before_its_own() -> None:
    roster = changed(审验年度="2026")
    assert licensed(roster, on=date(2027, 12, 31))
    assert not licensed(roster, on=date(2028, 1, 1))
    assert not licensed(roster, on=date(2025, 12, 31))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("证件有效期至", "明年"),
        ("年度审验", "大概合格"),
        ("执法类别", []),
        ("姓名", ""),
        ("姓名", 7),
        ("审验年度", "二〇"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    with pytest.raises(SenderFault, match=f"第 1 条的“{field}”"):
        changed(**{field: value})


def test_one_certificate_twice_is_refused() -> None:
    with pytest.raises(SenderFault, match="第 2 条的证件编号"):
        parse_roster([ENTRIES[0], ENTRIES[0]])


def test_of_a_certificate_listed_twice_the_list_issued_later_counts_whatever_it_is_called() -> None:
    newer, older = changed(年度审验="未审验"), changed(年度审验="合格")
    day = datetime(2026, 11, 22, tzinfo=UTC)
    for dated in ([(day, newer), (day - timedelta(days=30), older)], [(day - timedelta(days=30), older), (day, newer)]):
        assert merge_rosters(dated).officers == newer.officers


def test_a_borrowed_certificate_number_is_nobodys() -> None:
    assert changed().find("示例-000001", "乙二") is None


def window(**fields: Any) -> Window:
    return parse_windows([{**sample("window-board").entries[1], **fields}])[0]


def test_a_licensed_person_is_shown_as_officer() -> None:
    shown = present(window(), parse_roster(ENTRIES), TODAY)
    assert (shown.standing, shown.state, shown.obstacle) == (Standing.OFFICER, WindowState.ON_DUTY, None)


@pytest.mark.parametrize(
    "hindrance", [{"证件有效期至": "2026-11-21"}, {"年度审验": "不合格"}, {"证件编号": "示例-000099"}]
)
def test_an_unlicensed_person_is_not_shown_and_the_window_is_suspended(hindrance: dict[str, str]) -> None:
    shown = present(window(), changed(**hindrance), TODAY)
    assert (shown.standing, shown.state) == (Standing.NOT_SHOWN, WindowState.SUSPENDED)


def test_an_unlicensed_stand_in_is_a_stand_in_and_no_officer() -> None:
    shown = present(window(状态="顶岗"), changed(年度审验="未审验"), TODAY)
    assert (shown.standing, shown.state) == (Standing.STAND_IN, WindowState.COVERED)


def test_a_window_in_another_area_or_category_is_suspended() -> None:
    assert present(window(执法区域="月河区"), changed(), TODAY).state is WindowState.SUSPENDED
    assert present(window(执法种类=["行政处罚", "行政强制"]), changed(), TODAY).state is WindowState.SUSPENDED


def test_without_a_roster_nobody_is_called_an_officer() -> None:
    assert present(window(), None, TODAY).standing is Standing.UNVERIFIED


def test_an_advice_desk_needs_no_certificate() -> None:
    desk = replace(window(), kinds=("无",), certificate="")
    assert present(desk, None, TODAY).standing is Standing.CLERK


@pytest.mark.parametrize("value", [None, "", "长" * 2001, [], 7], ids=["null", "empty", "long", "none", "number"])
def test_a_field_with_an_endless_name_makes_no_endless_message(value: object) -> None:
    name = "名" * 100_000
    with pytest.raises(SenderFault) as refused:
        Entry("公示文件", 1, {name: value}).texts(name)
    assert len(str(refused.value)) < 200
