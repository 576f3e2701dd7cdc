"""True power cuts: a guest works on its disk and is killed; another guest mounts that disk, recovers as the product
does, and every promise that the first had made must be kept.

A plain disk has what the guest had written to it. A cached one has a cache of its own, which the guest must flush: of
what it wrote after that only a part is there (`disk_cache`).
"""

import json
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import catalogue
from tests.faults.explorer import MEMORY, PROMISED
from tests.power.disk_cache import SECTOR, cache_of, lose, unflushed
from tests.power.guest import JUDGED, SAID, STARTED
from tests.power.guests import DISK, NAMES, guest, make_disk

TOGETHER = len(NAMES)  # disks that one guest judges: its start takes longer than they do
UP_S, JUDGE_S = 300.0, 900.0  # only against hanging
LONGEST_S = 4.0  # of work, before the power goes
MOST_WRITES = 40  # by which a cut goes into the midst of what a guest writes at once


@dataclass(frozen=True)
class Work:
    """What a guest plays, on which file system (mounted with `options`) of a disk with a cache or without, and how the
    program was made worse (`tests.faults.play`)."""

    file_system: str
    cached: bool = False
    sabotage: str = ""
    options: str = ""
    scenario: str = "field"

    def order(self, what: str) -> dict[str, str]:
        """What `init` reads."""
        worse = self.sabotage if what == "play" else ""
        told = {"what": what, "scenario": self.scenario, "fs": self.file_system, "sabotage": worse}
        return {**told, "options": self.options and f"-o {self.options}"}


@dataclass(frozen=True)
class Cut:
    """A disk whose power went, and what had been promised by then."""

    disk: Path
    promised: list[str]


@dataclass
class Counted:
    """Power cuts, promises made in all, sectors that were in the disks' own caches, and what was broken by disk: one
    disk a cut."""

    cuts: int = 0
    promises: int = 0
    sectors: int = 0
    broken: dict[str, list[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        told = f"{self.promises} promises, {self.sectors} sectors in caches"
        return f"{len(self.broken)} of {self.cuts} disks of a killed guest break a promise, {told}"


@dataclass(frozen=True)
class Bench:
    """Where guests are started: `folder` for what they are told and for broken disks, `shim` as `build_shim` made it.
    `folder` must have no space in its path."""

    folder: Path
    shim: Path

    def cut(self, work: Work, count: int, seed: int = 1) -> Counted:
        """`count` power cuts at moments of chance, and what the disks broke; those that did are kept with what had been
        promised. Raises `RuntimeError` when a guest ended by itself or promised nothing."""
        counted, dice = Counted(), random.Random(seed)
        moments = [(dice.uniform(0.02, LONGEST_S), dice.randrange(MOST_WRITES)) for _ in range(count)]
        for first in range(0, count, TOGETHER):
            with _memory() as place, ThreadPoolExecutor(os.cpu_count()) as crew:
                some = moments[first : first + TOGETHER]
                disks = [Path(place) / str(first + number) / DISK for number in range(len(some))]
                cuts = list(crew.map(lambda disk, moment: self._cut(work, disk, *moment), disks, some))
                counted.sectors += sum(_lose_cache(cut.disk, dice) for cut in cuts if work.cached)
                for cut, broken in zip(cuts, self._judge(work, cuts), strict=True):
                    counted.cuts += 1
                    counted.promises += len(cut.promised)
                    if broken:
                        counted.broken[str(self._keep(cut))] = broken
        return counted

    def _cut(self, work: Work, disk: Path, after_s: float, writes: int) -> Cut:
        """Let a guest work on a new `disk` and take its power away `after_s` seconds after the first promise."""
        disk.parent.mkdir()
        make_disk(disk, work.file_system)
        folder = self._folder(DISK)
        catalogue.scenario(work.scenario).prepare(folder / "bench" / DISK)
        promised, other = list[str](), list[str]()
        disks, cached = ([], disk) if work.cached else ([disk], None)
        with guest(self.shim, folder, disks, work.order("play"), cached) as running:
            running.kill_after(UP_S)
            for line in running.lines():
                if not line.startswith(SAID):
                    other.append(line)
                    continue
                if not promised:
                    running.cut_after(after_s, writes)
                promised.append(line.removeprefix(SAID))
            if not promised or not running.was_killed():
                raise RuntimeError(f"the guest ended by itself, or promised nothing in {UP_S:.0f} s: {other[-30:]}")
        shutil.rmtree(folder)
        return Cut(disk, promised)

    def _judge(self, work: Work, cuts: Sequence[Cut]) -> list[list[str]]:
        """What each disk broke. The guest works on copies: a disk that broke something is kept as the cut left it."""
        folder = self._folder(*NAMES[: len(cuts)])
        copies = [_copy(cut.disk, cut.disk.with_suffix(".judged")) for cut in cuts]
        for name, cut in zip(NAMES, cuts, strict=False):
            (folder / "bench" / name / PROMISED).write_text(json.dumps(cut.promised))
        with guest(self.shim, folder, copies, work.order("judge")) as running:
            running.kill_after(JUDGE_S)
            said = list(running.lines())
        shutil.rmtree(folder)
        found = dict(json.loads(it.removeprefix(JUDGED)) for it in said if it.startswith(JUDGED))
        if len(found) != len(cuts):
            raise RuntimeError(f"the guest judged {len(found)} of {len(cuts)} disks: {said[-30:]}")
        return [found[name] for name in NAMES[: len(cuts)]]

    def _keep(self, cut: Cut) -> Path:
        kept = Path(tempfile.mkdtemp(dir=self.folder, prefix="broken-"))
        (kept / PROMISED).write_text(json.dumps(cut.promised))
        return _copy(cut.disk, kept / "disk.img")

    def start_agent(self, device: Path, file_system: str) -> tuple[int | None, str]:
        """The exit code, or None once it is ready, and the words of an agent whose folder is a copy of `device`, with
        its state on a new disk."""
        folder = self._folder()
        shutil.copytree(device, folder / "bench" / DISK)
        disk = make_disk(folder / "disk.img", file_system)
        with guest(self.shim, folder, [disk], Work(file_system).order("start")) as running:
            running.kill_after(UP_S)
            said = list(running.lines())
        (ended,) = (json.loads(it.removeprefix(STARTED)) for it in said if it.startswith(STARTED))
        code, words = ended
        return code, words

    def _folder(self, *benches: str) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        for name in ("", *benches):
            (folder / "bench" / name).mkdir()
        return folder


def _copy(disk: Path, target: Path) -> Path:
    """Without the sectors that hold nothing: most of them."""
    subprocess.run(["cp", "--sparse=always", disk, target], check=True)
    return target


def _lose_cache(disk: Path, dice: random.Random) -> int:
    writes = list(unflushed(cache_of(disk)))
    lose(disk, writes, dice)
    return sum(len(write.after) // SECTOR for write in writes)


def _memory() -> "tempfile.TemporaryDirectory[str]":
    """Disks are made where nobody else waits for them, if there is such a place."""
    return tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
