"""Whether a file is still the one that was read."""

from pathlib import Path

FileStamp = tuple[int, int, int, int]
"""Inode, times of the last change of content and of anything in nanoseconds, size in bytes. Whoever rewrites a file can
set the first time back, the second only with the clock."""


def file_stamp(path: Path) -> FileStamp | None:
    """The stamp of `path`; None when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
