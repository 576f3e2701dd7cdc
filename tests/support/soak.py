"""What a long run leaves behind in its processes: samples, the line through them, a table and a plot of them."""

import itertools
import statistics
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.plots import Panel, over_time

EVERY_S = 2.0
LEAST_LOOKS = 4
DISK = "disk, MB"
MEASURES = ("memory, MB", "descriptors", "threads", DISK)
COLOURS = ("#1f5fa8", "#b33a3a", "#3c7d3c", "#8a5a00", "#6a3d9a")


@dataclass(frozen=True)
class Watched:
    """A process, and the files that are its own; what is below a folder named in `without` is not counted."""

    pid: int
    places: tuple[Path, ...]
    without: str = ""


@dataclass(frozen=True)
class Sample:
    """`at` seconds after the beginning: what `name` holds, in the order of `MEASURES`; `rest`: between two pieces of
    work, when it should hold no more than after the one before."""

    at: float
    name: str
    values: tuple[float, float, float, float]
    rest: bool = False


class Sampler(threading.Thread):
    """`with Sampler(watched) as sampler`: looks at every process each `EVERY_S`, and when it is told to."""

    def __init__(self, watched: Mapping[str, Watched]) -> None:
        super().__init__(name="sampler")
        self._watched, self._ended, self._begun = watched, threading.Event(), time.monotonic()
        self.samples: list[Sample] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(EVERY_S):
            self.look()

    def look(self, *, rest: bool = False) -> None:
        """One sample of each."""
        at = time.monotonic() - self._begun
        self.samples += [Sample(at, name, look(watched), rest) for name, watched in self._watched.items()]


def look(watched: Watched) -> tuple[float, float, float, float]:
    """Resident MB, open descriptors, threads, MB of its files."""
    place = Path(f"/proc/{watched.pid}")
    facts = dict(line.split(":", 1) for line in (place / "status").read_text(encoding="ascii").splitlines())
    resident, threads = int(facts["VmRSS"].split()[0]) / 1024, int(facts["Threads"])
    return resident, len(list((place / "fd").iterdir())), threads, _size(watched) / 2**20


def _size(watched: Watched) -> int:
    total = 0
    for top in watched.places:
        for path in [top] if top.is_file() else top.rglob("*"):
            try:
                if watched.without not in path.parts and path.is_file():
                    total += path.stat().st_size
            except FileNotFoundError:
                continue  # removed between two looks
    return total


@dataclass(frozen=True)
class Trend:
    """How one measure of one process went after the warm-up: the first and last value of the line through the looks at
    rest, and the least and the most at any time. The line is Theil's and Sen's, the median of all slopes between two
    looks: a step, as when the machine has other work for a while, is no leak."""

    name: str
    measure: str
    first: float
    last: float
    least: float
    most: float

    @property
    def grown(self) -> float:
        """From the end of the warm-up to the end, on the fitted line."""
        return self.last - self.first


def trends(samples: Iterable[Sample], warm_s: float) -> list[Trend]:
    """One for each process and measure; raises `ValueError` when too little is left after the warm-up."""
    rows: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.at >= warm_s:
            rows.setdefault(sample.name, []).append(sample)
    return [_trend(name, place, found) for name, found in rows.items() for place in range(len(MEASURES))]


def _trend(name: str, place: int, samples: Sequence[Sample]) -> Trend:
    looks = [(sample.at, sample.values[place]) for sample in samples if sample.rest]
    if len(looks) < LEAST_LOOKS:
        raise ValueError(f"too short a run: {len(looks)} looks at rest after the warm-up")
    slope = statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.combinations(looks, 2))
    base = statistics.median(value - slope * at for at, value in looks)
    first, last = (base + slope * at for at in (looks[0][0], looks[-1][0]))
    every = [sample.values[place] for sample in samples]
    return Trend(name, MEASURES[place], first, last, min(every), max(every))


def too_much(found: Iterable[Trend], limits: Mapping[str, float]) -> list[str]:
    """What grew by more than its measure may; a measure without a limit may grow."""
    return [
        f"{trend.name}: {trend.measure} grew by {trend.grown:.2f} (at most {limits[trend.measure]:g}), "
        f"{trend.first:.1f} to {trend.last:.1f}"
        for trend in found
        if trend.measure in limits and trend.grown > limits[trend.measure]
    ]


def table(found: Iterable[Trend]) -> str:
    """Markdown: what each process held, and by how much the fitted line rose."""
    head = "| process | measure | after warm-up | at the end | grown | least | most |\n|---|---|---|---|---|---|---|\n"
    return head + "".join(
        f"| {it.name} | {it.measure} | {it.first:.1f} | {it.last:.1f} | {it.grown:+.2f} | "
        f"{it.least:.1f} | {it.most:.1f} |\n"
        for it in found
    )


def plot(samples: Sequence[Sample]) -> str:
    """A panel for each measure, a curve for each process."""
    names = list(dict.fromkeys(sample.name for sample in samples))
    rows = {name: [sample for sample in samples if sample.name == name] for name in names}
    minutes = [sample.at / 60 for sample in rows[names[0]]]
    panels = [
        Panel(measure, [[sample.values[place] for sample in rows[name]] for name in names], names, COLOURS)
        for place, measure in enumerate(MEASURES)
    ]
    return over_time(panels, minutes)
