"""`python -m tests.faults.call_faults SCENARIO [STRIDE]`, started with `tests/support/disk_faults.c` before libc: a
scenario whose disk fails at the first, second, third ... call that changes it, until a run ends without having met the
fault; each run is followed by a start on a disk that is well again.

What must hold after each: the program ended, or refused in words of ours, and never died of an error that nobody
foresaw or waited for ever; every promise it had made is kept; no sync was tried again on the descriptor on which it
failed; and the same work is then done. Prints one JSON object.
"""

import ctypes
import errno
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from agent.errors import LiuhenFault
from tests.faults import catalogue
from tests.faults.explorer import MEMORY, Scenario

WRITE, SYNC, NAME, MAKE, SIZE = 1, 2, 4, 8, 16  # as in disk_faults.c
KILL, SHORT = -1, -2
EVERY = WRITE | SYNC | NAME | MAKE | SIZE
PATIENCE_S = 60  # only against hanging
FEWEST = frozenset({"outbox", "receipt"})  # of many calls that are all alike
ONCE = frozenset({"recorder", "recorder-at-rest"})  # a recording is made once
KEPT, MOST_TOLD = 12, 400


@dataclass(frozen=True)
class Fault:
    """What happens to a call of one of `kinds`; `lasting`: to every call behind it, too."""

    name: str
    kinds: int
    what: int
    lasting: bool = False


FAULTS = (
    Fault("killed", EVERY, KILL),
    Fault("full once", WRITE | MAKE, errno.ENOSPC),
    Fault("full from then on", WRITE | MAKE, errno.ENOSPC, lasting=True),
    Fault("input/output error once", WRITE | SYNC | NAME | SIZE, errno.EIO),
    Fault("input/output errors from then on", WRITE | SYNC | NAME | SIZE, errno.EIO, lasting=True),
    Fault("read-only from then on", EVERY, errno.EROFS, lasting=True),
    Fault("short write", WRITE, SHORT),
)


@dataclass
class Run:
    """How one run under a fault went: `ended` is "done", "refused", "killed", "hung", or a traceback."""

    ended: str = "killed"
    calls: int = 0
    resynced: int = 0
    promised: list[str] = field(default_factory=list)


@dataclass
class Report:
    """Runs that met their fault, by fault; how many of them refused; what was broken."""

    met: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    broken: list[str] = field(default_factory=list)


def explore_calls(scenario: Scenario, folder: Path, stride: int, *, again: bool) -> Report:
    """Every fault at every `stride`-th call; `again`: the same work is done once more behind each."""
    (folder / "bench" / "state").mkdir(parents=True)
    _forked(lambda _: scenario.prepare(folder / "bench"))
    report, place = Report(), folder / "run"
    for fault in FAULTS:
        number, met = 1, True
        while met:
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(folder / "bench", place, symlinks=True)
            run = _play(scenario, place, fault, number)
            met = run.ended in ("killed", "hung") or run.calls >= number
            report.met[fault.name] = report.met.get(fault.name, 0) + met
            report.refused += run.ended == "refused"
            report.broken += [f"{fault.name} at call {number}: {it}" for it in _broken(scenario, place, run, again)]
            number += stride
    return report


def _play(scenario: Scenario, place: Path, fault: Fault | None, number: int = 0) -> Run:
    """Play in a process of its own, which may be killed or hang."""
    run = Run()

    def play(say: Callable[[str], None]) -> None:
        shim = ctypes.CDLL(None)
        if fault is not None:
            state = str((place / "state").resolve()).encode()
            shim.disk_faults_arm(state, fault.kinds, fault.what, ctypes.c_long(number), int(fault.lasting))
        try:
            scenario.play(place, lambda text: say(f"P{text}"), 0 if scenario.name in FEWEST else 1)
            ended = "done"
        except LiuhenFault:
            ended = "refused"
        except BaseException:  # noqa: BLE001 - whatever it died of is told
            ended = traceback.format_exc()
        say("E" + json.dumps([ended, shim.disk_faults_count(), shim.disk_faults_resynced()]))

    status, said = _forked(play)
    run.promised = [line[1:] for line in said if line.startswith("P")]
    if os.WIFSIGNALED(status):
        run.ended = "hung" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
    else:
        run.ended, run.calls, run.resynced = json.loads(said[-1][1:])
    return run


def _broken(scenario: Scenario, place: Path, run: Run, again: bool) -> list[str]:
    if run.ended not in ("done", "refused", "killed"):
        return [run.ended[-MOST_TOLD:]]
    found = ["a sync was tried again where it had failed"] if run.resynced else []
    found += _checked(scenario, place, run.promised)
    if not again or found:
        return found
    more = _play(scenario, place, None)
    if more.ended != "done":
        return [f"then it does not go on: {more.ended}"]
    return [f"then: {it}" for it in _checked(scenario, place, [*run.promised, *more.promised])]


def _checked(scenario: Scenario, place: Path, promised: list[str]) -> list[str]:
    def check(say: Callable[[str], None]) -> None:
        try:
            say(json.dumps(scenario.check(place, promised)))
        except BaseException:  # noqa: BLE001 - as above
            say(json.dumps([f"the next start died: {traceback.format_exc()}"]))

    status, said = _forked(check)
    return ["the next start hung"] if os.WIFSIGNALED(status) else list(json.loads(said[-1]))


def _forked(work: Callable[[Callable[[str], None]], None]) -> tuple[int, list[str]]:
    """Status and lines of a child that does `work`."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        signal.alarm(PATIENCE_S)
        work(lambda text: os.write(write, f"{text}\n".encode()) and None)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as lines:
        said = [line.removesuffix("\n") for line in lines]
    return os.waitpid(child, 0)[1], said


def main(name: str, stride: str = "1") -> int:
    """0: it was played; what was broken is in the report."""
    logging.disable()
    os.umask(0o077)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as place:
        report = explore_calls(catalogue.scenario(name), Path(place), int(stride), again=name not in ONCE)
    report.broken[KEPT:] = [f"and {len(report.broken) - KEPT} more"] if len(report.broken) > KEPT else []
    sys.stdout.write(json.dumps(asdict(report), ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
