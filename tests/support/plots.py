"""Plots as small SVG files, in a few lines of our own: bars around a target, curves over work, panels over time.

All pure: numbers in, the text of a file out. Colours are told apart by eyes that see no red, too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH, PANEL, LEFT, TOP, BETWEEN = 640, 120, 56, 24, 36
BAR, NAMES, DECADE_MOST = 18, 300, 3.0  # height of a bar, room for its name, decades to each side of 1
BLUE, RED, GREEN, BROWN = "#1f5fa8", "#b33a3a", "#3c7d3c", "#8a5a00"
COLOURS = (BLUE, RED, GREEN, BROWN)
MOST_POINTS = 400
LETTER = 6.5  # room for one in STYLE's 11 px, wide ones among them
STYLE = "text{font:11px sans-serif;fill:#333}.axis{stroke:#999}.curve{fill:none;stroke-width:1.5}"


@dataclass(frozen=True)
class Bar:
    """One line: `factor` is how many times better (above 1) or worse (below) than what it is held against."""

    name: str
    factor: float
    text: str


@dataclass(frozen=True)
class Panel:
    """Curves over one axis; each has as many values as the axis has places. `labels` name them where there are more
    than one."""

    title: str
    curves: Sequence[Sequence[float]]
    labels: Sequence[str] = ()
    colours: Sequence[str] = field(default=COLOURS)


def bars_around_one(bars: Sequence[Bar], better: str, worse: str) -> str:
    """Horizontal bars on a logarithmic axis from 1: to the right what is better, to the left what is worse. Its decades
    are drawn and named; the picture is as wide as the longest text."""
    across, floor = (WIDTH - NAMES) / 2, TOP + len(bars) * BAR
    middle = NAMES + across
    reach = min(DECADE_MOST, max([1.0, *(abs(_decades(bar)) for bar in bars)]))
    parts = [
        f'<text x="{middle - 6:.0f}" y="{TOP - 8}" text-anchor="end">{escape(worse)}</text>'
        f'<text x="{middle + 6:.0f}" y="{TOP - 8}">{escape(better)}</text>',
        *(_decade(place, middle + across * place / reach, floor) for place in range(-int(reach), int(reach) + 1)),
    ]
    for place, bar in enumerate(bars):
        length, y = across * min(1.0, abs(_decades(bar)) / reach), TOP + place * BAR
        good = bar.factor >= 1
        begin = middle if good else middle - length
        parts.append(
            f'<text x="{NAMES - 6}" y="{y + 12}" text-anchor="end">{escape(bar.name)}</text>'
            f'<rect x="{begin:.1f}" y="{y + 3}" width="{max(length, 1):.1f}" height="{BAR - 6}" '
            f'fill="{BLUE if good else RED}"/>'
            f'<text x="{NAMES + 2 * across + 6:.0f}" y="{y + 12}">{escape(bar.text)}</text>'
        )
    right = math.ceil(LETTER * max([0, *(len(bar.text) for bar in bars)]))
    return _framed(WIDTH + 6 + max(144, right), floor + 24, parts)


def _decade(place: int, x: float, floor: int) -> str:
    faint = "" if place == 0 else ' stroke-dasharray="2,3"'
    line = f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{floor}"{faint}/>'
    return f'{line}<text x="{x:.0f}" y="{floor + 14}" text-anchor="middle">{10.0**place:g}x</text>'


def _decades(bar: Bar) -> float:
    low = 10**-DECADE_MOST
    return math.log10(min(max(bar.factor, low), 1 / low))


def over_work(panels: Sequence[Panel], sizes: Sequence[float]) -> str:
    """Panels over sizes that grow by factors: the axis is logarithmic, what it costs is not."""
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])
    across = [LEFT + WIDTH * (math.log10(size) - first) / ((last - first) or 1) for size in sizes]
    ticks = [(x, f"{size:,.10g}") for x, size in zip(across, sizes, strict=True)]
    return _stacked([_panel(place, panel, across, ticks, dots=True) for place, panel in enumerate(panels)])


def over_time(panels: Sequence[Panel], minutes: Sequence[float], shade: tuple[float, float] | None = None) -> str:
    """Panels over minutes; `shade` is a stretch of them that is marked."""
    end = minutes[-1] or 1.0
    across = [LEFT + WIDTH * minute / end for minute in minutes]
    marks = range(0, int(end) + 1, max(1, round(end / 8)))
    ticks = [(LEFT + WIDTH * minute / end, f"{minute} min") for minute in marks]
    dark = None if shade is None else (LEFT + WIDTH * shade[0] / end, LEFT + WIDTH * shade[1] / end)
    return _stacked([_panel(place, panel, across, ticks, dark) for place, panel in enumerate(panels)])


def _stacked(drawn: Sequence[str]) -> str:
    return _framed(LEFT + WIDTH + 40, TOP + len(drawn) * (PANEL + BETWEEN), drawn)


def _framed(width: int, height: int, parts: Sequence[str]) -> str:
    frame = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"><style>{STYLE}</style>'
    return f'{frame}<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'


def _panel(
    place: int,
    panel: Panel,
    across: Sequence[float],
    ticks: Sequence[tuple[float, str]],
    dark: tuple[float, float] | None = None,
    *,
    dots: bool = False,
) -> str:
    top, most = TOP + place * (PANEL + BETWEEN), max(map(max, panel.curves)) or 1
    parts, floor = [_axis(panel.title, top, most), *_legend(panel, top)], top + PANEL
    if dark is not None:
        parts.insert(
            0, f'<rect x="{dark[0]:.0f}" y="{top}" width="{dark[1] - dark[0]:.0f}" height="{PANEL}" fill="#eee"/>'
        )
    parts += [f'<text x="{x:.0f}" y="{floor + 14}" text-anchor="middle">{text}</text>' for x, text in ticks]
    for values, colour in zip(panel.curves, panel.colours, strict=False):
        each = range(0, len(values), max(1, len(values) // MOST_POINTS))
        spots = [(across[at], floor - PANEL * values[at] / most) for at in each]
        line = " ".join(f"{x:.0f},{y:.0f}" for x, y in spots)
        parts.append(f'<polyline class="curve" stroke="{colour}" points="{line}"/>')
        if dots:
            parts += [f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>' for x, y in spots]
    return "".join(parts)


def _axis(title: str, top: int, most: float) -> str:
    floor, text = top + PANEL, f"{most:,.0f}" if most >= 10 else f"{most:.2g}"
    return (
        f'<text x="{LEFT}" y="{top - 6}">{escape(title)}</text><line class="axis" x1="{LEFT}" x2="{LEFT + WIDTH}" '
        f'y1="{floor}" y2="{floor}"/><text x="{LEFT - 4}" y="{top + 9}" text-anchor="end">{text}</text>'
        f'<text x="{LEFT - 4}" y="{floor}" text-anchor="end">0</text>'
    )


def _legend(panel: Panel, top: int) -> list[str]:
    return [
        f'<text x="{LEFT + WIDTH - 100 * (len(panel.labels) - number)}" y="{top - 6}" style="fill:{colour}">'
        f"{escape(label)}</text>"
        for number, (label, colour) in enumerate(zip(panel.labels, panel.colours, strict=False))
    ]
