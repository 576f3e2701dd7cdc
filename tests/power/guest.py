"""What runs in a guest: `play SCENARIO FOLDER [SABOTAGE]` acts on its disk until the power goes, `judge SCENARIO
FOLDER` recovers every disk as the product does, twice, and says whether what had been promised is kept, `start _
FOLDER` starts the agent itself."""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

from tests.faults import catalogue
from tests.faults.explorer import PROMISED, Scenario
from tests.faults.play import SABOTAGES

FOR_EVER = 10**6  # rounds
BENCHES = "ubd?"  # one for each disk, as `init` mounts them
READY = " is ready"
SAID, JUDGED, STARTED = "promised: ", "judged: ", "started: "


def play(scenario: str, folder: Path, sabotage: str = "") -> None:
    """Act on the disk, telling each promise the moment it is made."""
    if sabotage:
        SABOTAGES[sabotage]()
    bench = min(folder.glob(BENCHES))
    if not _is_mounted(bench):
        raise SystemExit("the disk is not mounted")
    catalogue.scenario(scenario).play(bench, _promise, FOR_EVER)


def _promise(text: str) -> None:
    _say(SAID, text)


def judge(scenario: str, folder: Path) -> None:
    """One line of JSON for each disk: its name and what was broken."""
    found = catalogue.scenario(scenario)
    for bench in sorted(folder.glob(BENCHES)):
        promised: list[str] = json.loads((bench / PROMISED).read_text())
        broken = _broken(found, bench, promised) if _is_mounted(bench) else ["the disk cannot be mounted any more"]
        _say(JUDGED, json.dumps([bench.name, broken]))


def _broken(found: Scenario, bench: Path, promised: list[str]) -> list[str]:
    try:
        return found.check(bench, promised) or [f"second start: {it}" for it in found.check(bench, promised)]
    except Exception:  # noqa: BLE001 - a recovery that ends in a traceback broke every promise; the other disks go on
        return [traceback.format_exc()]


def _is_mounted(bench: Path) -> bool:
    return (bench / "state").is_mount()


def start(_: str, folder: Path) -> None:
    """One line of JSON: how the agent ended whose state is on the disk, or null once it is ready, and what it said."""
    command = [sys.executable, "-m", "agent", "run", "--config", str(min(folder.glob(BENCHES)) / "agent.toml")]
    said = list[str]()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as agent:
        assert agent.stderr is not None
        for line in agent.stderr:
            said.append(line)
            if READY in line:
                agent.kill()
    ended = None if READY in said[-1] else agent.returncode
    _say(STARTED, json.dumps([ended, "".join(said)]))


def _say(kind: str, text: str) -> None:
    os.write(1, f"{kind}{text}\n".encode())


if __name__ == "__main__":
    {"play": play, "judge": judge, "start": start}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
