"""The inbox, the deadlines and the dispatch: the only place in the agent that waits.

The main thread runs `Loop.run` and owns all state. Every other thread is a courier: it puts an event into the inbox
and does nothing else. A courier that dies ends the process, because nobody can say what it would have heard.
"""

import logging
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from itertools import groupby

from agent.clock import Clock
from agent.control.controller import Controller
from agent.control.effects import Effect, Finish, StoreEvent, StoreEvents
from agent.control.messages import CourierDied, Event, StopRequested, TimePassed
from agent.errors import EnvironmentFault
from agent.wire.device_events import EventType

CAPACITY = 4096  # ours: a whole window of PUBACKs, receipts and retained documents, with room
PUT_PATIENCE_S = 5.0  # ours: a loop that takes nothing for so long is stuck
IDLE_S = 5.0  # ours: the longest wait, so that the watchdog is petted in time
MAX_TOGETHER = 500  # ours: fewer than `counter_mirror.BLOCK`, by which a store may be behind its mirror
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})

logger = logging.getLogger(__name__)


class Inbox:
    """A bounded queue of events for the loop. `put` may be called from any thread."""

    def __init__(self, capacity: int = CAPACITY, patience_s: float = PUT_PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._events: queue.Queue[Event] = queue.Queue(capacity)
        self.dead: CourierDied | None = None

    def put(self, event: Event) -> None:
        """Wait for room; raises `EnvironmentFault` when the loop is stuck, which ends the courier and the process."""
        try:
            self._events.put(event, timeout=self._patience_s)
        except queue.Full:
            raise EnvironmentFault("主循环没有响应，程序将重新启动。") from None

    def get(self, timeout_s: float) -> Event | None:
        """The next event, or None after `timeout_s`."""
        if self.dead is not None:
            dead, self.dead = self.dead, None
            return dead
        try:
            return self._events.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None

    def courier_died(self, name: str, detail: str) -> None:
        """A thread is gone; told even when the queue is full."""
        self.dead = CourierDied(name, detail)
        try:
            self._events.put_nowait(TimePassed())  # wakes a waiting loop
        except queue.Full:
            return  # a full queue is not waiting


class Loop:
    """Feeds the controller; `perform` carries out one effect and returns what it led to at once."""

    def __init__(
        self,
        inbox: Inbox,
        controller: Controller,
        perform: Callable[[Effect], Iterable[Event]],
        clock: Clock,
        alive: Callable[[], None],
    ) -> None:
        self._inbox, self._controller, self._perform = inbox, controller, perform
        self._clock, self._alive = clock, alive

    def run(self, first: Iterable[Event]) -> Finish:
        """Handle `first`, then whatever comes, until the controller asks to finish; returns how."""
        for event in first:
            self.dispatch(event)
        while True:
            self._alive()
            came = self._inbox.get(0) or self._inbox.get(self._wait_s())  # to ask how long costs more than to take
            finish = self.dispatch(came or TimePassed())
            if finish is not None:
                return finish

    def dispatch(self, event: Event) -> Finish | None:
        """Handle `event` and everything it leads to; returns `Finish` when the controller asks for it.

        What an effect leads to comes before the next effect, so that an event is stored and handed to the link before
        the link is closed.
        """
        finish = None
        work: deque[Event | Effect] = deque([event])
        while work:
            item = work.popleft()
            if isinstance(item, Finish):
                finish = item
            elif isinstance(item, Effect):
                work.extendleft(reversed([*self._perform(item)]))
            else:
                work.extendleft(reversed(_together(self._controller.handle(item, self._clock.read()))))
        return finish

    def _wait_s(self) -> float:
        deadline = self._controller.deadline()
        if deadline is None:
            return IDLE_S
        return min(IDLE_S, max(0.0, (deadline - self._clock.read().monotonic_ns) / 1e9))


def _together(effects: Iterable[Effect]) -> list[Effect]:
    """Events to be stored that follow one another share one transaction: one fsync serves them all. The last word of a
    run stands alone, because everything that waited still goes before it."""

    def shares(effect: Effect) -> bool:
        return isinstance(effect, StoreEvent) and effect.draft.type is not EventType.DEVICE_STOPPED

    effects = [*effects]
    if len(effects) < 2:
        return effects
    found: list[Effect] = []
    for alike, group in groupby(effects, key=shares):
        members = [*group]
        orders = tuple(effect for effect in members if isinstance(effect, StoreEvent))
        parts = [orders[at : at + MAX_TOGETHER] for at in range(0, len(orders), MAX_TOGETHER)]
        found.extend(map(StoreEvents, parts) if alike and len(orders) > 1 else members)
    return found


def watch_couriers(inbox: Inbox) -> None:
    """Turn the death of any thread into an event."""

    def died(hook: threading.ExceptHookArgs) -> None:
        name = "?" if hook.thread is None else hook.thread.name
        logger.error("thread %s died", name, exc_info=hook.exc_value)
        inbox.courier_died(name, f"{hook.exc_type.__name__}: {hook.exc_value}")

    threading.excepthook = died


def watch_signals(inbox: Inbox) -> None:
    """Turn SIGTERM and SIGINT into `StopRequested`. Call before any other thread starts: they inherit the mask.

    A courier waits for them, because a handler on the main thread could run while that thread holds the inbox's lock.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)

    def wait() -> None:
        while True:
            signal.sigwait(STOP_SIGNALS)
            inbox.put(StopRequested())

    threading.Thread(target=wait, name="signals", daemon=True).start()
