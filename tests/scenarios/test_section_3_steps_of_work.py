"""Sections 三 工作步骤 and 四 工作台账: who is ready, which milestone was missed, and what nobody has entered."""

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.duty.ledger import LedgerEntry, monthly_sheet, parse_ledger
from agent.duty.readiness import Department, Milestone, Progress, Released, met, parse_profile, standings
from agent.duty.record_counts import UsedCase
from agent.duty.roster import AnnualCheck, Officer
from agent.errors import SenderFault
from agent.wire.disclosures import DisclosureKind
from provisioning.center.cli import app
from provisioning.center.ledger_cli import SAMPLES
from tests.agent.duty.facts import UNIT, case, recording
from tests.provisioning.review_office import ReviewOffice

BEGAN = datetime(2017, 11, 12, 2, tzinfo=UTC)
OFFICER = Officer(
    "示例", UNIT, "科员", "示例-000001", ("行政检查",), ("星河区",), date(2018, 12, 31), AnnualCheck.PASSED, 2017
)


def _profile() -> tuple[Milestone, ...]:
    return parse_profile(json.loads((SAMPLES / "milestones-2017.json").read_text("utf-8")))


def _department(**changes: Any) -> Department:
    lists = {kind: Released("样本", 1, date(2017, 11, 9)) for kind in DisclosureKind}
    film = recording(begins=BEGAN, ends=BEGAN)
    entries = parse_ledger(json.loads((SAMPLES / "ledger.json").read_text("utf-8")))
    whole = Department(
        UNIT, lists, {"REC-0001": date(2017, 11, 11)}, [OFFICER, replace(OFFICER, certificate="示例-000002")],
        date(2017, 11, 9), [UsedCase(case(began=BEGAN, recordings=(film,)))],
        [*entries, LedgerEntry(UNIT, "制度备案", date(2017, 11, 10), "示例")],
    )  # fmt: skip
    return replace(whole, **changes)


def _progress(department: Department, on: date) -> list[Progress]:
    return [standing.progress for standing in standings(_profile(), department, on)]


def test_the_sample_has_the_dates_of_the_plan() -> None:
    assert [f"{step.due:%m-%d}" for step in _profile()] == [
        "10-31", "10-31", "11-10", "11-11", "11-20", "11-25", "11-30",
    ]  # fmt: skip
    assert {step.due.year for step in _profile()} == {2017}


def test_a_milestone_is_on_time_late_missed_or_ahead() -> None:
    done, late, overdue, ahead = Progress.DONE, Progress.DONE_LATE, Progress.OVERDUE, Progress.AHEAD
    assert _progress(_department(), date(2017, 11, 21)) == [done, overdue, done, late, done, ahead, ahead]
    assert _progress(Department(UNIT), date(2017, 10, 1)) == [ahead] * 7


def test_what_came_later_does_not_count_for_a_day_before() -> None:
    assert met("首次记录", _department(), date(2017, 11, 11)) is None
    assert met("首次记录", _department(), date(2017, 11, 12)) == date(2017, 11, 12)


@pytest.mark.parametrize("verdict", ["altered", "missing", "untrusted", "unexplained-gap"])
def test_a_first_recording_that_does_not_hold_is_none(verdict: str) -> None:
    film = recording(begins=BEGAN, ends=BEGAN, verdict=verdict)
    assert met("首次记录", _department(cases=[UsedCase(case(recordings=(film,)))]), date(2017, 12, 1)) is None


@pytest.mark.parametrize("change", [{"valid_until": date(2017, 11, 1)}, {"check": AnnualCheck.MISSING}])
def test_one_licensed_officer_is_not_enough(change: Mapping[str, Any]) -> None:
    second = replace(OFFICER, certificate="示例-000002", **change)
    assert met("人员", _department(), date(2017, 11, 20)) is not None
    assert met("人员", _department(officers=[OFFICER, second]), date(2017, 11, 20)) is None


def test_the_monthly_sheet_counts_by_the_month_of_the_task() -> None:
    cases = [UsedCase(case(began=BEGAN)), UsedCase(case(began=BEGAN.replace(month=12), recordings=()))]
    rows = monthly_sheet(cases)
    assert [(row["月份"], row["任务数"], row["完整任务数"]) for row in rows] == [("2017-11", 1, 1), ("2017-12", 1, 0)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"类别": "团建"}, "类别"),
        ({"日期": "2017-13-01"}, "日期"),
        ({"人数": "0"}, "人数"),
        ({"对象": "群众"}, "对象"),
        ({"整改完成": "2016-01-01"}, "整改完成"),
    ],
)
def test_an_entry_that_cannot_be_is_refused_by_number_and_field(change: Mapping[str, str], told: str) -> None:
    entry = {"单位": UNIT, "类别": "培训", "日期": "2017-10-28", "内容": "示例", "对象": "执法人员", "人数": "12"}
    parse_ledger([entry])
    with pytest.raises(SenderFault, match=f"第 2 条的“{told}”"):
        parse_ledger([entry, {**entry, **change}])


@pytest.mark.parametrize("condition", ["公布:nothing", "登记:无", "设备:1", "天气"])
def test_a_profile_with_an_unknown_condition_is_refused(condition: str) -> None:
    with pytest.raises(SenderFault, match="条件"):
        parse_profile([{"阶段": "一", "期限": "2017-10-31", "事项": "二", "条件": [condition]}])


def test_the_command_writes_the_ledger_of_a_real_centre(tmp_path: Path) -> None:
    office, runner = ReviewOffice(tmp_path), CliRunner()
    out, samples = tmp_path / "台账", tmp_path / "样本"
    runner.invoke(app, ["ledger", "sample", "--out", str(samples)], catch_exceptions=False)
    where = ["--config", str(office.center / "center.toml"), "--recordings", str(office.recordings)]
    more = ["--milestones", str(samples / "milestones-2017.json"), "--entries", str(samples / "ledger.json")]
    done = runner.invoke(app, ["ledger", "write", *where, *more, "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    ready = json.loads((out / "就绪情况.json").read_text("utf-8"))
    columns = ("单位", "有任务的设备", "任务数", "已公布")
    assert [tuple(row[name] for name in columns) for row in ready] == [(UNIT, "REC-0001", 1, 1)]
    steps = list(csv.DictReader((out / "工作步骤.csv").read_text("utf-8-sig").splitlines()))
    done_at = [number for number, row in enumerate(steps) if row["进度"] == "按期完成"]  # 实施方案, 监督检查
    assert (len(steps), done_at) == (7, [0, 4])
    wanting = "".join(row["尚缺"] for row in steps)
    assert "行政执法程序流程图" in wanting
    assert "flow-chart" not in wanting  # a person reads this column
    lists = json.loads((out / "制度与清单.json").read_text("utf-8"))
    assert [row["文件"] for row in lists] == ["法制审核办法"]
    page = (out / "ledger.html").read_text("utf-8")
    assert "手工登记" in page
    assert not any(word in page for word in ("<script", "http://", "https://", "src="))
