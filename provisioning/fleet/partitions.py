"""Where a disk image's boot partition begins (pure): MBR as every Raspberry Pi OS image has it."""

import struct
from dataclasses import dataclass

from agent.errors import OperatorFault

SECTOR = 512
MBR_BYTES = 512
FAT_TYPES = frozenset({0x0B, 0x0C, 0x06, 0x0E})  # FAT32 and FAT16, CHS and LBA


@dataclass(frozen=True)
class BootPartition:
    """Bytes from the beginning of the disk, and length."""

    offset: int
    size: int


def boot_partition(head: bytes) -> BootPartition:
    """The first FAT partition of a disk that begins with `head` (512 bytes or more); raises `OperatorFault`."""
    if len(head) >= MBR_BYTES and head[510:512] == b"\x55\xaa":
        for at in range(446, 510, 16):
            kind, start, sectors = head[at + 4], *struct.unpack_from("<II", head, at + 8)
            if kind in FAT_TYPES and start and sectors:
                return BootPartition(start * SECTOR, sectors * SECTOR)
    raise OperatorFault("没有找到 FAT 启动分区。请先把 Raspberry Pi OS 的系统映像写到卡上，再运行 write-card。")
