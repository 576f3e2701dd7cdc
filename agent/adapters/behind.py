"""Work that follows its caller in one thread: what is to be hashed, written and synced while the next is prepared."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

MAX_AHEAD = 4  # ours; fragments that the caller may be ahead: 2 MB at 8 Mbit/s


class Behind:
    """Steps, carried out one after the other. A step that failed raises its exception out of the next `do` or `settle`,
    like a step of the caller's own; those behind it still run."""

    def __init__(self, pool: "ThreadPoolExecutor") -> None:
        self._pool = pool
        self._asked: deque[Future[None]] = deque()

    def do(self, step: Callable[[], None]) -> None:
        """Have `step` carried out soon; waits while too many wait."""
        self._asked.append(self._pool.submit(step))
        while len(self._asked) > MAX_AHEAD:
            self._asked.popleft().result()

    def settle(self) -> None:
        """Return when every step is done."""
        while self._asked:
            self._asked.popleft().result()

    def calm(self) -> None:
        """As `settle`, after a failure that is known: raises nothing."""
        while self._asked:
            self._asked.popleft().exception()


@contextmanager
def following(name: str) -> Iterator[Behind]:
    """One that works in a thread whose name begins with `name`; the thread ends with the block."""
    from concurrent.futures import ThreadPoolExecutor  # not before the first picture

    with ThreadPoolExecutor(1, name) as pool:
        yield Behind(pool)
