"""Watches a folder that may come, go, and be replaced.

The agent writes a file under a hidden name and renames it, so a whole document arrives as one "moved" event; files
copied in by hand arrive as "closed".
"""

import logging
import stat
from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileClosedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from agent.errors import EnvironmentFault

OBSERVER_DIED = "公示文件夹的监视线程已停止，程序退出等待重启。如反复出现请联系技术人员。"

log = logging.getLogger(__name__)


class WatchedFolder:
    """The folder `path`. `watch` starts the observer, `check` looks after it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._observer: BaseObserver | None = None
        self._watched: tuple[int, int] | None = None

    def watch(self, changed: Callable[[], None]) -> None:
        """Start the observer; `changed` is called on its thread and must only enqueue."""
        self._observer, self._arrivals = Observer(), _Arrivals(changed)
        self._observer.start()
        self.check()

    def check(self) -> bool:
        """Look after the observer and return whether the folder came, went or was replaced.

        Raises `EnvironmentFault` when the observer died: a screen that no longer hears of corrections must restart.
        """
        observer = self._observer
        if observer is None:
            return False
        if not observer.is_alive():
            raise EnvironmentFault(OBSERVER_DIED)
        return self._follow(observer)

    def stop(self) -> None:
        """End the observer."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def _follow(self, observer: BaseObserver) -> bool:
        """A folder that is not there yet is no error; one that comes, or takes another's place, is watched."""
        there = _inode(self.path)
        if there == self._watched:
            if there is not None and not all(emitter.is_alive() for emitter in observer.emitters):
                raise EnvironmentFault(OBSERVER_DIED)
            return False
        observer.unschedule_all()
        if there is None:
            log.warning("folder %s is gone, showing the last good documents", self.path)
        else:
            self._schedule(observer)
        self._watched = there
        return True

    def _schedule(self, observer: BaseObserver) -> None:
        """A system that has no watch left (inotify(7)) is no reason to show nothing: the folder is read again and again
        anyway."""
        try:
            observer.schedule(self._arrivals, str(self.path), event_filter=[FileMovedEvent, FileClosedEvent])
        except OSError as error:
            log.error("folder %s cannot be watched, it is read again every half minute: %s", self.path, error)  # noqa: TRY400


class _Arrivals(FileSystemEventHandler):
    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def on_moved(self, event: FileSystemEvent) -> None:  # noqa: ARG002
        self._changed()

    def on_closed(self, event: FileSystemEvent) -> None:  # noqa: ARG002
        self._changed()


def _inode(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None
