"""One process for one state folder: two would use the same numbers twice."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent import durable
from agent.errors import OperatorFault

NAME = "agent.lock"


@contextmanager
def hold(state_dir: Path) -> Iterator[Path]:
    """Make `state_dir` and hold it until the block ends; raises `OperatorFault` while another process does."""
    durable.make_directory(state_dir)
    descriptor = _open(state_dir)
    try:
        if not _taken(descriptor):
            raise OperatorFault(f"{state_dir} 正被另一个 liuhen-agent 使用。请先停止它，或检查是否启动了两次。")
        yield state_dir
    finally:
        os.close(descriptor)


def is_held(state_dir: Path) -> bool:
    """Whether a process holds `state_dir` now."""
    if not (state_dir / NAME).exists():
        return False
    descriptor = _open(state_dir)
    try:
        return not _taken(descriptor)
    finally:
        os.close(descriptor)


def _open(state_dir: Path) -> int:
    with durable.disk_errors(state_dir):
        return os.open(state_dir / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, durable.PRIVATE)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
