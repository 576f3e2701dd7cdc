"""Small files on a medium that somebody else may have written (ground floor): a USB stick, a card's boot partition.
Plain files of limited size under names of ours; no link is followed, nothing is executed, nothing else is looked at."""

import errno
import os
import stat
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault, SenderFault

FOLDER = "liuhen"
REQUESTS, REPLIES = "requests", "replies"
MAX_FILES = 2000  # ours: more requests than any stick carries


def read_plain(folder: Path, name: str, limit: int) -> bytes | None:
    """The content of the plain file `name` directly in `folder`, None when it is not there. Raises `SenderFault` for a
    link, a special file, a name with a slash, or more than `limit` bytes; `EnvironmentFault` when it cannot be read."""
    if "/" in name or name in {"", ".", ".."}:
        raise SenderFault(f"文件名“{name[:80]}”不合规定，已拒绝。", "name")
    if folder.is_symlink():
        raise SenderFault(f"{folder} 是符号链接，已拒绝。请直接使用介质上的目录。", "link")
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise SenderFault(f"{folder / name} 是符号链接，已拒绝。请删去它。", "link") from error
        raise EnvironmentFault(f"无法读取 {folder / name}（{error.strerror}）。请检查介质后重试。") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise SenderFault(f"{folder / name} 不是普通文件，已拒绝。请删去它。", "link")
    with os.fdopen(descriptor, "rb") as file:
        if found.st_size > limit:
            raise SenderFault(f"{folder / name} 超过 {limit} 字节，已拒绝。请删去它。", "oversize")
        with durable.disk_errors(folder / name):
            return file.read(limit)


def names_in(folder: Path) -> list[str]:
    """What stands in `folder`, sorted, none when it is not there; raises `SenderFault` when it is a link or holds too
    much."""
    if folder.is_symlink():
        raise SenderFault(f"{folder} 是符号链接，已拒绝。请直接使用介质上的目录。", "link")
    if not folder.is_dir():
        return []
    with durable.disk_errors(folder):
        names = sorted(place.name for place in folder.iterdir())
    if len(names) > MAX_FILES:
        raise SenderFault(f"{folder} 中的文件超过 {MAX_FILES} 个，已拒绝。请清理介质。", "oversize")
    return names


def write_plain(folder: Path, name: str, content: bytes) -> Path:
    """Write `content` as `name` in `folder`, which is made where it is missing; raises `SenderFault` when a part of the
    way below the medium's own folder is a link."""
    for place in (folder.parent, folder, folder / name):
        if place.is_symlink():
            raise SenderFault(f"{place} 是符号链接，已拒绝。请直接使用介质上的目录。", "link")
    durable.make_directory(folder)
    return durable.write_bytes(folder / name, content)
