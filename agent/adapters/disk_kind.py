"""Which file system a folder stands on, and the refusal of those that lose what was confirmed.

On FAT a renamed file came back empty after a power cut though file and folder had been synced: in five cuts of five
practically everything that had been confirmed was gone (reference: reliability, section 2.1). FAT and exFAT are for
handing copies out. What the mounts do not tell is let pass: a recorder that does not record is the worse fault.
"""

import re
from pathlib import Path

from agent.errors import OperatorFault

MOUNTS = Path("/proc/self/mountinfo")  # proc(5)
LOSSY = frozenset({"vfat", "msdos", "fat", "exfat", "fuseblk"})  # fuseblk: what ntfs-3g and exfat-fuse mount as
_ESCAPED = re.compile(r"\\([0-7]{3})")


def file_system(folder: Path, mounts: Path = MOUNTS) -> str:
    """The kind of file system below `folder`, as the kernel calls it; "" when that cannot be told."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place, found, longest = folder.resolve(), "", -1
    for line in lines:
        before, _, behind = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not behind:
            continue
        point = Path(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), fields[4]))
        if place.is_relative_to(point) and len(point.parts) >= longest:  # of two at one point the later is on top
            found, longest = behind.split()[0], len(point.parts)
    return found


def refuse_lossy(folder: Path, mounts: Path = MOUNTS) -> None:
    """Raises `OperatorFault` when `folder` stands on a file system that loses confirmed files on a power cut."""
    kind = file_system(folder, mounts)
    if kind in LOSSY:
        raise OperatorFault(
            f"{folder} 在 {kind} 文件系统上：断电时，已确认保存的文件也会丢失，不能存放证据。"
            "请把 state_dir 改到 ext4 或 f2fs 分区。"
        )
