"""`python -m tests.faults.play SCENARIO BENCH ROUNDS|recover [SABOTAGE]`: what the explorer traces. With a `SABOTAGE`
the program is made worse first, which the explorer must notice. `recover` on a copy of a disk that was kept (a folder
`broken-N`) plays again what its recovery comes to, and ends with 1 and the promise where one is broken."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent import durable
from tests.faults import catalogue
from tests.faults.explorer import PROMISED, checked_twice
from tests.faults.tracing import PROMISE


def promise(text: str) -> None:
    """Tell the world, where the trace sees it."""
    os.write(1, f"{PROMISE}{text}\n".encode())


def _nothing(*_: Any) -> None:
    """Instead of a sync."""


def _without_fsync() -> None:
    os.fsync = os.fdatasync = _nothing  # type: ignore[assignment]


def _without_directory_sync() -> None:
    durable.sync_directory = _nothing


def _with_synchronous_normal() -> None:
    device = importlib.import_module("tests.faults.device_scenarios")
    real = device.open_database

    def hasty(path: Path) -> Any:
        database, loss = real(path)
        database.run("PRAGMA synchronous = NORMAL")
        return database, loss

    device.open_database = hasty


SABOTAGES: dict[str, Callable[[], None]] = {
    "no-fsync": _without_fsync,
    "no-directory-sync": _without_directory_sync,
    "synchronous-normal": _with_synchronous_normal,
}


def main(name: str, place: str, what: str, sabotage: str = "") -> int:
    """0, or 1 when the recovery broke a promise."""
    scenario, bench = catalogue.scenario(name), Path(place)
    if sabotage:
        SABOTAGES[sabotage]()
    if what != "recover":
        scenario.play(bench, promise, int(what))
        return 0
    broken = list(checked_twice(scenario, bench))
    sys.stderr.write("\n".join(broken))
    return 1 if broken else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.play", description=__doc__)
    parser.add_argument("scenario", choices=sorted(catalogue.ALL), metavar="SCENARIO")
    parser.add_argument("bench", metavar="BENCH", help="a folder that the explorer prepared or kept; it is written to")
    parser.add_argument("what", metavar="ROUNDS|recover", help="how often to play it, or to recover what is there")
    parser.add_argument("sabotage", choices=["", *SABOTAGES], metavar="SABOTAGE", nargs="?", default="")
    asked = parser.parse_args()
    if asked.what != "recover" and not asked.what.isdigit():
        parser.error(f"{asked.what} is neither a number of rounds nor `recover`")
    if asked.what == "recover" and not (Path(asked.bench) / PROMISED).is_file():
        parser.error(f"{asked.bench} is no kept disk: there is no {PROMISED} in it")
    return asked


if __name__ == "__main__":
    given = _asked()
    sys.exit(main(given.scenario, given.bench, given.what, given.sabotage))
