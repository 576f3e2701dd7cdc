"""Which disk is safe to write to: a card in a reader, never one that this computer lives on. `/sys`, `/proc` and `/`
are arguments."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from agent.errors import EnvironmentFault, OperatorFault

SECTOR = 512
OWN = ("", "boot", "boot/firmware")  # of Raspberry Pi OS, bookworm and before
CARD_NAMES = ("mmcblk", "sd")  # card readers; internal NVMe and virtual disks are never cards


@dataclass(frozen=True)
class Disk:
    """What a technician should see before it is written to."""

    path: Path
    model: str
    size: int


@dataclass(frozen=True)
class Machine:
    """Where the kernel tells of disks and mounts, and where this computer's own files begin."""

    sys: Path = Path("/sys")
    proc: Path = Path("/proc")
    root: Path = Path("/")


def checked_disk(path: Path, machine: Machine) -> Disk:
    """The whole card at `path`, which nothing uses; raises `OperatorFault` for a partition, a mounted disk, a disk that
    holds the running system, or one that cannot be taken out."""
    name = path.resolve().name
    block = machine.sys / "class" / "block" / name
    if not block.exists():
        raise OperatorFault(f"{path} 不是本机的磁盘。请用 lsblk 查看卡在哪里。")
    if (block / "partition").exists():
        raise OperatorFault(f"{path} 是一个分区，请写整张卡，例如 /dev/{name.rstrip('0123456789')}。")
    family = {_number(block), *(_number(part) for part in block.resolve().glob(f"{name}*") if (part / "dev").exists())}
    used = [place for number, place in _mounts(machine) if number in family]
    if used:
        raise OperatorFault(f"{path} 正在使用（挂载于 {used[0]}），已拒绝。请确认它是要写的卡，卸载后重试。")
    if any(held.iterdir() for held in block.resolve().glob("**/holders") if any(held.iterdir())):
        raise OperatorFault(f"{path} 被其他磁盘（LVM、加密或阵列）使用，已拒绝。请换成要写的卡。")
    if not name.startswith(CARD_NAMES) or not _removable(block, name):
        raise OperatorFault(f"{path} 不是可取出的卡，已拒绝，以免毁掉系统盘。请把卡放进读卡器，用 lsblk 核对。")
    model = _read(block / "device" / "model") or _read(block / "device" / "name") or "?"
    return Disk(path, model, int(_read(block / "size") or 0) * SECTOR)


def refuse_own(folder: Path, machine: Machine) -> None:
    """Raise `OperatorFault` when `folder` is what this computer itself starts from: the bench may be a Raspberry Pi."""
    own = {(machine.root / place).resolve() for place in OWN}
    if folder.resolve() in own:
        raise OperatorFault(f"{folder} 是本机自己的启动分区，已拒绝。请挂载要写的卡，指明它的目录。")


def is_block_device(path: Path) -> bool:
    """Whether `path` is a disk or part of one; raises `EnvironmentFault` when it cannot be looked at."""
    try:
        return stat.S_ISBLK(path.stat().st_mode)
    except OSError as error:
        raise EnvironmentFault(f"无法查看 {path}（{error.strerror or error}）。请检查路径与权限。") from error


def _removable(block: Path, name: str) -> bool:
    if name.startswith("mmcblk"):
        return _read(block / "device" / "type") == "SD"  # an eMMC is soldered in
    return _read(block / "removable") == "1"


def _mounts(machine: Machine) -> list[tuple[str, str]]:
    lines = (machine.proc / "self" / "mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    mounted = [(line.split()[2], line.split()[4]) for line in lines if line]
    swaps = (machine.proc / "swaps").read_text(encoding="utf-8").splitlines()[1:]
    names = [os.path.basename(line.split()[0]) for line in swaps if line]  # noqa: PTH119 - a name, not a path
    return mounted + [(_number(machine.sys / "class" / "block" / name), "swap") for name in names]


def _number(block: Path) -> str:
    return _read(block / "dev")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
