"""One thread for what may be slow (a card that takes 100 ms for an fsync), so that the loop never waits for it."""

import queue
import threading
from collections.abc import Callable

from agent.control.messages import Event
from agent.errors import EnvironmentFault

CAPACITY = 256  # ours: documents of one audience, all at once
Job = Callable[[], Event | None]


class Worker:
    """Runs jobs in order; what a job returns is reported. A job that raises ends the thread and so the process."""

    def __init__(self, report: Callable[[Event], None], name: str = "worker") -> None:
        self._report = report
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def ask(self, job: Job) -> None:
        """Put `job` at the end of the line; raises `EnvironmentFault` when the line is full. One thread asks."""
        if self._jobs.qsize() >= CAPACITY:
            raise EnvironmentFault("存储太慢，待写任务已满。请检查存储卡。")
        self._jobs.put(job)

    def close(self, timeout_s: float) -> bool:
        """Finish what was asked for; returns whether the thread has ended in time."""
        if not self._thread.is_alive():
            return True
        self._jobs.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            answer = job()
            if answer is not None:
                self._report(answer)
