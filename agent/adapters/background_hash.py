"""SHA-256 on every core: hashlib lets go of the interpreter while it works, so one thread more is one core more.

Each hash takes its pieces in order, in one thread at a time; different hashes go on side by side. Who asks for a digest
that is not done, or has handed over more than may wait, lends a hand instead of waiting.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock, Thread

from agent.errors import OperatorFault

MAX_WAITING_BYTES = 24 << 20  # ours; a verification hashes every byte three times, so this is 8 MiB of a film
SMALL_BYTES = 16 * 1024  # ours; less is not worth waking a thread for
WORTH_WAKING = 4  # ours; so many hashes wait before a thread is woken: waking costs as much as hashing 20 KiB
MAX_THREADS = 3  # ours; as many hashes as a verification takes of every byte


class BackgroundHash:
    """A hash like hashlib's whose work is done by a crew, in the order asked for. It belongs to the thread that made
    the crew."""

    def __init__(self, crew: "_Crew", origin: "BackgroundHash | None" = None) -> None:
        self._crew, self._hash = crew, hashlib.sha256()
        self._origin = origin  # a copy begins with a step of the hash that it was copied from
        self._untouched = origin is None  # nothing was handed over yet
        self._later: list[bytes | memoryview | BackgroundHash] = []
        self._later_bytes = 0
        self.steps: list[bytes | memoryview | BackgroundHash] = []  # the crew's, as the next three
        self.waiting_bytes = 0
        self.taken = self.listed = False

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes, soon."""
        if self._untouched and len(data) < SMALL_BYTES:
            self._hash.update(data)
            return
        self._untouched = False
        self._later.append(data)
        self._later_bytes += len(data)
        if self._later_bytes >= SMALL_BYTES:
            self._hand_over()

    def copy(self) -> "BackgroundHash":
        """The same state, to go on from apart."""
        if self._origin is not None:  # copies of copies begin one after the other, never all at once inside each other
            self._origin._hand_over()
            self._begin()
        twin = BackgroundHash(self._crew, self)
        self._untouched = False
        self._later.append(twin)
        return twin

    def digest(self) -> bytes:
        """The hash so far, once everything asked for is done."""
        self._hand_over()
        self._begin()
        self._crew.finish(self)
        return self._hash.digest()

    def take(self, steps: "list[bytes | memoryview | BackgroundHash]") -> None:
        """For the crew: more bytes, and copies that begin between them."""
        self._begin()
        for step in steps:
            if isinstance(step, BackgroundHash):
                step._hash, step._origin = self._hash.copy(), None
            else:
                self._hash.update(step)

    def _begin(self) -> None:
        if (origin := self._origin) is not None:
            self._crew.finish(origin, helping=False)

    def _hand_over(self) -> None:
        if (origin := self._origin) is not None:
            origin._hand_over()
        if self._later:
            self._crew.ask(self, self._later, self._later_bytes)
            self._later, self._later_bytes = [], 0


class _Crew:
    """The threads, and the hashes that one of them should take on."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._done, self._wanted = Condition(self._lock), Condition(self._lock)  # steps were done; threads are wanted
        self._ready: deque[BackgroundHash] = deque()
        self._waiting_bytes = 0
        self._closed = False
        self._full: MemoryError | None = None

    def ask(self, asking: BackgroundHash, steps: "list[bytes | memoryview | BackgroundHash]", size: int) -> None:
        """Have `steps`, of `size` bytes, done after those asked for before; helps when too much waits."""
        with self._lock:
            asking.steps += steps
            asking.waiting_bytes += size
            self._waiting_bytes += size
            if not (asking.taken or asking.listed):
                asking.listed = True
                self._ready.append(asking)
                if len(self._ready) >= WORTH_WAKING:
                    self._wanted.notify()
            crowded = self._waiting_bytes > MAX_WAITING_BYTES
        if crowded:
            self._help()

    def finish(self, wanted: BackgroundHash, *, helping: bool = True) -> None:
        """Return when every step of `wanted` is done. Works on another one while somebody else does them, unless not
        `helping`: a thread in the midst of a copy would come upon a copy of that, and wait for itself."""
        while (chosen := self._next_for(wanted, helping)) is not None:
            self._work(chosen)

    def run(self) -> None:
        """What each thread does until `close`."""
        while (chosen := self._next()) is not None:
            self._work(chosen)

    def close(self) -> None:
        """Let the threads end when nothing waits."""
        with self._lock:
            self._closed = True
            self._wanted.notify_all()

    def _next(self) -> BackgroundHash | None:
        with self._lock:
            while not self._ready and not self._closed:
                self._wanted.wait()
            return self._take(self._ready.popleft()) if self._ready else None

    def _next_for(self, wanted: BackgroundHash, helping: bool) -> BackgroundHash | None:
        with self._lock:
            while wanted.taken and not (helping and self._ready):
                self._wait()
            if wanted.taken:
                return self._take(self._ready.pop())  # the newest: the threads are at the oldest
            if not wanted.steps:
                return None
            self._ready.remove(wanted)
            return self._take(wanted)

    def _help(self) -> None:
        with self._lock:
            while not self._ready and self._waiting_bytes > MAX_WAITING_BYTES:
                self._wait()
            chosen = self._take(self._ready.pop()) if self._ready else None
        if chosen is not None:
            self._work(chosen)

    def _wait(self) -> None:
        if self._full is not None:
            raise OperatorFault("内存不足，无法继续核验。请关闭其他程序后重试。") from self._full
        self._done.wait()

    def _take(self, chosen: BackgroundHash) -> BackgroundHash:
        chosen.taken, chosen.listed = True, False
        return chosen

    def _work(self, chosen: BackgroundHash) -> None:
        """Do all steps of a hash that this thread has taken."""
        try:
            self._work_off(chosen)
        except MemoryError as full:  # it stays taken for ever: whoever waits for it must hear that nobody is at it
            with self._lock:
                self._full = full
                self._done.notify_all()

    def _work_off(self, chosen: BackgroundHash) -> None:
        done = 0
        while True:
            with self._lock:
                self._waiting_bytes -= done
                steps, done = chosen.steps, chosen.waiting_bytes
                chosen.steps, chosen.waiting_bytes = [], 0
                if not steps:
                    chosen.taken = False
                    self._done.notify_all()
                    return
            chosen.take(steps)


@contextmanager
def background_hashing() -> Iterator[Callable[[], BackgroundHash]]:
    """What makes such hashes; the threads end with the block."""
    crew = _Crew()
    count = max(1, min(MAX_THREADS, len(os.sched_getaffinity(0)) - 1))
    threads = [Thread(target=crew.run, name="hashing", daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: BackgroundHash(crew)
    finally:
        crew.close()
        for thread in threads:
            thread.join()
