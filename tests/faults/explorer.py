"""The crash explorer: every promise a program made must hold on every disk that a power cut may have left.

`explore` traces one scenario, rebuilds the legal disks at each moment, runs the real recovery on each and asks the
scenario's checker. A disk that breaks a promise is kept, with what was promised, as its own reproducer.
"""

import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from agent.control.messages import RecordingFailed, WorkFailed
from agent.errors import EnvironmentFault
from tests.faults.disk import Disk, Model, Survivors, choices
from tests.faults.operations import Link, Synced, Trace, Tree
from tests.faults.tracing import TraceFault, trace

Promise = Callable[[str], None]
Answer = TypeVar("Answer")
TRIES = 3
MEMORY = Path("/dev/shm")  # disks are built where a sync costs nothing, if there is such a place
SPARE = 4  # choices looked at for one disk that is checked: many give the same one
KEPT = 3  # broken disks that are kept of one exploration
PROMISED = "promised.json"


@dataclass(frozen=True)
class Scenario:
    """What is played on a bench: a folder with keys and the like, and `state`, the disk that loses power.

    `prepare(bench)` makes what is there before; `play(bench, promise, rounds)` acts as the product does, so many times
    over, and calls `promise` for what it tells the world; `check(bench, promised)` recovers as the product does and
    returns the promises broken.
    """

    name: str
    prepare: Callable[[Path], None]
    play: Callable[[Path, Promise, int], None]
    check: Callable[[Path, list[str]], list[str]]


def nothing(bench: Path) -> None:
    """Nothing is there before."""


def insist(work: Callable[[], Answer]) -> Answer:
    """What `work` gives; tried again by who asks for it, a few times, when the disk refuses it."""
    for _ in range(TRIES - 1):
        with suppress(EnvironmentFault):
            return work()
    return work()


def taken(answer: object) -> None:
    """Raises what an adapter tells as an event: that the disk refused."""
    if isinstance(answer, WorkFailed | RecordingFailed):
        raise EnvironmentFault(answer.detail)


@dataclass
class Found:
    """Disks looked at, promises made in all, and what was broken."""

    states: int = 0
    promises: int = 0
    broken: list[str] = field(default_factory=list)


def explore(
    scenario: Scenario,
    folder: Path,
    model: Model,
    budget: int,
    rounds: int = 1,
    seed: int = 1,
    forget: Callable[[Synced], bool] = lambda _: False,
    sabotage: str = "",
) -> Found:
    """Look at up to `budget` disks of `scenario`. `forget` names syncs that are taken out of the trace, and `sabotage`
    is one of `play.SABOTAGES`: both must be noticed. Broken disks are kept below `folder`. Raises `TraceFault`."""
    bench, traced = played(scenario, folder, str(rounds), *([sabotage] if sabotage else []))
    found = judge(scenario, without(traced, forget), [], bench, model, budget, seed)
    if not found.promises:
        raise TraceFault(f"{scenario.name} promised nothing: nothing was shown")
    return found


def played(scenario: Scenario, folder: Path, *what: str) -> tuple[Path, Trace]:
    """The bench of `scenario` in `folder`, prepared and played as `what` says (`play`), and what it did to its disk."""
    bench = folder / "bench"
    (bench / "state").mkdir(parents=True)
    scenario.prepare(bench)
    return bench, _traced(scenario, bench, folder, *what)


def without(traced: Trace, forget: Callable[[Synced], bool]) -> Trace:
    """The same with these syncs left out."""
    kept = [it for it in traced.operations if not (isinstance(it[1], Synced) and forget(it[1]))]
    return replace(traced, operations=kept)


def explore_recovery(
    scenario: Scenario, broken_off: Path, folder: Path, model: Model, budget: int, seed: int = 1
) -> Found:
    """The same for a second power cut while the kept or saved disk `broken_off` is recovered."""
    bench = folder / "bench"
    shutil.copytree(broken_off, bench, symlinks=True)
    promised: list[str] = json.loads((bench / PROMISED).read_text())
    return judge(scenario, _traced(scenario, bench, folder, "recover"), promised, bench, model, budget, seed)


def save_disks(scenario: Scenario, folder: Path, model: Model, count: int, seed: int = 1) -> list[Path]:
    """Benches of `count` disks of `scenario`, not yet recovered: where a second power cut may begin."""
    bench, traced = played(scenario, folder, "1")
    found = disks(traced, model, count, seed)
    return [_save(bench, tree, promised, folder / f"disk-{number}") for number, (tree, promised) in enumerate(found)]


def disks(traced: Trace, model: Model, budget: int, seed: int) -> Iterator[tuple[Tree, list[str]]]:
    """Distinct disks and the promises made before each, spread over the whole run if there are more than `budget`."""
    dice = random.Random(seed)
    planned = [(cut, it) for cut, disk in _cuts(traced, model) for it in choices(disk, model, dice)]
    seen, distinct = set[bytes](), list[tuple[int, Survivors]]()
    for cut, survivors, disk in _at(_sample(planned, budget * SPARE, dice), traced, model):
        mark = _digest(disk.tree(survivors), len(disk.promises))
        if mark not in seen:
            seen.add(mark)
            distinct.append((cut, survivors))
    for _, survivors, disk in _at(_sample(distinct, budget, dice), traced, model):
        yield disk.tree(survivors), list(disk.promises)


def _sample(found: list[tuple[int, Survivors]], count: int, dice: random.Random) -> list[tuple[int, Survivors]]:
    """So many of them; the last one, before which every promise was made, is always among them."""
    return found if len(found) <= count else [*dice.sample(found[:-1], count - 1), found[-1]]


def _at(planned: list[tuple[int, Survivors]], traced: Trace, model: Model) -> Iterator[tuple[int, Survivors, Disk]]:
    """What is planned, in the order of its cuts, each with the disk at that moment."""
    wanted: dict[int, list[Survivors]] = {}
    for cut, survivors in planned:
        wanted.setdefault(cut, []).append(survivors)
    for cut, disk in _cuts(traced, model):
        for survivors in wanted.get(cut, ()):
            yield cut, survivors, disk


def _cuts(traced: Trace, model: Model) -> Iterator[tuple[int, Disk]]:
    disk = Disk.at_start(traced)
    for cut, _ in enumerate(disk.cuts(traced.operations, model)):
        yield cut, disk


def _traced(scenario: Scenario, bench: Path, folder: Path, *what: str) -> Trace:
    command = [sys.executable, "-m", "tests.faults.play", scenario.name, str(bench), *what]
    traced = trace(command, bench / "state", folder / "strace.txt")
    *_, (_, last) = _cuts(traced, Model.STRICT)
    rebuilt, real = last.tree(last.everything()), _read(bench / "state")
    if rebuilt != real:
        differing = sorted(path for path in rebuilt.keys() | real.keys() if rebuilt.get(path) != real.get(path))
        raise TraceFault(f"{scenario.name}: the trace does not rebuild {', '.join(differing[:5])}")
    return traced


def judge(
    scenario: Scenario, traced: Trace, before: list[str], bench: Path, model: Model, budget: int, seed: int
) -> Found:
    """Up to `budget` disks of what was traced; `before` was promised then already."""
    found = Found()
    with _workplace() as place:
        for tree, promised in disks(traced, model, budget, seed):
            said = [*before, *promised]
            found.states += 1
            found.promises = max(found.promises, len(said))
            for fault in checked_twice(scenario, _save(bench, tree, said, place / "bench")):
                if len(found.broken) < KEPT:
                    fault += f" (kept in {_save(bench, tree, said, bench.with_name(f'broken-{found.states}'))})"
                found.broken.append(fault)
                break
    return found


def checked_twice(scenario: Scenario, bench: Path) -> Iterable[str]:
    """A start after the start that recovered must find the same."""
    promised: list[str] = json.loads((bench / PROMISED).read_text())
    return _checked(scenario, bench, promised) or [f"second start: {it}" for it in _checked(scenario, bench, promised)]


def _checked(scenario: Scenario, bench: Path, promised: list[str]) -> list[str]:
    """A start that dies of what it finds broke every promise; its disk is kept like any other."""
    try:
        return scenario.check(bench, promised)
    except Exception:  # noqa: BLE001 - as above
        return [f"the next start died: {traceback.format_exc()}"]


def _save(bench: Path, tree: Tree, promised: list[str], place: Path) -> Path:
    """Everything in it is its owner's alone, as keys must be: what a file may be read by is not looked at."""
    shutil.rmtree(place, ignore_errors=True)
    with _private():
        return _saved(bench, tree, promised, place)


def _saved(bench: Path, tree: Tree, promised: list[str], place: Path) -> Path:
    shutil.copytree(bench, place, ignore=lambda here, _: ["state"] if Path(here) == bench else [])
    (place / PROMISED).write_text(json.dumps(promised))
    (place / "state").mkdir()
    for path, content in tree.items():
        match content:
            case None:
                (place / "state" / path).mkdir()
            case Link(target):
                (place / "state" / path).symlink_to(target)
            case _:
                (place / "state" / path).write_bytes(content)
    return place


def _read(state: Path) -> Tree:
    found = (path for path in state.rglob("*") if not path.name.endswith("-shm"))
    return {str(path.relative_to(state)): _here(path) for path in found}


def _here(path: Path) -> bytes | Link | None:
    if path.is_symlink():
        return Link(str(path.readlink()))
    return None if path.is_dir() else path.read_bytes()


def _digest(tree: Tree, promises: int) -> bytes:
    summed = hashlib.sha1(str(promises).encode(), usedforsecurity=False)
    for path, content in sorted(tree.items()):
        held = content.target.encode() if isinstance(content, Link) else content
        summed.update(f"\0{path}\0{type(content).__name__}{len(held or b'')}\0".encode())
        summed.update(held or b"")
    return summed.digest()


@contextmanager
def _private() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _workplace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as place:
        yield Path(place)
