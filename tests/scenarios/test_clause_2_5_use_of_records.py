"""（二）5 强化记录结果运用: six exports from the same facts, each with what it needs and no more."""

import csv
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.duty.case_facts import Label, OfficerFact
from agent.duty.record_counts import UsedCase, count, whole
from agent.duty.record_use import Row, Use, tables
from agent.duty.review import Turn
from agent.duty.review_rules import Stage
from provisioning.center.cli import app
from provisioning.center.use_room import write_table
from tests.agent.duty.facts import BEGAN, OFFICERS, STEPS, UNIT, case, gap, recording
from tests.provisioning.review_office import TASK, ReviewOffice

NOW = BEGAN + timedelta(days=30)
EXPIRED = OfficerFact(OFFICERS[1], UNIT, 7, (Label.CERTIFICATE_EXPIRED,))


def _cases() -> list[UsedCase]:
    accepted = Turn(Stage.ACCEPTED, BEGAN, BEGAN + timedelta(days=5), BEGAN + timedelta(days=8), "示例-000011")
    waiting = Turn(Stage.SUBMITTED, BEGAN, BEGAN + timedelta(days=3), None, "")
    amiss = case(
        STEPS[:-1], task="T-2", unit="示例镇", party="P-0002", gaps=(gap(), gap(reason="", explained=False)),
        recordings=(recording(verdict="unexplained-gap"),), officers=(EXPIRED,),
        began=BEGAN + timedelta(days=10),
    )  # fmt: skip
    bare = case((), task="T-3", recordings=(), officers=())
    return [
        UsedCase(case(), Stage.DECIDED, (accepted,), "星综执罚〔2026〕1号", BEGAN + timedelta(days=8)),
        UsedCase(amiss, Stage.SUBMITTED, (waiting,)),
        UsedCase(bare),
    ]


def _rows(use: Use) -> list[Row]:
    return list(next(table.rows for table in tables(_cases(), NOW) if table.use is use))


def test_clause_2_5_counts_by_step_unit_and_month_have_their_numbers_beside_them() -> None:
    counts = count(_cases(), NOW)
    assert (counts.recordings.good, counts.recordings.asked) == (1, 3)
    assert {rate.name: (rate.good, rate.asked) for rate in counts.by_unit} == {UNIT: (1, 2), "示例镇": (0, 1)}
    assert next((rate.name, rate.good, rate.asked) for rate in counts.by_step) == (STEPS[0], 1, 3)
    assert [(it.reason, it.explained, it.unexplained) for it in counts.gaps] == [("", 0, 1), ("paused", 1, 0)]
    assert [(it.certificate, it.label, it.tasks) for it in counts.certificates] == [
        (OFFICERS[1], Label.CERTIFICATE_EXPIRED, ("T-2",))
    ]
    times = {it.stage: (it.ended, it.open, it.late, it.median) for it in counts.reviews}
    assert times == {Stage.SUBMITTED: (0, 1, 1, None), Stage.ACCEPTED: (1, 0, 1, timedelta(days=8))}


def test_clause_2_5_a_step_marked_twice_and_why_it_broke_off_stand_in_oversight() -> None:
    facts = case(gaps=(replace(gap(explained=False), words="人为暂停（检查场所变化）"),))
    facts = replace(facts, steps=(replace(facts.steps[0], repeated=2), *facts.steps[1:]))
    rows = next(table.rows for table in tables([UsedCase(facts)], NOW) if table.use is Use.OVERSIGHT)
    told = {(row["问题"], row["说明"]) for row in rows}
    assert told == {(f"重复标记 {STEPS[0]}", "另标记 2 次"), ("人为暂停（检查场所变化）", "没有说明")}


def test_clause_2_5_a_month_is_one_of_beijing() -> None:
    late = recording(begins=BEGAN.replace(day=30, hour=17))
    assert [rate.name for rate in count([UsedCase(case(recordings=(late,)))], NOW).by_month] == ["2026-12"]


@pytest.mark.parametrize("verdict", ["unexplained-gap", "missing", "altered", "untrusted"])
def test_clause_2_5_a_step_marked_in_a_recording_that_does_not_hold_is_not_counted(verdict: str) -> None:
    facts = case(recordings=(recording(verdict=verdict),))
    assert not whole(facts)
    assert {rate.good for rate in count([UsedCase(facts)], NOW).by_step} == {0}


def test_clause_2_5_six_exports_in_the_words_of_the_plan() -> None:
    assert [table.use.value for table in tables(_cases(), NOW)] == [
        "案卷评查", "执法监督", "评议考核", "舆情应对", "行政决策", "信用体系",
    ]  # fmt: skip
    files = {row["任务"]: row for row in _rows(Use.FILES)}
    assert [files[task]["录像环节是否完整"] for task in ("T-2026-0001", "T-2", "T-3")] == ["是", "否", "否"]
    unproved = [f"{step}（所在录像未通过检验）" for step in STEPS[:-1]]  # as little as in 评议考核
    assert (files["T-2"]["已记环节"], files["T-2"]["缺少环节"]) == (0, "、".join([*unproved, STEPS[-1]]))
    rows = _rows(Use.OVERSIGHT)
    problems = {(row["任务"], row["问题"]) for row in rows}
    late = {(row["任务"], row["问题"], row["说明"]) for row in rows if row["类别"] == "审核"}
    assert late == {("T-2026-0001", "审核中逾期", "由 示例-000011 办结"), ("T-2", "待受理逾期", "至今未办结")}
    assert {("T-3", "没有录像"), ("T-2", "执法证件已过有效期"), ("T-2", "原因不明")} <= problems
    assert ("T-2026-0001", "审核中逾期") in problems
    graded = {row["证件编号"]: (row["任务数"], row["完整任务数"]) for row in _rows(Use.ASSESSMENT)}
    assert graded == {OFFICERS[0]: (1, 1), OFFICERS[1]: (2, 1)}


def test_clause_2_5_only_what_is_decided_reaches_the_credit_system() -> None:
    assert [(row["当事人代号"], row["决定书文号"]) for row in _rows(Use.CREDIT)] == [("P-0001", "星综执罚〔2026〕1号")]


@pytest.mark.parametrize("use", [Use.OPINION, Use.DECISIONS])
def test_clause_2_5_nobody_stands_in_what_goes_to_the_public_or_to_planners(use: Use) -> None:
    told = json.dumps(_rows(use), ensure_ascii=False)
    assert not any(name in told for name in ("P-0001", "P-0002", *OFFICERS))


def test_clause_2_5_a_cell_that_a_table_program_would_run_is_a_text(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"执法事项": '=HYPERLINK("x")', "任务数": -1}]
    path = write_table(tmp_path / "表", ("执法事项", "任务数"), rows)
    assert list(csv.reader(path.read_text("utf-8-sig").splitlines()))[1] == ['\'=HYPERLINK("x")', "-1"]
    assert json.loads((tmp_path / "表.json").read_text("utf-8")) == rows


def test_clause_2_5_the_command_writes_tables_and_one_page_that_needs_nothing_else(tmp_path: Path) -> None:
    office = ReviewOffice(tmp_path, papers={"<script>1</script>": b"x"})
    out = tmp_path / "报告"
    where = ["--config", str(office.center / "center.toml"), "--recordings", str(office.recordings)]
    done = CliRunner().invoke(app, ["report", *where, "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "1 项任务，录像完整 1/1" in done.output
    assert {path.stem for path in out.glob("*.csv")} == {use.value for use in Use}
    assert [row["任务"] for row in json.loads((out / "案卷评查.json").read_text("utf-8"))] == [TASK]
    page = (out / "report.html").read_text("utf-8")
    assert page.count("<svg") == 4  # nothing has been submitted: no times to draw
    assert "丢帧" in page
    assert not any(word in page for word in ("<script", "http://", "https://", "src="))
