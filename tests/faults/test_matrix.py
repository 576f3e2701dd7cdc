"""The fault matrix names tests that exist, hides no failure and no test that did not run, and is the one shown."""

import ast
from pathlib import Path

import pytest

from tests.faults import matrix
from tests.faults.matrix import EVERY, TABLE, TESTS, Row, cases, days, main, names, results, rows, table

PASSED = '<testcase classname="tests.agent.test_retire" name="test_it[a]"/>'


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)} | {EVERY}


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row.number))
def test_every_test_that_a_row_names_exists(row: Row) -> None:
    assert row.tests or row.lacks, "a row without a test says why"
    for test in row.tests:
        file, _, function = test.partition("::")
        assert function in functions(TESTS / file), test


def test_every_fault_of_the_plan_has_its_row() -> None:
    assert [row.number for row in rows()] == [*range(1, 28)]


def test_the_table_that_is_shown_has_the_rows_there_are_and_no_failure() -> None:
    shown = TABLE.read_text(encoding="utf-8")
    for row in rows():
        assert f"| {row.number} | {row.fault} | {row.component} | {row.required} |" in shown, "make fault-matrix"
    assert "FAILED" not in shown


def test_a_failed_test_and_one_that_did_not_run_are_named(tmp_path: Path) -> None:
    row = next(row for row in rows() if row.number == 2)
    file, _, function = row.tests[0].partition("::")
    place = f"tests.{file.removesuffix('.py').replace('/', '.')}"
    failed = f'<testcase classname="{place}" name="{function}[outbox]"><failure/></testcase>'
    (tmp_path / "a.xml").write_text(f"<testsuites><testsuite>{PASSED}{failed}</testsuite></testsuites>")
    lines = table(results([tmp_path / "a.xml"]), "2026-11-23").splitlines()
    of = {number: next(line for line in lines if line.startswith(f"| {number} |")) for number in (2, 12, 18)}
    assert f"**FAILED: `{function}`**" in of[2]
    assert "held" not in of[2]
    assert "**not run in these results:" in of[12]
    assert "**not run**" in of[18]


def test_what_the_tests_counted_is_summed_up(tmp_path: Path) -> None:
    row = next(row for row in rows() if row.number == 2)
    file, _, function = row.tests[0].partition("::")
    place = f"tests.{file.removesuffix('.py').replace('/', '.')}"
    cases = "".join(
        f'<testcase classname="{place}" name="{function}[{name}]"><properties>'
        f'<property name="measured" value="0 of {count} disks break a promise"/></properties></testcase>'
        for name, count in (("outbox", 40), ("seal", 60))
    )
    (tmp_path / "a.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    assert "| 2 held; 0 of 100 disks break a promise |" in table(results([tmp_path / "a.xml"]), "2026-11-23")


def test_a_scenario_that_did_not_run_is_not_hidden_by_the_others(tmp_path: Path) -> None:
    row = next(row for row in rows() if row.number == 2)
    (test,) = row.tests
    place, function = f"tests.{test.partition('.py')[0].replace('/', '.')}", test.rpartition("::")[2]
    ran = f'<testcase classname="{place}" name="{function}[outbox]"/>'
    (tmp_path / "a.xml").write_text(f"<testsuites><testsuite>{ran}</testsuite></testsuites>")
    line = next(
        it for it in table(results([tmp_path / "a.xml"]), "", {test: 28}).splitlines() if it.startswith("| 2 |")
    )
    assert f"| 1 held; **not run in these results: `{function}` (27 of 28)** |" in line


def test_every_test_of_the_table_is_collected_with_its_parameters() -> None:
    found = cases()
    assert found["faults/test_crash_explorer.py::test_thousands_of_power_cuts_break_no_promise"] >= 14
    assert {f"tests/{test.partition('::')[0]}" for test in found} == {name.partition("::")[0] for name in names()}


@pytest.mark.parametrize("content", [None, "", "<testsuites><testsuite>", "<testsuites><testsuite/></testsuites>"])
def test_results_that_are_missing_torn_or_empty_leave_the_table_as_it_is(
    tmp_path: Path, content: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page, found = tmp_path / "MATRIX.md", tmp_path / "a.xml"
    page.write_text("measured")
    monkeypatch.setattr(matrix, "TABLE", page)
    if content is not None:
        found.write_text(content)
    assert (main([str(found)]), main([])) == (2, 2)
    assert (page.read_text(), capsys.readouterr().err.count("stays as it is")) == ("measured", 2)


def test_a_failed_test_makes_the_command_fail_and_the_day_is_that_of_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "TABLE", tmp_path / "MATRIX.md")
    failed = '<testcase classname="tests.agent.test_retire" name="test_it[a]"><failure/></testcase>'
    for name, day, case in (("a", "2026-11-20", PASSED), ("b", "2026-11-22", failed)):
        suite = f'<testsuite timestamp="{day}T09:00:00+00:00">{case}</testsuite>'
        (tmp_path / f"{name}.xml").write_text(f"<testsuites>{suite}</testsuites>")
    both = [tmp_path / "a.xml", tmp_path / "b.xml"]
    assert (days(both), days(both[:1])) == ("2026-11-20 to 2026-11-22", "2026-11-20")
    monkeypatch.setattr(matrix, "cases", dict)
    assert (main([str(both[0])]), main([str(both[1])])) == (0, 1)
    assert "Results of 2026-11-22; " in (tmp_path / "MATRIX.md").read_text()
