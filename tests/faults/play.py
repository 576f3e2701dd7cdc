"""`python -m tests.faults.play SCENARIO BENCH ROUNDS|recover`: what the explorer traces."""

import json
import os
import sys
from pathlib import Path

from tests.faults import catalogue
from tests.faults.explorer import PROMISED
from tests.faults.tracing import PROMISE


def promise(text: str) -> None:
    """Tell the world, where the trace sees it."""
    os.write(1, f"{PROMISE}{text}\n".encode())


def main(name: str, place: str, what: str) -> int:
    """0, or 1 when the recovery broke a promise."""
    scenario, bench = catalogue.scenario(name), Path(place)
    if what != "recover":
        scenario.play(bench, promise, int(what))
        return 0
    broken = scenario.check(bench, json.loads((bench / PROMISED).read_text()))
    sys.stderr.write("\n".join(broken))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
