"""SHA-256 on another core: hashlib lets go of the interpreter while it works, so one thread more is one core more."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Thread

WAITING_BLOCKS = 16  # ours; at most so many MiB wait (bmff.CHUNK_BYTES each)
SMALL_BYTES = 16 * 1024  # ours; less is not worth waking a thread for


class BackgroundHash:
    """A hash like hashlib's whose work is done by the thread behind `work`, in the order asked for."""

    def __init__(self, work: "Queue[Callable[[], None] | None]") -> None:
        self._work = work
        self._hash = hashlib.sha256()
        self._waiting = bytearray()

    def update(self, data: bytes, /) -> None:
        """Take more bytes, soon."""
        if len(data) < SMALL_BYTES:
            self._waiting += data
            if len(self._waiting) < SMALL_BYTES:
                return
            data = b""
        self._hand_over(data)

    def copy(self) -> "BackgroundHash":
        """The same state, to go on from apart."""
        twin = BackgroundHash(self._work)
        self._hand_over(b"")
        self._work.put(lambda: twin._take(self._hash.copy()))
        return twin

    def digest(self) -> bytes:
        """The hash so far, once everything asked for is done."""
        self._hand_over(b"")
        self._work.join()
        return self._hash.digest()

    def _hand_over(self, data: bytes) -> None:
        before, self._waiting = bytes(self._waiting), bytearray()
        if before or data:
            self._work.put(lambda: self._update(before, data))

    def _update(self, before: bytes, data: bytes) -> None:
        self._hash.update(before)
        self._hash.update(data)

    def _take(self, state: "hashlib._Hash") -> None:
        self._hash = state


@contextmanager
def background_hashing() -> Iterator[Callable[[], BackgroundHash]]:
    """What makes such hashes; the thread ends with the block."""
    work: Queue[Callable[[], None] | None] = Queue(WAITING_BLOCKS)
    thread = Thread(target=_run, args=(work,), name="hashing", daemon=True)
    thread.start()
    try:
        yield lambda: BackgroundHash(work)
    finally:
        work.put(None)
        thread.join()


def _run(work: "Queue[Callable[[], None] | None]") -> None:
    while (step := work.get()) is not None:
        step()
        work.task_done()
