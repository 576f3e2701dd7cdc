"""Guests of User Mode Linux: a kernel as a process of ours, over this machine's root, read-only, with disks of its own.
Killed, it takes with it whatever it had not written to them."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIM = ROOT / "tests" / "support" / "guest.c"
INIT = Path(__file__).with_name("init")
MAKERS = {"ext4": ["mkfs.ext4", "-q", "-F"], "f2fs": ["mkfs.f2fs", "-q", "-f"], "vfat": ["mkfs.vfat"]}
TOOLS = ("linux.uml", "busybox", "gcc", *(maker[0] for maker in MAKERS.values()))
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # an ordinary user's has no mkfs
DISK_BYTES = 128 * 2**20
NAMES = tuple(f"ubd{letter}" for letter in "abcdefghijklmnop")  # it takes no more
DISK = NAMES[0]  # that of a guest with one
KERNEL = ("mem=280M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "con=null", "con0=null,fd:1")


def missing() -> list[str]:
    """What must be installed and is not."""
    return [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]


def build_shim(folder: Path) -> Path:
    """What stands before libc in each guest."""
    made = folder / "guest.so"
    command = ["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-O2", "-o", made, SHIM]
    subprocess.run(command, check=True)
    return made


def make_disk(disk: Path, file_system: str) -> Path:
    """A new disk."""
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    maker, *options = MAKERS[file_system]
    subprocess.run([shutil.which(maker, path=PATH) or maker, *options, disk], check=True, capture_output=True)
    return disk


class Guest:
    """A running guest. `cached` is its disk, if that has a cache of its own."""

    def __init__(self, process: "subprocess.Popen[str]", cached: Path | None) -> None:
        self._process, self._cached = process, cached
        self._timers: list[threading.Timer] = []

    def lines(self) -> Iterator[str]:
        """Each whole line that it says until it ends; the last may have been cut off."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                yield line.rstrip("\r\n")

    def was_killed(self) -> bool:
        """Whether its power went, or it ended by itself; waits for that."""
        return self._process.wait() == -signal.SIGKILL

    def kill_after(self, seconds: float) -> None:
        """All of its processes at once, later."""
        self._later(seconds, self.kill)

    def cut_after(self, seconds: float, writes: int) -> None:
        """Its power goes then, in place of all that was to come; with a cached disk as many `writes` to it later (below
        256), or after a second."""
        self.cancel()
        if self._cached is not None:
            self._later(seconds, partial(self._cached.with_name(f"{DISK}.cut").write_bytes, bytes([writes])))
            seconds += 1
        self.kill_after(seconds)

    def kill(self) -> None:
        """All of its processes at once."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def cancel(self) -> None:
        """Nothing happens later."""
        for timer in self._timers:
            timer.cancel()

    def _later(self, seconds: float, what: Callable[[], object]) -> None:
        timer = threading.Timer(seconds, what)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)


@contextmanager
def guest(
    shim: Path, folder: Path, disks: Sequence[Path], order: dict[str, str], cached: Path | None = None
) -> Iterator[Guest]:
    """A guest with `disks`, each mounted as `state` below the bench of its name in `folder`/bench; or with one,
    `cached`, that has a cache of its own. `init` reads `order`."""
    shutil.copy(INIT, folder / "init")
    told = {**order, "cached": str(cached.parent) if cached else "", "project": str(ROOT), "python": sys.executable}
    (folder / "order").write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in told.items()))
    words = [*KERNEL, f"init={folder}/init", *(f"ubd{number}={disk}" for number, disk in enumerate(disks))]
    environment = {**os.environ, "LD_PRELOAD": str(shim), **({"GUEST_DISK": str(cached)} if cached else {})}
    with subprocess.Popen(
        ["linux.uml", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, errors="replace", start_new_session=True, env=environment,
    ) as process:  # fmt: skip
        running = Guest(process, cached)
        try:
            yield running
        finally:
            running.cancel()
            running.kill()
