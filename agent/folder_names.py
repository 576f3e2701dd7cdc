"""Everything that lies in a folder of evidence, by name, and what of it some computer has left there by itself."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.errors import OperatorFault

MAX_NAMES = 200_000  # ours; an export lists 4096 photos and as many notes
TRACE_FOLDERS = frozenset(
    {
        *("System Volume Information", "$RECYCLE.BIN"),  # Windows, on every disk it writes to
        *(".Trashes", ".Spotlight-V100", ".fseventsd", ".TemporaryItems"),  # macOS, likewise
        *("lost+found", ".Trash-0", ".Trash-1000"),  # ext4's fsck; freedesktop.org trash specification 1.0
    }
)
TRACE_FILES = {
    ".DS_Store": b"\0\0\0\1Bud1",  # macOS Finder
    "Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",  # Windows Explorer: an OLE compound file ([MS-CFB] section 2.2)
    "desktop.ini": b"[.ShellClassInfo]",  # Windows Explorer
}
APPLE_DOUBLE_PREFIX, APPLE_DOUBLE = "._", b"\0\5\x16\7"  # macOS on foreign disks (RFC 1740 appendix B)


@dataclass(frozen=True)
class FolderNames:
    """Paths relative to the folder. `traces`, which are not among `files`, have both the name and the beginning of what
    computers leave behind; a folder of such a name ends in "/" and was not looked into."""

    files: tuple[str, ...]
    traces: tuple[str, ...]


def names_in(folder: Path, most: int = MAX_NAMES) -> FolderNames:
    """All that is no folder in `folder`, at any depth; a link is a file, wherever it leads. Raises `OSError`, and
    `OperatorFault` when there are more than `most`."""
    files: list[str] = []
    traces: list[str] = []
    for name, is_trace in _walk(folder):
        (traces if is_trace else files).append(name)
        if len(files) + len(traces) > most:
            raise OperatorFault(f"{folder} 中有 {most} 个以上的文件，不像录制或导出。请检查路径。")
    return FolderNames(tuple(files), tuple(traces))


def is_trace(path: Path) -> bool:
    """Whether a computer has left `path` there by itself; by its name and its first bytes. Raises `OSError`."""
    kind = path.lstat().st_mode
    if stat.S_ISDIR(kind):
        return path.name in TRACE_FOLDERS
    expected = APPLE_DOUBLE if path.name.startswith(APPLE_DOUBLE_PREFIX) else TRACE_FILES.get(path.name)
    if expected is None or not stat.S_ISREG(kind):
        return False
    with path.open("rb") as stream:
        return stream.read(len(expected)) == expected


def _walk(folder: Path) -> Iterator[tuple[str, bool]]:
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                path, inside = Path(entry.path), entry.is_dir(follow_symlinks=False)
                trace = is_trace(path)
                if inside and not trace:
                    waiting.append(path)
                else:
                    yield f"{path.relative_to(folder)}{'/' if inside else ''}", trace
