"""`python -m tests.faults.matrix RESULTS.xml...` writes `MATRIX.md`: the rows of `matrix.toml` with what their tests
measured, from the files that `pytest --junitxml` left; `--names` prints what pytest is to run for them.

A row whose tests did not all run, or whose tests failed, says so by name. Nothing is carried over from an earlier
table.
"""

import re
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
ROWS, TABLE, TESTS = HERE / "matrix.toml", HERE / "MATRIX.md", HERE.parent
EVERY = "*"
GROUP = re.compile(r"\[|@")
COUNTED = re.compile(r"(\d+) of (\d+) ((?:runs|disks|inputs)[^,]*)")
HEAD = """# The fault matrix

Written by `make fault-matrix` (`python -m tests.faults.matrix`) from the results of the tests themselves; the rows
stand in [matrix.toml](matrix.toml), the methods in [README.md](README.md). A test that did not run in the results is
named; what cannot be run here is said. "measured" counts tests that held, and sums up what they counted.

| # | fault | component | required | measured | not run here |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """`tests` are `file::function` below `tests/`; `*` for every function of a file."""

    number: int
    fault: str
    component: str
    required: str
    tests: tuple[str, ...]
    lacks: str


@dataclass(frozen=True)
class Result:
    """How one test, with one set of parameters, ended: "held", "failed" or "skipped", and what it said it measured."""

    test: str
    ended: str
    measured: str


def rows() -> list[Row]:
    """The rows of `matrix.toml`."""
    found = tomllib.loads(ROWS.read_text(encoding="utf-8"))["row"]
    words = ("fault", "component", "required")
    return [
        Row(it["number"], *(it[word] for word in words), tuple(it.get("tests", ())), it.get("lacks", ""))
        for it in found
    ]


def results(files: Iterable[Path]) -> list[Result]:
    """Every test in junit files; of one that was run twice the later file counts."""
    found: dict[tuple[str, str], Result] = {}
    for file in files:
        for case in ElementTree.parse(file).iter("testcase"):  # noqa: S314 - our own pytest wrote it
            name = case.get("name", "")
            place = case.get("classname", "").removeprefix("tests.").replace(".", "/")
            test = f"{place}.py::{re.split(GROUP, name)[0]}"  # pytest-xdist puts a group behind an @
            kinds = {child.tag for child in case}
            ended = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "held"
            said = [it.get("value", "") for it in case.iter("property") if it.get("name") == "measured"]
            found[place, name] = Result(test, ended, said[0] if said else "")
    return list(found.values())


def table(found: list[Result], day: str) -> str:
    """The page, for results of `day`."""
    lines = [f"| {' | '.join(_cells(row, found))} |" for row in rows()]
    ran = len({result.test for result in found if result.ended != "skipped"})
    return f"{HEAD}{chr(10).join(lines)}\n\nResults of {day}; {ran} tests of ours were in them.\n"


def _cells(row: Row, found: list[Result]) -> tuple[str, ...]:
    return str(row.number), row.fault, row.component, row.required, _measured(row, found), row.lacks or "-"


def _measured(row: Row, found: list[Result]) -> str:
    if not row.tests:
        return "**not run**"
    ours = [result for result in found if any(_is(result.test, wanted) for wanted in row.tests)]
    ended = {word: sorted({it.test for it in ours if it.ended == word}) for word in ("failed", "skipped")}
    missing = [wanted for wanted in row.tests if not any(_is(it.test, wanted) for it in ours)]
    held = sum(result.ended == "held" for result in ours)
    told = [f"{held} held" if held else "", *_sums(ours)]
    told += [f"**FAILED: {', '.join(map(_short, ended['failed']))}**"] if ended["failed"] else []
    left = [*ended["skipped"], *missing]
    told += [f"**not run in these results: {', '.join(map(_short, left))}**"] if left else []
    return "; ".join(filter(None, told))


def _is(test: str, wanted: str) -> bool:
    return test == wanted or (wanted.endswith(f"::{EVERY}") and test.startswith(wanted.removesuffix(EVERY)))


def _short(test: str) -> str:
    return f"`{test.removesuffix(f'::{EVERY}').rpartition('::')[2]}`"


def _sums(ours: list[Result]) -> list[str]:
    sums: dict[str, list[int]] = {}
    for result in ours:
        for broken, all_, unit in COUNTED.findall(result.measured):
            kept = sums.setdefault(unit, [0, 0])
            kept[0] += int(broken)
            kept[1] += int(all_)
    return [f"{broken} of {all_} {unit}" for unit, (broken, all_) in sums.items()]


def names() -> list[str]:
    """What pytest is to be given for the whole table."""
    found = {test.removesuffix(f"::{EVERY}") for row in rows() for test in row.tests}
    return sorted(f"tests/{test}" for test in found)


def main(arguments: list[str]) -> int:
    """0; the table is written."""
    if arguments == ["--names"]:
        sys.stdout.write(" ".join(names()) + "\n")
        return 0
    TABLE.write_text(table(results(map(Path, arguments)), f"{datetime.now(UTC):%Y-%m-%d}"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
