"""The one place that makes files survive a power cut: write, fsync, rename, fsync of the directory.

An fsync that failed is never tried again on the same descriptor: Linux reports the error once and forgets the pages
(measured on ext4: EIO, EIO, then success although the data never reached the disk).
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.errors import EnvironmentFault

PRIVATE = 0o600
SHARED = 0o640  # recordings and what lies beside them: people are in them; a group may collect them
PUBLIC = 0o644
LOCK = ".lock"


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` on `path` into an `EnvironmentFault` whose message names the next step."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(
            f"无法写入 {path}：{error.strerror or error}。请检查存储空间、权限与存储卡后重试。"
        ) from error


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """As `disk_errors`, for a file that is read."""
    try:
        yield
    except OSError as error:
        told = error.strerror or error
        raise EnvironmentFault(f"无法读取 {path}：{told}。请检查文件、权限与存储卡后重试。") from error


def sync_directory(directory: Path) -> None:
    """Make names created, replaced or removed in `directory` durable."""
    with disk_errors(directory):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_standing: set[Path] = set()
"""Folders that were there already and whose names this process has synced."""


def make_directory(directory: Path, mode: int = 0o750) -> Path:
    """Create `directory` and the parents it lacks, each with `mode`; every new name is durable when this returns.

    So is the name of the folder that is there already: whoever made it may have been killed before the sync, and what
    is promised inside it would go with it when the power fails.
    """
    line = [directory, *directory.parents]
    missing = [place for place in line if not place.exists()]
    _sync_name(line[len(missing)])
    with disk_errors(directory):
        for place in reversed(missing):
            place.mkdir(mode=mode, exist_ok=True)
            sync_directory(place.parent)
        directory.mkdir(mode=mode, exist_ok=True)
    return directory


def _sync_name(folder: Path) -> None:
    """Once in a process, where the folder above may be read: one that may not was not made by us."""
    place = folder.absolute()
    if place not in _standing and os.access(place.parent, os.R_OK):
        sync_directory(place.parent)
        _standing.add(place)


def sync_tree(folder: Path) -> None:
    """Make everything below `folder`, and its own name, durable, whoever wrote it: file by file, because a sync of the
    whole disk waits for everybody's and says nothing of what failed."""
    with disk_errors(folder):
        for place in (folder.parent, folder, *folder.rglob("*")):
            if place.is_symlink():
                continue  # is in its folder
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def write_bytes(path: Path, data: bytes, mode: int = PUBLIC) -> Path:
    """Replace `path` with `data` atomically: a reader or a power cut sees the old file or the new one, whole.

    The temporary name is hidden and private from its first byte, so a secret is never readable by others. There is
    one per file, so that the next write takes the place of what a power cut left; a lock makes a second writer wait.
    """
    return write_stream(path, (data,), mode)


def write_stream(path: Path, pieces: Iterable[bytes], mode: int = PUBLIC, sync_bytes: int = 0) -> Path:
    """As `write_bytes`, for content that is not held whole. With `sync_bytes` it goes to the disk that many bytes at a
    time, so that nobody else's fsync has to wait for all of it."""
    draft = path.with_name(f".{path.name}.new")
    with disk_errors(path), _locked_draft(draft) as descriptor:
        try:
            _write_synced(descriptor, pieces, mode, sync_bytes)
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
    sync_directory(path.parent)
    return path


def overwrite(path: Path, offset: int, data: bytes) -> Path:
    """Write `data` over what stands at `offset` of `path`; it is on the disk when this returns.

    Not atomic: after a power cut the stretch may hold old and new bytes. Keep either of them elsewhere first.
    """
    with disk_errors(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return path


def move(source: Path, target: Path) -> Path:
    """Rename within one file system; both directories are durable when this returns."""
    with disk_errors(target):
        source.replace(target)
    sync_directory(target.parent)
    if source.parent != target.parent:
        sync_directory(source.parent)
    return target


def remove(path: Path) -> None:
    """Remove `path` if it is there; its absence is durable when this returns."""
    with disk_errors(path):
        path.unlink(missing_ok=True)
    sync_directory(path.parent)


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """One command at a time in a folder that several people share: the others wait (flock on `.lock`)."""
    with disk_errors(folder):
        lock = (folder / LOCK).open("wb")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _locked_draft(draft: Path) -> Iterator[int]:
    """The one draft of a file, open and ours alone; a second writer waits here, then finds that its draft is gone."""
    while True:
        descriptor = os.open(
            draft, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, PRIVATE
        )  # a pipe is not waited for
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(draft, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _write_synced(descriptor: int, pieces: Iterable[bytes], mode: int, sync_bytes: int) -> None:
    os.fchmod(descriptor, PRIVATE)  # what a power cut left may have had another mode
    os.ftruncate(descriptor, 0)
    unsynced = 0
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]
        unsynced += len(piece)
        if 0 < sync_bytes <= unsynced:
            os.fdatasync(descriptor)
            unsynced = 0
    os.fchmod(descriptor, mode)
    os.fsync(descriptor)
