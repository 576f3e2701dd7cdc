"""A card's boot partition as a place for files: a mounted folder, an image file, or a card in a reader. Images and
cards are written through mtools, without mounting anything."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault
from provisioning.fleet.disks import Machine, checked_disk, is_block_device, refuse_own
from provisioning.fleet.partitions import MBR_BYTES, boot_partition

TIMEOUT_S = 600.0  # ours: an offline installation of some 100 MB onto a slow card


class CardTarget(Protocol):
    """Names are relative, with `/`; folders are one level deep."""

    def names(self) -> set[str]:
        """What stands at the top."""

    def read(self, name: str) -> bytes:
        """A file's content as it is on the card."""

    def files(self, folder: str) -> dict[str, bytes]:
        """Every file in `folder` and below, by name; none when it is not there."""

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files, replacing; durable when this returns. Raises `EnvironmentFault`, for a full card too."""

    def remove(self, folder: str) -> None:
        """Remove a folder with what is in it, if it is there."""


@dataclass(frozen=True)
class FolderTarget:
    """A boot partition that is mounted, or copied, at `folder`."""

    folder: Path

    def names(self) -> set[str]:
        """As the protocol."""
        with durable.disk_errors(self.folder):
            return {place.name for place in self.folder.iterdir()}

    def read(self, name: str) -> bytes:
        """As the protocol."""
        with durable.disk_errors(self.folder / name):
            return self._plain(name).read_bytes()

    def files(self, folder: str) -> dict[str, bytes]:
        """As the protocol."""
        with durable.disk_errors(self.folder / folder):
            return _files(self.folder, self._plain(folder))

    def write(self, files: Mapping[str, bytes]) -> None:
        """As the protocol."""
        for name, content in files.items():
            place = self._plain(name)
            durable.make_directory(place.parent)
            durable.write_bytes(place, content)

    def remove(self, folder: str) -> None:
        """As the protocol."""
        place = self._plain(folder)
        with durable.disk_errors(place):
            for inside in sorted(place.glob("**/*"), reverse=True) if place.is_dir() else ():
                inside.rmdir() if inside.is_dir() and not inside.is_symlink() else inside.unlink()
            if place.is_dir():
                place.rmdir()

    def _plain(self, name: str) -> Path:
        place = self.folder / name
        if any(part.is_symlink() for part in (place, place.parent)):
            raise OperatorFault(f"{place} 是符号链接，已拒绝。启动分区上不会有符号链接，请检查目录。")
        return place


@dataclass(frozen=True)
class FatTarget:
    """The FAT partition at byte `offset` of `disk`, an image file or a whole card."""

    disk: Path
    offset: int

    def names(self) -> set[str]:
        """As the protocol."""
        return {line.strip("/") for line in self._mtools("mdir", "-b", "::").decode().replace("::", "").split("\n")}

    def read(self, name: str) -> bytes:
        """As the protocol."""
        return self._mtools("mtype", f"::{name}")

    def files(self, folder: str) -> dict[str, bytes]:
        """As the protocol."""
        if folder not in self.names():
            return {}
        with tempfile.TemporaryDirectory() as staged:
            self._mtools("mcopy", "-s", "-Q", "-n", f"::{folder}", staged)
            return _files(Path(staged), Path(staged, folder))

    def write(self, files: Mapping[str, bytes]) -> None:
        """As the protocol."""
        with tempfile.TemporaryDirectory() as staged:
            for name, content in files.items():
                place = Path(staged, name)
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(content)
            self._mtools("mcopy", "-s", "-o", "-Q", "-n", *sorted(map(str, Path(staged).iterdir())), "::")
        self._settle()

    def remove(self, folder: str) -> None:
        """As the protocol."""
        if folder in self.names():
            self._mtools("mdeltree", f"::{folder}")
            self._settle()

    def _settle(self) -> None:
        with durable.disk_errors(self.disk):
            descriptor = os.open(self.disk, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # what is read back comes from the card
            finally:
                os.close(descriptor)

    def _mtools(self, program: str, *arguments: str) -> bytes:
        command = [program, "-i", f"{self.disk}@@{self.offset}", *arguments]
        surroundings = {**os.environ, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False, env=surroundings)
        except FileNotFoundError as error:
            raise EnvironmentFault("本机没有安装 mtools。请运行 apt install mtools 后重试。") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EnvironmentFault(f"写卡超时或中断（{program}）。请检查读卡器后重试。") from error
        if done.returncode:
            raise EnvironmentFault(_said(self.disk, done.stderr.decode("utf-8", "replace")))
        return done.stdout


def _files(root: Path, folder: Path) -> dict[str, bytes]:
    places = (it for it in sorted(folder.rglob("*")) if it.is_file() and not it.is_symlink())
    return {place.relative_to(root).as_posix(): place.read_bytes() for place in places}


@contextmanager
def open_target(path: Path, machine: Machine | None = None) -> Iterator[tuple[CardTarget, str]]:
    """The card at `path` and what it is for people; raises `OperatorFault` for a system or mounted disk, what this
    computer itself starts from, or a file that is no image."""
    if path.is_dir():
        refuse_own(path, machine or Machine())
        yield FolderTarget(path), f"目录 {path}"
        return
    if is_block_device(path):
        disk = checked_disk(path, machine or Machine())
        yield FatTarget(path, _offset(path)), f"{disk.model} {disk.size / 1e9:.1f} GB（{path}）"
        return
    yield FatTarget(path, _offset(path)), f"映像 {path}"


def _offset(path: Path) -> int:
    with durable.disk_errors(path), path.open("rb") as disk:
        return boot_partition(disk.read(MBR_BYTES)).offset


def _said(disk: Path, text: str) -> str:
    lines: Sequence[str] = text.strip().splitlines() or ["?"]
    if "full" in text.lower() or "no free" in text.lower():
        return f"{disk} 的启动分区已满，卡未写好，原有内容未动。请清理启动分区或换一张卡。"
    return f"{disk} 的启动分区不能读写（{lines[-1][:120]}）。请检查卡是否写保护或损坏，重写系统映像后再试。"
