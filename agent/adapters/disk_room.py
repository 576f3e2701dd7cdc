"""How much room the disk of the recordings has. Two parts of it are kept for closing what is open: the *reserve*, a
file of real blocks that nothing else can take (`reserve_file`), and the *margin*, free room beside it."""

import os
from pathlib import Path

from agent import durable
from agent.adapters.reserve_file import ReserveFile
from agent.control.storage_policy import MARGIN_BYTES
from agent.errors import EnvironmentFault


class NoRoom(EnvironmentFault):
    """The disk works and is full."""


class DiskRoom:
    """The disk that `root` stands on, or will."""

    def __init__(self, root: Path, reserve: ReserveFile) -> None:
        self._root, self._reserve = root, reserve

    def free_bytes(self) -> int:
        """Room left for this process; raises `EnvironmentFault`."""
        with durable.disk_errors(self._root):
            found = _disk_of(self._root)
        return found.f_bavail * found.f_frsize

    def check(self, margin: int) -> int:
        """`free_bytes`, unless less than `margin` is left (`NoRoom`)."""
        free = self.free_bytes()
        if free < margin:
            raise NoRoom(f"存储空间不足（剩余 {free // 2**20} MB），录像暂停写入。请导出已回执的录像或更换存储卡。")
        return free

    def hold_reserve(self, margin: int) -> None:
        """Hold the room for closing and see that `margin` is left beside it; raises `NoRoom` or `EnvironmentFault`."""
        if not self._reserve.ensure():
            raise NoRoom("存储空间不足，连封存所需的空间也留不出，未录制。请导出已回执的录像或更换存储卡。")
        self.check(margin)

    def use_reserve(self) -> None:
        """Something is to be closed: give the reserve back where there is not enough room without it."""
        try:
            short = self.free_bytes() < MARGIN_BYTES
        except EnvironmentFault:  # what is to be closed meets the same and says so
            return
        if short:
            self._reserve.release()


def _disk_of(root: Path) -> os.statvfs_result:
    try:
        return os.statvfs(root)
    except FileNotFoundError:
        return os.statvfs(next(place for place in root.parents if place.exists()))
