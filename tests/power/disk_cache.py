"""The cache of a disk, as `tests/support/guest.c` keeps it: what was written to it since it was last flushed. With the
power any part of that goes, in any order; a disk that was flushed keeps everything."""

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HEAD = struct.Struct("=QQ")  # offset and length, in bytes
SECTOR = 512  # bytes that a disk writes whole or not at all
SHARES = (0.0, 0.5, 0.9)  # of the writes that come through all the same
TORN = 0.2  # of these


@dataclass(frozen=True)
class Unflushed:
    """One write: `before` is what it replaced at byte `offset`, of the same length."""

    offset: int
    before: bytes
    after: bytes


def cache_of(disk: Path) -> Path:
    """Where the cache of `disk` is kept."""
    return disk.with_name(f"{disk.name}.cache")


def unflushed(cache: Path) -> Iterator[Unflushed]:
    """What the disk had not been told to keep, in the order written; a record that was cut off was no write yet."""
    data, at = cache.read_bytes(), 0
    while at + HEAD.size <= len(data):
        offset, length = HEAD.unpack_from(data, at)
        begin, middle, end = at + HEAD.size, at + HEAD.size + length, at + HEAD.size + 2 * length
        if end > len(data):
            return
        yield Unflushed(offset, data[begin:middle], data[middle:end])
        at = end


def lose(disk: Path, writes: Sequence[Unflushed], dice: random.Random) -> None:
    """Take a part of `writes` from `disk`, the file of its sectors: each is there, is not, or is up to a sector."""
    share = dice.choice(SHARES)
    with disk.open("r+b") as file:
        for write in reversed(writes):
            file.seek(write.offset)
            file.write(write.before)
        for write in writes:
            if dice.random() < share:
                torn = dice.random() < TORN
                file.seek(write.offset)
                file.write(write.after[: dice.randrange(0, len(write.after), SECTOR) if torn else None])
