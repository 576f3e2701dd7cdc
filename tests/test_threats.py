"""Every row of the threat table is played by tests that bear its name, and the page says which."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "provisioning" / "threats.md").read_text(encoding="utf-8")
ROWS = {
    row: re.findall(r"`(test_\w+)`", cell)
    for row, cell in re.findall(r"^\| `(\w+)` \|.*\|([^|]*)\|$", PAGE, re.MULTILINE)
}
PLAN = (
    "stolen_recorder malicious_technician officer_suppresses replay forged_disclosure rogue_kiosk clock_rollback "
    "usb_attack broker_compromise log_tampering broken_list session_hijack"
)  # the plan's table, row by row


def played() -> list[str]:
    """Names of the tests, wherever they stand; those that another module runs again count once."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.glob("tests/**/test_*.py")))
    functions = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return [node.name for node in functions if node.name.startswith("test_threat_")]


def test_each_row_of_the_plan_is_there_and_played() -> None:
    assert list(ROWS) == PLAN.split()
    assert [row for row, tests in ROWS.items() if not tests] == []


def test_the_page_names_every_threat_test_once_in_its_own_row() -> None:
    assert sorted(test for tests in ROWS.values() for test in tests) == sorted(played())
    strays = [test for row, tests in ROWS.items() for test in tests if not test.startswith(f"test_threat_{row}_")]
    assert strays == []
