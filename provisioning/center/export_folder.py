"""The folders of an export: the recording's, which must be plain, and the hidden draft that gets its name at last."""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault

DRAFT_PREFIX = ".export-"
MAX_SEGMENT_BYTES = 32 << 30  # as agent.recording_folder


@contextmanager
def draft_beside(target: Path) -> Iterator[Path]:
    """A hidden folder beside `target`, locked while this export lives; those of exports that were killed, which hold
    recordings that nobody asked for any more, are removed."""
    around = target.absolute().parent
    for left in around.glob(f"{DRAFT_PREFIX}*"):
        with _locked(left) as is_ours:
            if is_ours:
                shutil.rmtree(left, ignore_errors=True)
    with durable.disk_errors(target):
        place = Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX, dir=around))
    try:
        with _locked(place) as is_ours:
            if not is_ours:  # another export took it for one that was killed
                raise EnvironmentFault("另一次导出正在同一文件夹中清理。请重试。")
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def check_plain(recording: Path) -> None:
    """Nothing in the folder leads out of it, or is no file: what is handed out must be the recording's own."""
    for place in recording.rglob("*"):
        kind = place.lstat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise OperatorFault(f"{place} 是链接或不是普通文件，未导出。请移出后重试，并查明来历。")
        if place.lstat().st_size > MAX_SEGMENT_BYTES:
            raise OperatorFault(f"{place} 过大，不是设备写出的文件，未导出。请移出后重试，并查明来历。")


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the folder could be locked for as long as the context lasts: then no other export has it."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # gone meanwhile, or no folder of ours
        yield False
        return
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(opened)
