"""The file that keeps figures between runs (`bench.json`): which of them still hold, and whose they are.

A figure is kept with the machine that made it, its kernel and Python, the sources, the commit, the moment and the load.
"""

import json
from pathlib import Path
from typing import Any

Figures = dict[str, dict[str, Any]]
WHOSE = ("machine", "quick")  # two figures that differ in one of these never stand in one table
HOLDS = ("source", "programs")  # a figure that differs in one of these is measured again


class Foreign(ValueError):
    """Figures that do not belong together; the message says what to do."""


def read(place: Path, identity: dict[str, Any]) -> Figures:
    """The figures in `place`; none when it is not there. Raises `Foreign` when they are not this machine's, or not of
    the size that is measured now: nothing is thrown away."""
    if not place.exists():
        return {}
    try:
        found: Figures = json.loads(place.read_text(encoding="utf-8"))["figures"]
        told = [(name, {key: figure[key] for key in WHOSE}) for name, figure in found.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise Foreign(
            f"{place} is not a file of figures of this version ({fault!r}): move it away, or --fresh"
        ) from None
    for name, whose in told:
        if whose != {key: identity[key] for key in WHOSE}:
            raise Foreign(f"{place} holds {name} of {whose}, which is not this run's: give another --out, or --fresh")
    return found


def holds(figure: dict[str, Any], identity: dict[str, Any]) -> bool:
    """Whether a figure need not be measured again."""
    return all(figure[key] == identity[key] for key in HOLDS)


def one_machine(figures: Figures) -> dict[str, Any]:
    """The machine of all of them; raises `Foreign` when there are several, or sizes are mixed."""
    seen = {json.dumps([figure[key] for key in WHOSE], sort_keys=True) for figure in figures.values()}
    if len(seen) > 1:
        raise Foreign(f"figures of different machines or sizes stand in one file: {' and '.join(sorted(seen))}")
    machine: dict[str, Any] = next(iter(figures.values()))["machine"]
    return machine


def write(place: Path, figures: Figures) -> None:
    """Replace the file as a whole."""
    draft = place.with_name(place.name + ".new")
    draft.write_text(json.dumps({"figures": figures}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(place)
