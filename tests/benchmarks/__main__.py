"""`python -m tests.benchmarks`: the table of all figures, ours and the peer's, from one run on this machine.

A run that was broken off goes on where it stopped (`--fresh` begins anew); figures of other sources, sizes or machines
are never mixed in. Ends with 1 when a target was missed.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
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
    kiosk,
    kiosk_screen,
    offload,
    outbox,
    policy,
    receipts,
    reconnect,
    review,
    trust,
)
from tests.benchmarks.figures import Bench, Row

FIGURES = {**figures.FIGURES, **capture.FIGURES, "boot_to_recording": boot.boot_to_recording, **policy.FIGURES}
FIGURES |= {**receipts.FIGURES, **review.FIGURES, **center.FIGURES, **outbox.FIGURES, **offload.FIGURES}
FIGURES |= {**reconnect.FIGURES, **card.FIGURES, **kiosk.FIGURES, **kiosk_screen.FIGURES}
FIGURES |= {**trust.FIGURES, **fences.FIGURES}
ROOT = Path(__file__).resolve().parents[2]
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


def main() -> int:
    """Measure, show, write; returns the exit code."""
    wanted = _arguments()
    identity = {"machine": _machine(), "source": _source(), "quick": wanted.quick}
    done = {} if wanted.fresh else _done(wanted.out, identity)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="liuhen-bench-", dir=wanted.folder) as folder:
        for number, (name, measure) in enumerate(FIGURES.items(), start=1):
            if name in done or (wanted.only and name not in wanted.only):
                continue
            head = f"[{number}/{len(FIGURES)}] {name}"
            console.print(head, highlight=False, markup=False)
            begin = time.monotonic()
            bench = Bench(Path(folder), wanted.quick, lambda step, head=head: _tell(console, f"{head}: {step}"))
            rows = [asdict(row) for row in measure(bench)]
            # Others at work on the machine show in every figure of time, most in those that use two cores.
            load = round(os.getloadavg()[0], 1)
            done[name] = {"rows": rows, "took_s": round(time.monotonic() - begin, 1), "load": load}
            _write(wanted.out, {**identity, "figures": done})
    rows = [Row(**row) for name in FIGURES if name in done for row in done[name]["rows"]]
    _show(rows, max((done[name]["load"] for name in done), default=0))
    return 1 if any(row.met is False for row in rows) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 MB instead of 500, 150 cuts instead of 1 000")
    parser.add_argument("--fresh", action="store_true", help="measure again what is in the file already")
    parser.add_argument("--only", nargs="+", choices=list(FIGURES), metavar="FIGURE", help=", ".join(FIGURES))
    parser.add_argument("--out", type=Path, default=Path("bench.json"), help="where figures are kept (bench.json)")
    parser.add_argument("--folder", type=Path, help="where 2 GB may be written for a while; default: the temporary one")
    return parser.parse_args()


def _tell(console: Console, step: str) -> None:
    if console.is_terminal:
        console.print(f"  {step}", highlight=False, markup=False)


def _machine() -> dict[str, Any]:
    return {"processor": platform.machine(), "cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}


def _source() -> str:
    whole = hashlib.sha256()
    for place in MEASURED:
        found = ROOT / place
        for path in [found] if found.is_file() else sorted(found.rglob("*.py")):
            whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def _done(out: Path, identity: dict[str, Any]) -> dict[str, Any]:
    if not out.exists():
        return {}
    found = json.loads(out.read_text(encoding="utf-8"))
    return found["figures"] if {key: found.get(key) for key in identity} == identity else {}


def _write(out: Path, content: dict[str, Any]) -> None:
    draft = out.with_name(out.name + ".new")
    draft.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(out)


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
