"""A target and a figure as people read them, as numbers: how far apart they are (pure)."""

import re
from typing import Any

NUMBER = r"[-+]?\d+(?:[ ,\u00a0]\d{3})*(?:\.\d+)?"
UNIT = r"(?:%|ms\b|s\b|MB/s|MiB\b|MB\b|KB\b|/s|x(?!\w)|cuts\b)"
TARGET = re.compile(rf"(<=|>=)\s*({NUMBER})\s*({UNIT})?")
ROUNDED = 0.02  # a figure is told in two or three digits


def margin(row: dict[str, Any]) -> float | None:
    """How many times better than its target a row is (1: just met, below 1: missed); None where it has no target that
    is one number, or where the numbers in its words do not lead to its own verdict."""
    wanted = TARGET.search(row["target"])
    if wanted is None or row["met"] is None:
        return None
    most, target, unit = wanted[1] == "<=", _value(wanted[2]), wanted[3] or ""
    ours = _first(row["ours"], unit)
    if ours is None or target <= 0 or (ours <= 0 and not most):
        return None
    factor = target / max(ours, target / 1000) if most else ours / target
    told = factor >= 1 - ROUNDED if row["met"] else factor < 1 + ROUNDED
    return factor if told else None


def _first(text: str, unit: str) -> float | None:
    """The first number of `text` with that unit; the first of all when the target has none."""
    found = re.search(rf"({NUMBER})\s*{re.escape(unit)}(?![\w/])", text) if unit else re.search(NUMBER, text)
    return None if found is None else _value(found[1] if unit else found[0])


def _value(text: str) -> float:
    return float(re.sub(r"[ ,\u00a0]", "", text))
