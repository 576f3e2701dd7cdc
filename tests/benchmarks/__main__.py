"""`python -m tests.benchmarks`: all figures, ours and the peers', as a table, and as a page with plots (`RESULTS.md`).

A run that was broken off goes on where it stopped (`--fresh` begins anew). Figures of other sources are measured again;
those that were not are shown with their day and called earlier. Figures of other sizes or machines are refused. A page
that shows figures which were not measured here is not overwritten. Ends with 1 when a target was missed, with 2 when
the file is of another machine, with 130 when it was broken off.
"""

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    boot,
    capture,
    card,
    center,
    fences,
    figures,
    growth,
    kept,
    kiosk,
    kiosk_screen,
    offload,
    outbox,
    policy,
    receipts,
    reconnect,
    results,
    review,
    trust,
)
from tests.benchmarks.figures import Bench, Row
from tests.benchmarks.machine import ROOT, commit, load, machine, moment, peers, programs

GROUPS: dict[str, dict[str, Callable[[Bench], list[Row]]]] = {
    "Signing and verifying": figures.FIGURES,
    "Capture": {**capture.FIGURES, "boot_to_recording": boot.boot_to_recording},
    "Rules and reviews": {**policy.FIGURES, **receipts.FIGURES, **review.FIGURES},
    "Outbox, link and centre": {**center.FIGURES, **outbox.FIGURES, **offload.FIGURES, **reconnect.FIGURES},
    "The bench": {**card.FIGURES, **trust.FIGURES, **fences.FIGURES},
    "The hall": {**kiosk.FIGURES, **kiosk_screen.FIGURES},
    "Growth": growth.FIGURES,
}
FIGURES = {name: measure for group in GROUPS.values() for name, measure in group.items()}
PAGE = Path(__file__).with_name("RESULTS.md")
MEASURED = (
    "agent/evidence",
    "agent/adapters",
    "agent/control",
    "agent/post.py",
    "agent/wire",
    "agent/duty",
    "kiosk",
    "agent/verify_files.py",
    "firmware_hooks/nmea.py",
    "provisioning/center",
    "provisioning/authority",
    "provisioning/fleet",
    "tests/benchmarks",
)
TELLING = {"__main__.py", "kept.py", "machine.py", "results.py", "targets.py", "test_bench.py", "test_results.py"}


def main() -> int:
    """Measure, show, write; returns the exit code."""
    wanted = _arguments()
    identity = {"machine": machine(), "quick": wanted.quick, "programs": programs(), "source": _source()}
    try:
        done = kept.read(wanted.out, identity)
    except kept.Foreign as fault:
        if not wanted.fresh or wanted.only or wanted.show:
            Console(stderr=True).print(str(fault), highlight=False, markup=False)
            return 2
        done = {}
    if not wanted.show:
        try:
            _measure(wanted, identity, done)
        except KeyboardInterrupt:
            told = f"broken off: what was finished is kept in {wanted.out}, and the same command goes on there"
            Console(stderr=True).print(told, highlight=False, markup=False, soft_wrap=True)
            return 130
    if wanted.page:
        write_page(wanted.page, done, identity["source"])
    rows = [Row(**row) for name in FIGURES if name in done for row in done[name]["rows"]]
    _show(rows, max((max(done[name]["load"]) for name in done), default=0))
    return 1 if any(row.met is False for row in rows) else 0


def _measure(wanted: argparse.Namespace, identity: dict[str, Any], done: kept.Figures) -> None:
    """Into `done` and the file, figure by figure, what is wanted and does not hold any more."""
    console, begun = Console(stderr=True), commit()
    with tempfile.TemporaryDirectory(prefix="liuhen-bench-", dir=wanted.folder) as folder:
        for number, (name, measure) in enumerate(FIGURES.items(), start=1):
            there = not wanted.fresh and name in done and kept.holds(done[name], identity)
            if there or (wanted.only and name not in wanted.only):
                continue
            head = f"[{number}/{len(FIGURES)}] {name}"
            console.print(head, highlight=False, markup=False)
            begin, before = time.monotonic(), load()
            bench = Bench(Path(folder), wanted.quick, lambda step, head=head: _tell(console, f"{head}: {step}"))
            rows = [asdict(row) for row in measure(bench)]
            # Others at work on the machine show in every figure of time, most in those that use two cores.
            around = {"at": moment(), "commit": begun, "load": [before, load()]}
            done[name] = {"rows": rows, "took_s": round(time.monotonic() - begin, 1), **around, **identity}
            kept.write(wanted.out, done)


def write_page(place: Path, done: kept.Figures, source: str) -> None:
    """Page and plots anew, unless the page there shows figures that are not among `done`: then it stays, and that is
    said."""
    before = results.shown(place.read_text(encoding="utf-8")) if place.exists() else set()
    if lost := sorted(before - done.keys()):
        told = f"{place} stays as it is: it shows {len(lost)} figures that were not measured here ({', '.join(lost)})."
        Console(stderr=True).print(f"{told} Measure them too, or name another page with --page.", markup=False)
        return
    ordered = {name: done[name] for name in FIGURES if name in done}
    folder, drawn = place.parent / results.PLOTS, results.plots(ordered)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        if results.OURS.fullmatch(old.stem) and old.stem not in drawn:
            old.unlink()  # of an earlier page: no row of this one says what it shows
    for name, picture in drawn.items():
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
    place.write_text(results.page(ordered, GROUPS, source, peers()), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 MB instead of 500, 150 cuts instead of 1 000")
    parser.add_argument("--fresh", action="store_true", help="measure again what is in the file already")
    parser.add_argument("--only", nargs="+", choices=list(FIGURES), metavar="FIGURE", help=", ".join(FIGURES))
    parser.add_argument("--show", action="store_true", help="measure nothing: table and page of what is in the file")
    parser.add_argument("--out", type=Path, help="where figures are kept; bench.json, with --quick bench-quick.json")
    parser.add_argument("--page", type=Path, help=f"where the page is written; {PAGE.name} here, with --quick nowhere")
    parser.add_argument("--folder", type=Path, help="where 2 GB may be written for a while; default: the temporary one")
    wanted = parser.parse_args()
    if wanted.folder and not (wanted.folder.is_dir() and os.access(wanted.folder, os.W_OK)):
        parser.error(f"--folder {wanted.folder} is no folder that can be written to")
    wanted.out = wanted.out or Path("bench-quick.json" if wanted.quick else "bench.json")
    wanted.page = wanted.page or (None if wanted.quick else PAGE)
    return wanted


def _tell(console: Console, step: str) -> None:
    if console.is_terminal:
        console.print(f"  {step}", highlight=False, markup=False)


def _source() -> str:
    whole = hashlib.sha256()
    for place in MEASURED:
        found = ROOT / place
        for path in [found] if found.is_file() else sorted(found.rglob("*.py")):
            if path.name not in TELLING:
                whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def _show(rows: list[Row], load: float) -> None:
    title = f"{len(os.sched_getaffinity(0))} cores, load up to {load}"
    table = Table(title=title, show_lines=True)
    for title in ("figure", "ours", "target", "", "peer, same run", "peer : ours", "what was measured"):
        table.add_column(title, overflow="fold")
    for row in rows:
        met = {True: "met", False: "MISSED", None: ""}[row.met]
        ratio = "" if row.ratio is None else f"{row.ratio:.1f}"
        table.add_row(row.figure, row.ours, row.target, met, row.peer, ratio, row.note)
    Console(width=None if sys.stdout.isatty() else max(160, shutil.get_terminal_size().columns)).print(table)


if __name__ == "__main__":
    sys.exit(main())
