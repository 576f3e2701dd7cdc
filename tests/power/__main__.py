"""`python -m tests.power`: true power cuts. A guest kernel (User Mode Linux) records onto a disk of its own, and is
killed with everything that it had not written yet; another guest mounts that disk, recovers as the product does, and
every promise that the first one had made must be kept.

    python -m tests.power                                 50 cuts of a recording on ext4 and as many on f2fs
    python -m tests.power --scenario outbox --cuts 10

A disk that broke a promise is kept. FAT is tried with --file-system vfat: see tests/faults/README.md for why no
evidence is kept there. Ends with 1 when a promise was broken.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.faults import catalogue
from tests.faults.explorer import PROMISED
from tests.power.guest import JUDGED, PROMISE

ROOT = Path(__file__).parents[2]
MAKERS = {"ext4": ["mkfs.ext4", "-q", "-F"], "f2fs": ["mkfs.f2fs", "-q", "-f"], "vfat": ["mkfs.vfat"]}
DISK_BYTES = 128 * 2**20
TOGETHER = 8  # disks that one guest judges: its start takes longer than they do
UP_S = 600.0  # until the first promise: an interpreter over hostfs
LONGEST_S = 6.0  # of playing, before the power goes
JUDGE_S = 900.0


@dataclass(frozen=True)
class Cut:
    """A disk whose power went, and what had been promised by then."""

    disk: Path
    promised: list[str]


def cut(scenario: str, file_system: str, disk: Path, after_s: float) -> Cut:
    """Let a guest play on a new `disk` and take its power away `after_s` seconds after the first promise."""
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run([*MAKERS[file_system], disk], check=True, capture_output=True)
    bench = disk.with_suffix("") / "ubda"
    bench.mkdir(parents=True)
    catalogue.scenario(scenario).prepare(bench)
    promised: list[str] = []
    with _guest("play", scenario, file_system, disk.with_suffix(""), [disk]) as guest:
        late = threading.Timer(UP_S, _kill, [guest])
        late.start()
        for line in _lines(guest):
            if line.startswith(PROMISE):
                if not promised:
                    late.cancel()
                    threading.Timer(after_s, _kill, [guest]).start()
                promised.append(line.removeprefix(PROMISE))
        late.cancel()
    if not promised:
        raise SystemExit(f"the guest promised nothing in {UP_S:.0f} s; is user-mode-linux installed?")
    return Cut(disk, promised)


def judged(scenario: str, file_system: str, cuts: Sequence[Cut]) -> Iterator[tuple[Cut, list[str]]]:
    """What each of the disks broke, as one guest finds."""
    folder = cuts[0].disk.with_suffix(".judged")
    names = [f"ubd{letter}" for letter in "abcdefgh"[: len(cuts)]]
    for name, one in zip(names, cuts, strict=True):
        shutil.copytree(one.disk.with_suffix("") / "ubda", folder / name)
        (folder / name / PROMISED).write_text(json.dumps(one.promised))
    with _guest("judge", scenario, file_system, folder, [it.disk for it in cuts]) as guest:
        timer = threading.Timer(JUDGE_S, _kill, [guest])
        timer.start()
        said = list(_lines(guest))
        timer.cancel()
    found = [json.loads(line.removeprefix(JUDGED)) for line in said if line.startswith(JUDGED)]
    broken = {name: lines for name, _, lines in found}
    for name, one in zip(names, cuts, strict=True):
        yield one, broken.get(name, [f"the guest said nothing of it: {said[-3:]}"])


def _guest(what: str, scenario: str, file_system: str, benches: Path, disks: Sequence[Path]) -> "subprocess.Popen[str]":
    words = [f"ubd{number}={disk}" for number, disk in enumerate(disks)]
    told = {"what": what, "scenario": scenario, "fs": file_system, "benches": benches, "project": ROOT,
            "python": sys.executable}  # fmt: skip
    words += [f"liuhen.{name}={value}" for name, value in told.items()]
    command = ["linux.uml", "mem=280M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "con=null",
               "con0=null,fd:1", f"init={ROOT / 'tests/power/init'}"]  # fmt: skip
    return subprocess.Popen(
        [*command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, errors="replace", start_new_session=True,
    )  # fmt: skip


def _lines(guest: "subprocess.Popen[str]") -> Iterator[str]:
    assert guest.stdout is not None
    for line in guest.stdout:
        if line.endswith("\n"):  # the last one may be cut
            yield line.rstrip("\r\n")


def _kill(guest: "subprocess.Popen[str]") -> None:
    """All of the guest's processes at once: what its kernel had not written is gone."""
    if guest.poll() is None:
        os.killpg(guest.pid, signal.SIGKILL)


def main() -> int:
    """Cut, judge, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="recording", help="one of tests/faults/catalogue.py")
    parser.add_argument("--cuts", type=int, default=50, help="for each file system")
    parser.add_argument("--file-system", choices=MAKERS, action="append", help="default: ext4 and f2fs")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "power")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    shutil.rmtree(asked.folder, ignore_errors=True)
    bad = sum(_tried(asked, name) for name in asked.file_system or ["ext4", "f2fs"])
    return 1 if bad else 0


def _tried(asked: argparse.Namespace, file_system: str) -> int:
    """How many disks of that file system broke a promise."""
    folder, chance = (asked.folder / file_system).resolve(), random.Random(asked.seed)
    folder.mkdir(parents=True)
    bad = done = promises = 0
    moments = [chance.uniform(0.05, LONGEST_S) for _ in range(asked.cuts)]
    with ThreadPoolExecutor(os.cpu_count()) as crew:
        for first in range(0, asked.cuts, TOGETHER):
            numbers = range(first, min(first + TOGETHER, asked.cuts))
            cuts = list(crew.map(lambda number: cut(asked.scenario, file_system, folder / f"{number}.img",
                                                    moments[number]), numbers))  # fmt: skip
            for one, broken in judged(asked.scenario, file_system, cuts):
                done, promises = done + 1, promises + len(one.promised)
                bad += bool(broken)
                if not broken:
                    one.disk.unlink()
                for line in broken:
                    sys.stdout.write(f"{one.disk}: {line}\n")
            sys.stdout.write(f"{file_system}: {done} cuts, {promises} promises, {bad} disks broke one\n")
            sys.stdout.flush()
    return bad


if __name__ == "__main__":
    sys.exit(main())
