"""When to connect, when to give a connection up, and how long to wait before the next."""

from collections.abc import Callable

from agent.control.backoff import NANOSECONDS, REFUSALS, refused_after_ns, retry_after_ns
from agent.control.effects import CloseConnection, Effect, OpenConnection
from agent.control.messages import LinkDown, LinkOpening, LinkUp

OPENING_LIMIT_NS = 20 * NANOSECONDS  # ours: TCP, TLS and CONNACK on a poor mobile network
ANSWER_LIMIT_NS = 120 * NANOSECONDS  # ours: a full message over 1 kB/s; keep-alive only finds a broker gone
STABLE_NS = 60 * NANOSECONDS  # ours: a connection that lived this long was no failed attempt


class Connection:
    """The one connection to the broker, by its session number."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._attempt = 0
        self._since_ns = 0
        self._retry_ns: int | None = None
        self._unanswered_ns: int | None = None
        self.current: int | None = None
        self.up = False

    def deadline(self) -> int | None:
        """The monotonic nanosecond at which `wake` has something to do."""
        if self.current is None:
            return self._retry_ns
        if not self.up:
            return self._since_ns + OPENING_LIMIT_NS
        return None if self._unanswered_ns is None else self._unanswered_ns + ANSWER_LIMIT_NS

    def open(self, now_ns: int) -> list[Effect]:
        """Begin an attempt."""
        self._retry_ns, self._since_ns = None, now_ns
        return [OpenConnection()]

    def opening(self, event: LinkOpening, now_ns: int) -> list[Effect]:
        """The attempt has its session number; asks for nothing."""
        self.current, self.up, self._since_ns = event.connection, False, now_ns
        return []

    def came_up(self, event: LinkUp, now_ns: int) -> bool:
        """Whether `event` belongs to the current attempt, which is then up."""
        if event.connection != self.current:
            return False
        self.up, self._since_ns, self._unanswered_ns = True, now_ns, None
        return True

    def owes(self, now_ns: int, *, more: bool, answered: bool) -> None:
        """Whether the broker owes `more` answers to what it was sent, and whether one has just come."""
        if not more:
            self._unanswered_ns = None
        elif answered or self._unanswered_ns is None:
            self._unanswered_ns = now_ns

    def proved(self) -> None:
        """The centre answered over this connection: the next failure starts with a short wait again."""
        self._attempt = 0

    def went_down(self, event: LinkDown, now_ns: int) -> list[Effect]:
        """Close what is left of the current connection and set the time of the next attempt."""
        return self._give_up(now_ns, event.code) if event.connection == self.current else []

    def wake(self, now_ns: int) -> list[Effect]:
        """What is due at `now_ns`: a new attempt, or the end of a connection whose broker does not answer."""
        due = self.deadline()
        if due is None or now_ns < due:
            return []
        return self.open(now_ns) if self.current is None else self._give_up(now_ns, 0)

    def give_up(self, now_ns: int, code: int = 0) -> list[Effect]:
        """Drop the current connection as a failure."""
        return [] if self.current is None else self._give_up(now_ns, code)

    def _give_up(self, now_ns: int, code: int) -> list[Effect]:
        stable = self.up and now_ns - self._since_ns >= STABLE_NS
        self._attempt = 1 if stable else self._attempt + 1
        refused = code in REFUSALS
        wait = refused_after_ns if refused else retry_after_ns
        self.current, self.up = None, False
        self._retry_ns = now_ns + wait(self._attempt, self._random)
        return [CloseConnection()]
