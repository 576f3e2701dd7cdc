"""What is on the way to the broker without its PUBACK: never more than the broker takes (MQTT 5 section 3.3.4)."""

from collections import deque
from collections.abc import Iterable

from agent.control.link_messages import LinkUp, PublishAnswered, PublishedAside

WINDOW = 100  # reference/mqtt.md section 3a: paho is fastest at 20..100 and slows with more
HINTS = 20  # ours: urgent copies remembered until there is room
BIRTH = -1  # the retained state of a new connection, until its message has a number


class Window:
    """One connection at a time: events, the retained state and hints share it. `asked`: something was asked for and is
    not with the link yet; `probing`: the last event was refused, so one goes alone."""

    def __init__(self) -> None:
        self.connection: int | None = None
        self.asked = self.probing = False
        self._size = WINDOW
        self._events: set[int] = set()
        self._aside: set[int] = set()
        self._hints: deque[int] = deque(maxlen=HINTS)

    def open(self, event: LinkUp) -> None:
        """A new connection: nothing is on the way over it but its birth, which comes first."""
        self.connection, self.asked = event.connection, False
        self._size = min(WINDOW, event.receive_maximum)
        self._events, self._aside = set(), {BIRTH}

    def close(self) -> None:
        """There is no connection."""
        self.connection, self.asked = None, False

    def hint(self, numbers: Iterable[int]) -> None:
        """These events should not wait behind the others; without a connection the newest of them are remembered."""
        self._hints.extend(numbers)

    def next_hint(self) -> int | None:
        """The next of them."""
        return self._hints.popleft() if self._hints else None

    @property
    def blocked(self) -> bool:
        """Whether nothing may be handed over now."""
        under_way = len(self._events) + len(self._aside)
        return self.connection is None or self.asked or under_way >= (1 if self.probing else self._size)

    @property
    def outstanding(self) -> bool:
        """Whether the broker owes an answer."""
        return bool(self._events or self._aside)

    def published(self, event: PublishedAside) -> None:
        """The retained state or a hint is with the link."""
        if event.connection != self.connection:
            return
        if event.hint:
            self.asked = False
        else:
            self._aside.discard(BIRTH)
        if event.mid is not None:
            self._aside.add(event.mid)

    def sent(self, mid: int) -> None:
        """A message of events is with the link."""
        self._events.add(mid)

    def answered(self, event: PublishAnswered) -> bool:
        """There is room again; returns whether the answer is about events of this connection."""
        if event.connection != self.connection:
            return False
        self._aside.discard(event.mid)
        ours = event.mid in self._events
        self._events.discard(event.mid)
        return ours
