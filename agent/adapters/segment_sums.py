"""The SHA-256 of every sealed segment, read once, right after its seal, while the recording goes on."""

import threading
from pathlib import Path

from agent.adapters.data_keys import DataKeys
from agent.adapters.spool import sha256_of
from agent.errors import EnvironmentFault
from agent.wire.identifiers import Digest


class SegmentSums:
    """One short-lived thread "sums" for each segment; the recorder never waits for it before the recording ends."""

    def __init__(self, keys: DataKeys) -> None:
        self._keys = keys
        self._digests: dict[str, Digest] = {}
        self._threads: list[threading.Thread] = []

    def add(self, segment: Path) -> None:
        """Read `segment`, which is sealed and never changes again."""
        thread = threading.Thread(target=self._read, args=(segment,), name="sums", daemon=True)
        self._threads.append(thread)
        thread.start()

    def take(self) -> dict[str, Digest]:
        """What was read, by file name; waits for what is being read."""
        while self._threads:
            self._threads.pop().join()
        return self._digests

    def _read(self, segment: Path) -> None:
        try:
            self._digests[segment.name] = sha256_of(segment, self._keys)
        except EnvironmentFault:  # not known, so that it is read again at the end, where the fault is told
            self._digests.pop(segment.name, None)
