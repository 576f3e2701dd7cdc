"""The fault matrix names tests that exist, hides no failure and no test that did not run, and is the one shown."""

import ast
from pathlib import Path

import pytest

from tests.faults.matrix import EVERY, TABLE, TESTS, Row, results, rows, table

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
