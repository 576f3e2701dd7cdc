"""Tells when a watched file has a new content. Reacts to `moved` and `closed`, never to `created`: a file is written
under another name and renamed, or is complete only when it is closed."""

from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileClosedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from agent.control.messages import Event, FileSettled


class FolderWatch(FileSystemEventHandler):
    """Watches one file by its folder; an exception in here kills watchdog's thread, which `agent.loop` reports."""

    def __init__(self, file: Path, report: Callable[[Event], None]) -> None:
        self._file, self._report = file, report
        self._observer = Observer()

    def start(self) -> None:
        """Begin to watch; the folder must exist."""
        self._observer.schedule(self, str(self._file.parent), event_filter=[FileMovedEvent, FileClosedEvent])
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
        settled = event.dest_path if isinstance(event, FileMovedEvent) else event.src_path
        if Path(str(settled)).name == self._file.name:
            self._report(FileSettled(str(settled)))
