"""Whether a file is still the one that was read."""

from pathlib import Path

FileStamp = tuple[int, int, int]
"""Inode, time of the last change in nanoseconds, size in bytes."""


def file_stamp(path: Path) -> FileStamp | None:
    """The stamp of `path`; None when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
