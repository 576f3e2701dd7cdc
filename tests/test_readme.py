"""What the README shows is there: files on the two walks, verbs of the commands, exit codes."""

import importlib
import re
import tomllib
from pathlib import Path

import pytest
import typer

from agent.evidence.report import Verdict
from tests.faults import catalogue
from tests.support.commands import run_here

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
VERBS = r"`(liuhen-\w+) ([a-z][a-z, -]+)`"
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
PACKAGES = ("agent", "kiosk", "firmware_hooks", "provisioning")
FILES = [str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.*")]


def test_every_file_it_names_exists() -> None:
    named = set(re.findall(r"`([\w/]+\.(?:py|js|md))`", README)) | set(re.findall(r"\]\(([\w/.]+)\)", README))
    assert len(named) > 40
    there = {name for name in named if (ROOT / name).exists() or any(file.endswith(f"/{name}") for file in FILES)}
    assert named - there == set()


def test_every_clause_of_the_plan_has_its_row_and_every_clause_test_stands_in_one() -> None:
    rows = re.findall(r"^\| （([一二三])）(\d+) [^|]*\|([^|]*)\|([^|]*)\|$", README, re.MULTILINE)
    wanted = [*(("一", str(n)) for n in range(1, 11)), *(("二", n) for n in "12345"), *(("三", n) for n in "12345")]
    assert [(part, number) for part, number, _, _ in rows] == wanted
    tests = {test for *_, cell in rows for test in re.findall(r"`tests/scenarios/(\S+)`", cell)}
    assert tests == {path.name for path in (ROOT / "tests/scenarios").glob("test_clause_*.py")}
    for part, number, _, cell in rows:
        assert f"test_clause_{'一二三'.index(part) + 1}_{number}_" in cell
    code = {file for *_, cell, _ in rows for file in re.findall(r"`(agent/\S+|kiosk/\S+|provisioning/\S+)`", cell)}
    assert {file for file in code if not (ROOT / file).exists()} == set()


def test_verdicts_and_exit_codes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| `([a-z-]+)` (\S+) \|", README, re.MULTILINE)
    assert [(int(code), word, chinese) for code, word, chinese in rows] == sorted(
        (verdict.exit_code, verdict.value, verdict.chinese) for verdict in Verdict
    )


def test_every_verb_of_every_command_stands_in_the_table_of_who_uses_it() -> None:
    table = README.partition("## Who uses it")[2].partition("| exit |")[0]
    named = {(command, verb) for command, verbs in re.findall(VERBS, table) for verb in verbs.split(", ")}
    for command, place in SCRIPTS.items():
        module = importlib.import_module(place.partition(":")[0].replace("__main__", "cli"))  # its parser is there
        app = next(it for name in ("application", "app") if (it := getattr(module, name, None)))
        verbs = getattr(typer.main.get_command(app), "commands", {})
        assert command in table
        assert {verb for verb in verbs if (command, verb) not in named} == set(), command


@pytest.mark.parametrize("row", re.findall(VERBS, README))
def test_every_verb_it_names_is_a_verb(row: tuple[str, str]) -> None:
    for verb in row[1].split(", "):
        shown = run_here(SCRIPTS[row[0]].partition(":")[0], *verb.split(), "--help")
        assert shown.returncode == 0, (row[0], verb)


def test_every_tier_of_the_makefile_stands_in_the_list_of_tiers() -> None:
    page, makefile = (ROOT / "tests" / "README.md", ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", makefile.read_text(encoding="utf-8"), re.MULTILINE))
    listed = set(re.findall(r"^\| `make ([a-z0-9-]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert targets - {"help", "demo", "clean"} == listed


def found_in_our_own_code() -> list[str]:
    """The last cell of each row of that table: what keeps the fault from coming back."""
    page = (ROOT / "tests" / "faults" / "README.md").read_text(encoding="utf-8")
    section = page.partition("## Found in our own code")[2].partition("\n## ")[0]
    return re.findall(r"\|([^|]*)\|$", section, re.MULTILINE)[2:]


@pytest.mark.parametrize("kept", found_in_our_own_code())
def test_every_fault_that_was_found_has_a_reproducer_that_exists(kept: str) -> None:
    tests = re.findall(r"`([\w/]*test_\w+\.py)(?:::(\w+))?`", kept)
    scenarios = re.findall(r"`([a-z-]+)`", kept) if "scenario" in kept else []
    assert tests or scenarios
    assert set(scenarios) <= set(catalogue.ALL)
    for file, function in tests:
        (place,) = [path for path in ROOT.glob("tests/**/test_*.py") if str(path).endswith(f"/{file}")]
        assert not function or f"def {function}(" in place.read_text(encoding="utf-8")
