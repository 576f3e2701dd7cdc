"""Tells when a watched file has a new content, and when something in a watched tree was closed. Reacts to what was
moved or closed, never to what was created: a file is written under another name and moved, or complete when closed."""

import os
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from watchdog.events import FileClosedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyObserver
from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyEvent, InotifyFD, Mask, WatchDescriptor

from agent.control.messages import Event, FileSettled

SETTLED: list[type[FileSystemEvent]] = [FileMovedEvent, FileClosedEvent]
SETTLED_MASK = Mask(InotifyConstants.IN_MOVED_TO | InotifyConstants.IN_CLOSE_WRITE)  # inotify(7)
TREE_CLOSE_S = 1.0  # ours; watchdog's thread looks up once a second


class FolderWatch:
    """Watches one file by its folder, or, with a pattern as its name, all that match. An exception in here kills
    watchdog's thread, which `agent.loop` reports.

    Below watchdog's observers: they tell of a queue that ran over to nobody, and take three threads for one folder."""

    def __init__(self, file: Path, report: Callable[[Event], None]) -> None:
        self._file, self._report = file, report
        self._inotify: InotifyFD | None = None

    def start(self) -> None:
        """Begin to watch; the folder must exist."""
        self._inotify = InotifyFD()
        self._inotify.add_callback(os.fsencode(self._file.parent), SETTLED_MASK, self, CallbackId(id(self)))
        self._inotify.start()

    def close(self, timeout_s: float) -> bool:
        """Stop; returns whether the thread has ended in time."""
        if self._inotify is None or not self._inotify.is_alive():
            return True
        self._inotify.stop()
        self._inotify.join(timeout_s)
        return not self._inotify.is_alive()

    def on_event(self, event: InotifyEvent) -> None:
        """Called in watchdog's thread."""
        name = os.fsdecode(event.name)
        if not event.is_directory and fnmatchcase(name, self._file.name):
            self._report(FileSettled(str(self._file.with_name(name))))

    def on_queue_overflow(self) -> None:
        """Called in watchdog's thread when events were lost: ours may be among them, so the file is looked at."""
        self._report(FileSettled(str(self._file)))

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """The folder is gone, and with it the device; there is nothing to tell."""


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
        observer = InotifyObserver(generate_full_events=True)  # else a file moved in from elsewhere is but `created`
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
        settled = str(event.dest_path if isinstance(event, FileMovedEvent) else event.src_path)
        if settled:  # moved out of the tree: nowhere
            self._settled(Path(settled))
