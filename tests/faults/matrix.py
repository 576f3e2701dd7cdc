"""`python -m tests.faults.matrix RESULTS.xml...` writes `MATRIX.md`: the rows of `matrix.toml` with what their tests
measured, from the files that `pytest --junitxml` left; `--names` prints what pytest is to run for them.

A row whose tests did not all run, each with all its parameters as pytest collects them now, or whose tests failed,
says so by name. Nothing is carried over from an earlier table. Ends with 1 when a test of it failed, with 2 and the
table as it was when there is nothing to read.
"""

import argparse
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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


def table(found: list[Result], day: str, cases: Mapping[str, int] | None = None) -> str:
    """The page, for results of `day`; `cases` says how many each test has, where that is known."""
    lines = [f"| {' | '.join(_cells(row, found, cases or {}))} |" for row in rows()]
    ran = len({result.test for result in found if result.ended != "skipped"})
    return f"{HEAD}{chr(10).join(lines)}\n\nResults of {day}; {ran} tests of ours were in them.\n"


def _cells(row: Row, found: list[Result], cases: Mapping[str, int]) -> tuple[str, ...]:
    return str(row.number), row.fault, row.component, row.required, _measured(row, found, cases), row.lacks or "-"


def _measured(row: Row, found: list[Result], cases: Mapping[str, int]) -> str:
    if not row.tests:
        return "**not run**"
    ours = [result for result in found if any(_is(result.test, wanted) for wanted in row.tests)]
    failed = sorted({it.test for it in ours if it.ended == "failed"})
    held = sum(result.ended == "held" for result in ours)
    told = [f"{held} held" if held else "", *_sums(ours)]
    told += [f"**FAILED: {', '.join(map(_short, failed))}**"] if failed else []
    left = [name for wanted in row.tests for name in _left(wanted, ours, cases)]
    told += [f"**not run in these results: {', '.join(left)}**"] if left else []
    return "; ".join(filter(None, told))


def _left(wanted: str, ours: list[Result], cases: Mapping[str, int]) -> list[str]:
    """What of one line of a row did not run, with the number of its cases where some did."""
    ran = Counter(it.test for it in ours if it.ended != "skipped" and _is(it.test, wanted))
    known = Counter(it.test for it in ours if _is(it.test, wanted))
    known |= Counter({test: count for test, count in cases.items() if _is(test, wanted)})
    if not ran:
        return [_short(wanted)]
    return [
        f"{_short(test)} ({all_ - ran[test]} of {all_})" for test, all_ in sorted(known.items()) if ran[test] < all_
    ]


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


def cases() -> Counter[str]:
    """How many cases each test of the table has: with every parameter that pytest collects."""
    words = (sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", *names())
    told = subprocess.run(words, capture_output=True, text=True, check=True, cwd=TESTS.parent).stdout
    lines = (re.split(GROUP, line)[0] for line in told.splitlines() if "::" in line)
    return Counter(line.removeprefix("tests/") for line in lines)


def days(files: Iterable[Path]) -> str:
    """The first and the last day on which pytest began, by the files themselves."""
    suites = (suite for file in files for suite in ElementTree.parse(file).iter("testsuite"))  # noqa: S314 - our own
    found = sorted({suite.get("timestamp", "an unknown day")[:10] for suite in suites})
    return " to ".join(dict.fromkeys((found[0], found[-1])))


def main(arguments: list[str]) -> int:
    """The command's exit code; the table is written where there are results."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__)
    parser.add_argument("--names", action="store_true", help="print the tests of the table; write nothing")
    parser.add_argument("results", nargs="*", type=Path, help="what pytest --junitxml wrote")
    given = parser.parse_args(arguments)
    if given.names:
        sys.stdout.write(" ".join(names()) + "\n")
        return 0
    try:
        found = results(given.results)
    except (OSError, ElementTree.ParseError) as error:
        sys.stderr.write(f"These results cannot be read: {error}; {TABLE.name} stays as it is. make fault-matrix\n")
        return 2
    if not found:
        sys.stderr.write(f"There are no results; {TABLE.name} stays as it is. make fault-matrix plays them\n")
        return 2
    TABLE.write_text(table(found, days(given.results), cases()), encoding="utf-8")
    return 1 if any(it.ended == "failed" for it in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
