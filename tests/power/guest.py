"""What runs in the guest: `play SCENARIO FOLDER` acts on the first disk until its power goes, `judge SCENARIO FOLDER`
recovers every disk as the product does, twice, and says whether what had been promised is kept."""

import json
import os
import sys
from pathlib import Path

from tests.faults import catalogue
from tests.faults.explorer import PROMISED

FOR_EVER = 10**6  # rounds
BENCHES = "ubd?"  # one for each disk, as `init` mounts them
PROMISE, JUDGED = "promised: ", "judged: "


def play(scenario: str, folder: Path) -> None:
    """Act on the first disk, telling each promise the moment it is made."""

    def promise(text: str) -> None:
        os.write(1, f"{PROMISE}{text}\n".encode())

    catalogue.scenario(scenario).play(min(folder.glob(BENCHES)), promise, FOR_EVER)


def judge(scenario: str, folder: Path) -> None:
    """One line of JSON for each disk: its name, the number of promises, what was broken."""
    found = catalogue.scenario(scenario)
    for bench in sorted(folder.glob(BENCHES)):
        promised: list[str] = json.loads((bench / PROMISED).read_text())
        broken = found.check(bench, promised) or [f"second start: {it}" for it in found.check(bench, promised)]
        told = json.dumps([bench.name, len(promised), broken], ensure_ascii=False)
        os.write(1, f"{JUDGED}{told}\n".encode())


if __name__ == "__main__":
    {"play": play, "judge": judge}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))
