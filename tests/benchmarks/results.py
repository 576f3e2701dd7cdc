"""The page of all figures, `RESULTS.md`, and its plots, from the kept figures alone (pure). No number stands here."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tests.benchmarks.kept import Figures, one_machine
from tests.benchmarks.targets import margin
from tests.support.plots import Bar, Panel, bars_around_one, over_work

Row = dict[str, Any]
PLOTS = "plots"
HEAD = """# What everything cost, the last time it was measured

Written by `make bench` (`python -m tests.benchmarks`) from the figures it keeps; not edited by hand. How each figure
is measured and what was learnt from it: [README.md](README.md). "peer : ours" is above one where ours is the better of
the two in the same run; a peer that did not run beside ours says so.
"""
COLUMNS = (
    "figure",
    "target",
    "ours",
    "verdict",
    "peer, same run",
    "peer : ours",
    "measured",
    "load",
    "what was measured",
)
SHOWN = "<!-- figures: {} -->"  # in the page, for whoever would write another over it
OURS = re.compile(r"targets|peers|growth-[a-z-]+")  # names of plots
EARLIER = "earlier"  # of a figure whose sources have changed since
VERDICTS = {True: "met", False: "**missed**", None: "-"}
NAME_MOST = 46


def page(figures: Figures, groups: Mapping[str, Iterable[str]], source: str, peers: Mapping[str, str]) -> str:
    """The text of the page. `groups`: titles and the names of the figures under them; `source`: of the programs as they
    are now; `peers`: versions. Raises `Foreign` when the figures are not of one machine."""
    if not figures:
        return f"{HEAD}\nNothing has been measured yet.\n"
    parts = [HEAD, _circumstances(figures, peers), _sum(figures, groups)]
    if rows := _drawn(figures):
        parts.append(_picture("targets", f"{len(rows)} figures against their targets"))
    if any(row["ratio"] for row in _rows(figures)):
        parts.append(_picture("peers", "figures against their peers"))
    parts += [_group(title, list(names), figures, source) for title, names in groups.items()]
    parts += [_growth(work, points, figures, source) for work, points in _points(figures).items()]
    return "\n".join(part for part in [*parts, SHOWN.format(" ".join(figures)) + "\n"] if part)


def shown(text: str) -> set[str]:
    """The names of the figures that a page shows; none of a text that is no page of ours."""
    found = re.search(SHOWN.format("(.*)"), text)
    return set(found[1].split()) if found else set()


def plots(figures: Figures) -> dict[str, str]:
    """The plots of the page, by name without `.svg`."""
    found = {}
    if targets := _drawn(figures):
        found["targets"] = bars_around_one(targets, "better than its target", "missed")
    if peers := [
        Bar(_short(row["figure"]), row["ratio"], f"{_number(row['ratio'])}x") for row in _rows(figures) if row["ratio"]
    ]:
        found["peers"] = bars_around_one(peers, "ours is better", "the peer is better")
    for work, points in _points(figures).items():
        sizes = [point["size"] for point in points]
        panels = [Panel(cost, [[point["costs"][cost] for point in points]]) for cost in points[0]["costs"]]
        found[_file(work)] = over_work(panels, sizes)
    return found


def _circumstances(figures: Figures, peers: Mapping[str, str]) -> str:
    machine = one_machine(figures)
    whole = next(iter(figures.values()))["quick"] is False
    size = "full sizes" if whole else "**`--quick`: small sizes, which prove that it runs and little more**"
    programs = sorted(
        {f"Linux {it['programs']['kernel']}, Python {it['programs']['python']}" for it in figures.values()}
    )
    loads = [value for figure in figures.values() for value in figure["load"]]
    days = sorted(figure["at"] for figure in figures.values())
    took = sum(figure["took_s"] for figure in figures.values())
    return "\n".join([
        f"- machine: {machine['processor']}, {machine['architecture']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB of memory; {'; '.join(programs)}",
        f"- {size}; measured {days[0]} to {days[-1]}, {took / 60:.0f} minutes in all; load {min(loads)} to "
        f"{max(loads)} (before and after each figure; its own work and that of others)",
        f"- versions: {', '.join(f'{name} {version}' for name, version in sorted(peers.items()))}",
        "",
    ])  # fmt: skip


def _sum(figures: Figures, groups: Mapping[str, Iterable[str]]) -> str:
    rows = list(_rows(figures))
    missed = [row["figure"] for row in rows if row["met"] is False]
    met = sum(row["met"] is True for row in rows)
    absent = [name for names in groups.values() for name in names if name not in figures]
    lines = [f"**{met} of {met + len(missed)} targets met.**"]
    lines += [f"Missed: {'; '.join(missed)}."] if missed else []
    lines += [f"Not in these results: {', '.join(absent)}."] if absent else []
    return "\n".join([*lines, ""])


def _group(title: str, names: list[str], figures: Figures, source: str) -> str:
    told = [(row, figures[name]) for name in names if name in figures for row in figures[name]["rows"]]
    lines = [_line(row, figure, source) for row, figure in told if row["point"] is None]  # points have tables of theirs
    if not lines:
        return ""
    head = [f"## {title}", "", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    return "\n".join([*head, *lines, ""])


def _line(row: Row, figure: dict[str, Any], source: str) -> str:
    ratio = "-" if row["ratio"] is None else _number(row["ratio"])
    around = (_when(figure, source), _load(figure), row["note"] or "-")
    told = (row["target"] or "-", row["ours"], VERDICTS[row["met"]], row["peer"], ratio, *around)
    return f"| {' | '.join(_cell(text) for text in (row['figure'], *told))} |"


def _when(figure: dict[str, Any], source: str) -> str:
    when = f"{figure['at']}, {figure['commit'] or 'no commit'}"
    return when if figure["source"] == source else f"{when}, **{EARLIER}**: the programs have changed since"


def _load(figure: dict[str, Any]) -> str:
    return " to ".join(map(str, figure["load"]))


def _growth(work: str, points: list[dict[str, Any]], figures: Figures, source: str) -> str:
    costs = list(points[0]["costs"])
    lines = [f"| {' | '.join([work, *costs])} |", "|---" * (len(costs) + 1) + "|"]
    for point in points:
        values = [point["size"], *(point["costs"][cost] for cost in costs)]
        lines.append(f"| {' | '.join(map(_number, values))} |")
    (figure,) = [it for it in figures.values() if any(_works_on(row, work) for row in it["rows"])]
    told = f"Measured {_when(figure, source)}, load {_load(figure)}.\n"
    return "\n".join(
        [f"## Cost as work grows: {work}", "", told, _picture(_file(work), f"cost over {work}"), *lines, ""]
    )


def _works_on(row: Row, work: str) -> bool:
    return row["point"] is not None and row["point"]["work"] == work


def _points(figures: Figures) -> dict[str, list[dict[str, Any]]]:
    """Points by what grows, smallest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(figures):
        if row["point"] is not None:
            found.setdefault(row["point"]["work"], []).append(row["point"])
    return {work: sorted(points, key=lambda point: float(point["size"])) for work, points in found.items()}


def _drawn(figures: Figures) -> list[Bar]:
    margins = [(row, margin(row)) for row in _rows(figures)]
    return [
        Bar(_short(row["figure"]), factor, f"{row['ours'][:24]} ({row['target']})")
        for row, factor in margins
        if factor is not None
    ]


def _rows(figures: Figures) -> Iterable[Row]:
    return [row for figure in figures.values() for row in figure["rows"]]


def _picture(name: str, words: str) -> str:
    return f"![{words}]({PLOTS}/{name}.svg)\n"


def _file(work: str) -> str:
    return "growth-" + "-".join(work.split())


def _short(text: str) -> str:
    return text if len(text) <= NAME_MOST else text[: NAME_MOST - 1] + "…"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
