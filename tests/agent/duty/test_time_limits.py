"""Time limits as the district's signed list has them; what the law says is what they are held against."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.duty.case_facts import Label
from agent.duty.labels import LABEL_WORDS
from agent.duty.limits import begin
from agent.duty.policies import PolicyShelf
from agent.duty.shift import Shift, parse_shift
from agent.duty.statutory import beyond_law
from agent.duty.tables import TableRow, import_table
from agent.duty.terms import Term, Unit, parse_term
from agent.duty.time_limits import KNOWN, LimitKind, TimeLimits, joined, parse_time_limits
from agent.duty.working_days import WorkCalendar
from agent.errors import SenderFault
from agent.wire.disclosures import DisclosureKind
from agent.wire.instant import BEIJING, Instant, TimeState
from tests.support.documents import notice
from tests.support.policies import NOW, UNIT, entries_of, policy

LIMITS = DisclosureKind.TIME_LIMITS
FRIDAY = datetime(2026, 11, 20, 15, 0, tzinfo=BEIJING).astimezone(UTC)


def row(matter: str = "当场强制措施报告", term: str = "24小时", **more: Any) -> dict[str, Any]:
    return {"时限事项": matter, "时限": term, "依据": "示例规定", **more}


def limits(*rows: dict[str, Any]) -> TimeLimits:
    return joined(parse_time_limits(rows))


def at(wall: datetime, state: TimeState = TimeState.NTP, ns: int = 0) -> Instant:
    return Instant(wall, ns, "boot", state, None)


def test_the_seven_days_of_registered_preservation_are_working_days_as_the_law_has_them() -> None:
    """Bites when they are counted as days of the calendar (行政处罚法 article 85)."""
    limit = begin(LimitKind.PRESERVATION, "T-1", at(FRIDAY), TimeLimits())
    assert limit.due == datetime(2026, 12, 2, tzinfo=BEIJING)  # the end of Tuesday the first, nine weekdays on
    holiday = limits(row("先行登记保存处理", "7个工作日", 节假日=["2026-11-23"], 调休上班日=["2026-11-28"]))
    assert begin(LimitKind.PRESERVATION, "T-1", at(FRIDAY), holiday).due == limit.due  # one day off, one worked
    only_off = limits(row("先行登记保存处理", "7个工作日", 节假日=["2026-11-23"]))
    assert begin(LimitKind.PRESERVATION, "T-1", at(FRIDAY), only_off).due == datetime(2026, 12, 3, tzinfo=BEIJING)


@pytest.mark.parametrize(
    ("term", "due"),
    [
        ("24小时", datetime(2026, 11, 21, 15, 0, tzinfo=BEIJING)),
        ("3日", datetime(2026, 11, 24, tzinfo=BEIJING)),
        ("3个工作日", datetime(2026, 11, 26, tzinfo=BEIJING)),
    ],
)
def test_hours_run_at_once_and_days_from_the_day_after(term: str, due: datetime) -> None:
    assert parse_term(term, "时限").due(FRIDAY, WorkCalendar()) == due


def test_the_signed_list_decides_and_what_it_leaves_out_is_as_the_law_says() -> None:
    found = limits(row(term="12小时", 起算环节=["查封"]))
    assert begin(LimitKind.EMERGENCY_REPORT, "T-1", at(FRIDAY), found).due == FRIDAY + timedelta(hours=12)
    assert found.begun_by("查封经营场所") == (LimitKind.EMERGENCY_REPORT,)
    assert found.begun_by("当场强制措施告知") == ()
    assert found.of(LimitKind.HAND_IN) == KNOWN[LimitKind.HAND_IN]


@pytest.mark.parametrize(
    ("matter", "term", "told"),
    [
        ("当场强制措施报告", "24小时", ()),
        ("当场强制措施报告", "1日", ()),
        ("当场强制措施报告", "48小时", ("48小时，宽于行政强制法第十九条的 24小时",)),
        ("当场强制措施报告", "1个工作日", ("宽于行政强制法第十九条",)),
        ("先行登记保存处理", "7日", ()),
        ("先行登记保存处理", "8个工作日", ("宽于行政处罚法第五十六条、第八十五条的 7个工作日",)),
        ("交回记录设备", "72小时", ()),
    ],
)
def test_a_list_that_loosens_a_limit_of_the_law_is_told_and_still_decides(
    matter: str, term: str, told: tuple[str, ...]
) -> None:
    document = policy(LIMITS, entries=(row(matter, term),))
    policies = PolicyShelf(UNIT, [document]).in_force(NOW)
    assert len(beyond_law(document)) == len(told)
    for line, words in zip(beyond_law(document), told, strict=True):
        assert words in line
    assert (Label.LIMIT_LOOSENED in policies.labels) is bool(told)
    assert any(one.term.text == parse_term(term, "").text for one in policies.time_limits.rows.values())


def test_every_label_has_its_words() -> None:
    assert set(LABEL_WORDS) == set(Label)


def test_a_limit_keeps_the_length_it_began_with_over_a_restart_and_a_newer_list() -> None:
    limit = begin(LimitKind.PRESERVATION, "T-1", at(FRIDAY), limits(row("先行登记保存处理", "3日")))
    (again,) = parse_shift(Shift(limits=(limit,)).encode()).limits
    assert (again.term, again.due) == (Term(3, Unit.DAYS), limit.due)


def test_a_limit_that_an_older_version_kept_is_as_long_as_the_law_says() -> None:
    limit = begin(LimitKind.EMERGENCY_REPORT, "T-1", at(FRIDAY), TimeLimits())
    kept = Shift(limits=(limit,)).encode().replace(b'"due":"2026-11-21T07:00:00.000Z",', b"")
    older = kept.replace('"term":"24小时",'.encode(), b"")
    assert older != kept
    (again,) = parse_shift(older).limits
    assert again.term == KNOWN[LimitKind.EMERGENCY_REPORT].term
    assert again.left(at(FRIDAY + timedelta(hours=1))) == timedelta(hours=23)


def test_working_days_without_a_clock_are_not_guessed_and_are_known_once_it_is_set() -> None:
    limit = begin(LimitKind.PRESERVATION, "T-1", at(FRIDAY, TimeState.UNSET), TimeLimits())
    later = timedelta(days=5)
    ns = int(later.total_seconds() * 1e9)
    assert limit.left(at(FRIDAY + later, TimeState.UNSET, ns)) is None
    known = limit.left(at(FRIDAY + later, ns=ns))
    assert known == datetime(2026, 12, 2, tzinfo=BEIJING) - (FRIDAY + later)
    assert limit.left(replace(at(FRIDAY + later), boot="another")) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"时限": "尽快"}, "第 1 条的“时限”是“尽快”，应形如 24小时、7日 或 7个工作日"),
        ({"时限": "0日"}, "应形如 24小时"),
        ({"时限": "-3日"}, "应形如 24小时"),
        ({"时限事项": "其他"}, "应为当场强制措施报告、先行登记保存处理、交回记录设备之一"),
        ({"节假日": ["元旦"]}, "应逐日写成 2027-01-01"),
        ({"依据": ""}, "依据"),
    ],
)
def test_a_row_that_sets_no_limit_is_refused_by_its_field(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SenderFault) as fault:
        parse_time_limits([{**row(), **change}])
    assert said in str(fault.value)


def test_one_matter_twice_is_refused_and_of_two_documents_the_shorter_holds() -> None:
    with pytest.raises(SenderFault, match="重复"):
        parse_time_limits([row(), row()])
    both = [
        policy(LIMITS, disclosure_id=name, entries=(row(term=term),))
        for name, term in (("a", "20小时"), ("b", "2小时"))
    ]
    found = PolicyShelf(UNIT, both).in_force(NOW).time_limits
    assert found.of(LimitKind.EMERGENCY_REPORT).term.count == 2


def test_the_list_comes_as_a_table_with_its_faults_by_line_and_column() -> None:
    head = ("时限事项", "期限", "法律依据")
    found = import_table(LIMITS, [TableRow(1, head), TableRow(2, ("当场强制报告", "一天内", "行政强制法"))])
    assert [line.partition("”是")[0] for line in found.problems] == ["第 2 行的“时限事项", "第 2 行的“时限"]
    assert "是否应为“当场强制措施报告”？" in found.problems[0]


def test_the_sample_is_as_the_law_has_it() -> None:
    assert joined(parse_time_limits(entries_of(LIMITS))).loosened == ()


def test_publication_that_comes_later_than_the_law_allows_is_told_to_whoever_drafts_it() -> None:
    rule = {
        "公示种类": "行政执法结果", "范围": "全部", "内容": "摘要", "载体": "网站", "程序": "审核",
        "公示时限": "30个工作日", "撤回时限": "5个工作日", "公示期限": "3年", "监督方式": "电话", "保障措施": "经费",
    }  # fmt: skip
    entries = (rule, {**rule, "执法类别": "行政处罚", "公示时限": "7个工作日", "撤回时限": "3个工作日"})
    told = "".join(beyond_law(notice(1, kind=DisclosureKind.PUBLICATION_RULES, entries=entries)))
    assert "行政执法结果的公示时限为 30 个工作日" in told
    assert "行政执法结果的撤回时限为 5 个工作日" in told
    assert "（行政许可）的公示时限为 30 个工作日，长于国办发" in told
    assert "（行政处罚）" not in told


@given(st.integers(1, 250), st.sampled_from(Unit), st.integers(1, 250), st.sampled_from(Unit))
def test_a_term_that_is_not_looser_never_ends_later_where_no_calendar_is_needed(
    count: int, unit: Unit, other: int, against: Unit
) -> None:
    first, second = Term(count, unit), Term(other, against)
    assert parse_term(first.text, "时限") == first
    if unit is against and not first.looser_than(second):
        assert first.due(FRIDAY, WorkCalendar()) <= second.due(FRIDAY, WorkCalendar())
