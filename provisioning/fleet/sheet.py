"""Papers of the bench for a file: the acceptance report and the certificate of erasure, as one HTML page for A4."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.markup import templates

TEMPLATES = Path(__file__).with_name("templates")
LEVELS = {"pass": "合格 PASS", "attention": "注意", "fail": "不合格 FAIL"}


@dataclass(frozen=True)
class Line:
    """One thing that was looked at; `level` is a key of `LEVELS`."""

    level: str
    text: str


@dataclass(frozen=True)
class Sheet:
    """A paper: what it is, what it says at the top, its facts, what was looked at, what has to be known beside it."""

    title: str
    verdict: str
    good: bool
    facts: Sequence[tuple[str, str]]
    lines: Sequence[Line]
    notes: Sequence[str]


def sheet_html(sheet: Sheet) -> str:
    """The page: no script, nothing from outside."""
    return templates(TEMPLATES).get_template("sheet.html").render(sheet=sheet, levels=LEVELS)
