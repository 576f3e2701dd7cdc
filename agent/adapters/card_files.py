"""What stands on a mounted card or in a folder of another maker's recorder; nothing there is trusted, nothing changed.

A card is walked by descriptors and no link is followed, so that no name on it leads anywhere else. What is no regular
file is counted and left alone.
"""

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.adapters.collected_shelf import Seen
from agent.adapters.window import Window
from agent.errors import EnvironmentFault
from agent.evidence.bmff import Source
from agent.evidence.collected import MAX_PATH_BYTES, is_cut_short

CHUNK_BYTES = 1 << 20
MAX_DEPTH, MAX_FILES = 12, 200_000  # ours; a camera's card has DCIM/100MEDIA and some thousand files
EARLIEST, LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)  # FAT begins in 1980
IGNORED = ("System Volume Information", "lost+found", "$RECYCLE.BIN", ".Trash-1000")
EMPTY, SPECIAL, LINK, LONG, CROWD = "空文件", "非普通文件", "符号链接", "路径过长", "文件过多"
NO_ROOM, REFUSED, UNREADABLE = "存储空间放不下", "无法出具凭证", "无法读取"


class CardFault(EnvironmentFault):
    """The card could not be read: pulled, damaged, or not ours to read."""


class CardChanged(EnvironmentFault):
    """The file became another one while it was read."""


@dataclass(frozen=True)
class CardFile:
    """A regular file that is not empty; `open` gives a descriptor of it, or raises `OSError`."""

    seen: Seen
    inode: int
    open: Callable[[], int]

    @property
    def modified(self) -> datetime:
        """What the card's file system claims, within the years that can be true."""
        try:
            told = datetime.fromtimestamp(self.seen.modified_ns / 1e9, UTC)
        except (ValueError, OverflowError, OSError):
            return EARLIEST
        return min(max(told, EARLIEST), LATEST)

    def pieces(self, stopped: Callable[[], bool]) -> Iterator[bytes]:
        """All its bytes. Raises `CardFault` when it cannot be read or `stopped`, `CardChanged` when it is not the file
        that was seen, from the first byte to the last."""
        try:
            descriptor = self.open()
        except OSError as error:
            raise _fault(error) from error
        try:
            self._check(descriptor)
            while piece := os.read(descriptor, CHUNK_BYTES):
                if stopped():
                    raise CardFault("采集在停机时中断，下次开机重新采集。")
                yield piece
            self._check(descriptor)
        except OSError as error:
            raise _fault(error) from error
        finally:
            os.close(descriptor)

    def is_cut_short(self) -> bool:
        """Whether it is an MP4 that ends too early; reads little of it. Raises `CardFault`."""
        try:
            descriptor = self.open()
        except OSError as error:
            raise _fault(error) from error
        try:
            return is_cut_short(Source(self.seen.size, Window(descriptor).read_at))
        except OSError as error:
            raise _fault(error) from error
        finally:
            os.close(descriptor)

    def _check(self, descriptor: int) -> None:
        now = os.fstat(descriptor)
        same = (now.st_ino, now.st_size, now.st_mtime_ns) == (self.inode, self.seen.size, self.seen.modified_ns)
        if not same or not stat.S_ISREG(now.st_mode):
            raise CardChanged("文件在读取时仍在变化，稍后重新采集。")


def card_files(root: Path, left_out: Counter[str]) -> Iterator[CardFile]:
    """Every regular file below `root`, folder by folder; it can be opened until the next is asked for. What was left
    out is counted in `left_out` by kind, also a folder that does not open. Raises `CardFault` when the card cannot be
    read."""
    start, count = os.fsencode(root), 0

    def passed_over(error: OSError) -> None:
        left_out[UNREADABLE] += error.errno != errno.ENOENT  # renamed or removed meanwhile: nothing to tell

    try:
        for folder, folders, names, descriptor in os.fwalk(start, onerror=passed_over):
            inside = os.path.relpath(folder, start)
            depth = 0 if inside == b"." else inside.count(b"/") + 1
            folders[:] = _entered(folders, descriptor, depth, left_out)
            for name in sorted(names):
                count += 1
                if count > MAX_FILES:
                    left_out[CROWD] += 1
                    continue
                found = _file(name if depth == 0 else inside + b"/" + name, name, descriptor, left_out)
                if found is not None:
                    yield found
    except OSError as error:
        raise _fault(error) from error


def _entered(folders: list[bytes], descriptor: int, depth: int, left_out: Counter[str]) -> list[bytes]:
    """The subfolders to go into, in order; `os.fwalk` itself goes into no link."""
    links = [it for it in folders if stat.S_ISLNK(os.lstat(it, dir_fd=descriptor).st_mode)]
    left_out[LINK] += len(links)
    if depth >= MAX_DEPTH:
        left_out[LONG] += len(folders)
        return []
    return sorted(it for it in folders if it not in links and os.fsdecode(it) not in IGNORED)


def _file(path: bytes, name: bytes, descriptor: int, left_out: Counter[str]) -> CardFile | None:
    try:
        found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return None  # renamed or removed meanwhile
    kind = _left_out(path, found)
    if kind is not None:
        left_out[kind] += 1
        return None

    def open_it() -> int:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=descriptor)

    return CardFile(Seen(path, found.st_size, found.st_mtime_ns), found.st_ino, open_it)


def _left_out(path: bytes, found: os.stat_result) -> str | None:
    if stat.S_ISLNK(found.st_mode):
        return LINK
    if not stat.S_ISREG(found.st_mode):
        return SPECIAL
    if len(path) > MAX_PATH_BYTES:
        return LONG
    return EMPTY if found.st_size == 0 else None


def _fault(error: OSError) -> CardFault:
    why = "没有读取权限" if error.errno == errno.EACCES else error.strerror or str(error)
    return CardFault(f"第三方记录仪的存储卡读取中断（{why}）。请重新插好存储卡，采集会自动继续。")
