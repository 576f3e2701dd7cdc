"""The sums of every sealed segment, read once, right after its seal, while the recording goes on."""

import threading
from collections.abc import Callable
from pathlib import Path

from agent.adapters.sidecar_files import FileSums
from agent.errors import EnvironmentFault


class SegmentSums:
    """One short-lived thread "sums" for each segment; the recorder never waits for it before the recording ends.
    `sums_of` reads one; it raises `EnvironmentFault`."""

    def __init__(self, sums_of: Callable[[Path], FileSums]) -> None:
        self._sums_of = sums_of
        self._found: dict[str, FileSums] = {}
        self._threads: list[threading.Thread] = []

    def add(self, segment: Path) -> None:
        """Read `segment`, which is sealed and never changes again."""
        thread = threading.Thread(target=self._read, args=(segment,), name="sums", daemon=True)
        self._threads.append(thread)
        thread.start()

    def take(self) -> dict[str, FileSums]:
        """What was read, by file name; waits for what is being read."""
        while self._threads:
            self._threads.pop().join()
        return self._found

    def _read(self, segment: Path) -> None:
        try:
            self._found[segment.name] = self._sums_of(segment)
        except EnvironmentFault:  # not known, so that it is read again at the end, where the fault is told
            self._found.pop(segment.name, None)
