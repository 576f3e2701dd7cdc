"""One process for one state folder: two would use the same numbers twice."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault

NAME = "agent.lock"
TRIES, PAUSE_S = 20, 0.05  # ours: a second in all, against a status that looks at the wrong moment


@contextmanager
def hold(state_dir: Path) -> Iterator[Path]:
    """Make `state_dir` and hold it until the block ends; raises `OperatorFault` while another process does."""
    durable.make_directory(state_dir)
    descriptor = _open(state_dir)
    try:
        if not _taken_in_time(descriptor):
            raise OperatorFault(f"{state_dir} 正被另一个 liuhen-agent 使用。请先停止它，或检查是否启动了两次。")
        yield state_dir
    finally:
        os.close(descriptor)


def is_held(state_dir: Path) -> bool:
    """Whether a process holds `state_dir` now; changes nothing there."""
    try:
        descriptor = os.open(state_dir / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise EnvironmentFault(f"无法读取 {state_dir / NAME}：{error.strerror}。请检查权限。") from error
    try:
        return not _taken(descriptor, fcntl.LOCK_SH)  # two that ask do not see each other
    finally:
        os.close(descriptor)


def _open(state_dir: Path) -> int:
    with durable.disk_errors(state_dir):
        return os.open(state_dir / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, durable.PRIVATE)


def _taken_in_time(descriptor: int) -> bool:
    """Somebody who only asks (`is_held`) lets go at once."""
    for _ in range(TRIES):
        if _taken(descriptor, fcntl.LOCK_EX):
            return True
        time.sleep(PAUSE_S)
    return False


def _taken(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
