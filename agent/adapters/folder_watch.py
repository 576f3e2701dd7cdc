"""Tells when a watched file has a new content, and when something in a watched tree was closed. Reacts to `moved` and
`closed`, never to `created`: a file is written under another name and renamed, or complete only when it is closed."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from watchdog.events import FileClosedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from agent.control.messages import Event, FileSettled

SETTLED: list[type[FileSystemEvent]] = [FileMovedEvent, FileClosedEvent]
TREE_CLOSE_S = 1.0  # ours; watchdog's thread looks up once a second


class FolderWatch(FileSystemEventHandler):
    """Watches one file by its folder, or, with a pattern as its name, all that match. An exception in here kills
    watchdog's thread, which `agent.loop` reports."""

    def __init__(self, file: Path, report: Callable[[Event], None]) -> None:
        self._file, self._report = file, report
        self._observer = Observer()

    def start(self) -> None:
        """Begin to watch; the folder must exist."""
        self._observer.schedule(self, str(self._file.parent), event_filter=SETTLED)
        self._observer.start()

    def close(self, timeout_s: float) -> bool:
        """Stop; returns whether the threads have ended in time."""
        if not self._observer.is_alive():
            return True
        self._observer.stop()
        self._observer.join(timeout_s)
        return not self._observer.is_alive()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called in watchdog's thread."""
        if fnmatchcase(_settled(event).name, self._file.name):
            self._report(FileSettled(str(_settled(event))))


class TreeWatch(FileSystemEventHandler):
    """Watches everything below a folder that comes and goes, as a mounted card does; `settled` is called in watchdog's
    thread with the path of each file that was closed after writing or moved. What it does not see (a card that is
    mounted, a queue that ran over) its owner must find by looking."""

    def __init__(self, root: Path, settled: Callable[[Path], None]) -> None:
        self._root, self._settled = root, settled
        self._observer: BaseObserver | None = None
        self._watched: tuple[int, int] | None = None

    def follow(self) -> None:
        """Watch the folder that stands at the root now, if there is one that can be watched; call it again and again:
        a card that was mounted since is another folder."""
        try:
            found = self._root.stat()
        except OSError:
            self.close()
            return
        if self._watched == (found.st_dev, found.st_ino):
            return
        self.close()
        observer = Observer()
        try:
            observer.schedule(self, str(self._root), recursive=True, event_filter=SETTLED)
            observer.start()
        except OSError:  # gone meanwhile, or no more inotify watches: looking is enough
            return
        self._observer, self._watched = observer, (found.st_dev, found.st_ino)

    def close(self) -> None:
        """Stop watching; raises nothing when nothing was watched."""
        observer, self._observer, self._watched = self._observer, None, None
        if observer is not None:
            observer.stop()
            observer.join(TREE_CLOSE_S)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called in watchdog's thread."""
        self._settled(_settled(event))


def _settled(event: FileSystemEvent) -> Path:
    return Path(str(event.dest_path if isinstance(event, FileMovedEvent) else event.src_path))
