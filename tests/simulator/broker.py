"""A broker and the wires to it. Once a message is taken it is acknowledged, and may be lost all the same: the broker's
memory is not on its disk. What a session has not acknowledged comes again; now and then twice, or out of turn."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tests.simulator.world import World

LATENCY_S = 0.005, 0.12
NOTICED_S = 0.1, 45.0  # a connection that is cut is noticed at once, or when the keep-alive has run out
SESSION_ROOM = 1_000  # Mosquitto's max_queued_messages; beyond it a message is dropped, and was acknowledged
IN_FLIGHT = 20


@dataclass(frozen=True)
class Post:
    """One message. `number` is its packet identifier to a session."""

    topic: str
    payload: bytes
    retained: bool = False
    number: int = 0


class Client(Protocol):
    """Whoever is connected."""

    name: str
    reachable: bool

    def came_up(self) -> None: ...
    def went_down(self) -> None: ...
    def arrived(self, post: Post) -> None: ...
    def answered(self, mid: int) -> None: ...
    def subscribed(self, count: int) -> None: ...


class Wire:
    """One connection: in order both ways, until it is cut, which loses what is under way."""

    def __init__(self, world: World, client: Client, broker: "Broker") -> None:
        self._world, self._client, self._broker = world, client, broker
        self.whole = True
        self._last_ns = [0, 0]

    def to_broker(self, act: Callable[[], None]) -> None:
        self._carry(0, act)

    def to_client(self, act: Callable[[Client], None]) -> None:
        self._carry(1, lambda: act(self._client))

    def cut(self) -> None:
        """Both ends notice some time later, each by itself."""
        if self.whole:
            self.whole = False
            self._world.after(self._world.some(*NOTICED_S), self._client.went_down)
            self._world.after(self._world.some(*NOTICED_S), lambda: self._broker.lost(self))

    def _carry(self, way: int, act: Callable[[], None]) -> None:
        due_ns = self._world.now_ns + int(self._world.some(*LATENCY_S) * 1e9)
        self._last_ns[way] = max(self._last_ns[way], due_ns)
        self._world.at(self._last_ns[way], lambda: act() if self.whole else None)


@dataclass
class Session:
    """What the broker holds for one client."""

    wire: Wire | None
    will: Post | None
    lasting: bool
    filters: tuple[str, ...] = ()
    waiting: deque[Post] = field(default_factory=deque)
    under_way: dict[int, Post] = field(default_factory=dict)
    numbers: int = 0


class Broker:
    """`twice` and `swapped` are how likely a message comes again, or changes places with the next."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.up = True
        self.twice = self.swapped = 0.0
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, bytes] = {}
        self.overheard: list[Post] = []

    def connect(self, wire: Wire, client: Client, will: Post | None, *, lasting: bool) -> None:
        """A CONNECT has come; a session of that name that has a connection loses it."""
        if not self.up:
            wire.cut()
            return
        old = self.sessions.get(client.name)
        if old is not None and old.wire is not None:
            old.wire.cut()
            self._end(client.name, old)
        kept = self.sessions.get(client.name) if lasting else None
        session = kept or Session(wire, will, lasting)
        session.wire, session.will = wire, will
        self.sessions[client.name] = session
        wire.to_client(lambda it: it.came_up())
        self._push(session)

    def disconnect(self, name: str, wire: Wire) -> None:
        """A clean end: no last will."""
        session = self.sessions.get(name)
        if session is not None and session.wire is wire:
            session.will = None
            self._end(name, session)
        wire.whole = False

    def subscribe(self, name: str, wire: Wire, filters: tuple[str, ...]) -> None:
        """Answer, and send what is retained under these filters."""
        session = self.sessions.get(name)
        if session is None or session.wire is not wire:
            return
        session.filters = tuple(dict.fromkeys((*session.filters, *filters)))
        wire.to_client(lambda it: it.subscribed(len(filters)))
        for topic, payload in self.retained.items():
            if any(matches(one, topic) for one in filters):
                self._queue(session, Post(topic, payload, retained=True))

    def publish(self, topic: str, payload: bytes, *, retain: bool, wire: Wire | None = None, mid: int = 0) -> None:
        """A PUBLISH has come; the answer goes back over `wire`."""
        if not self.up:
            return
        self.overheard.append(Post(topic, payload))
        if retain:
            self.retained[topic] = payload
        for session in [*self.sessions.values()]:
            if any(matches(one, topic) for one in session.filters):
                self._queue(session, Post(topic, payload))
        if wire is not None:
            wire.to_client(lambda it: it.answered(mid))

    def acknowledge(self, name: str, number: int) -> None:
        """A client has done with a message."""
        session = self.sessions.get(name)
        if session is not None:
            session.under_way.pop(number, None)
            self._push(session)

    def crash(self, *, forgets: bool) -> None:
        """Every connection goes, and with `forgets` whatever was not on the disk."""
        self.up = False
        for name, session in [*self.sessions.items()]:
            if session.wire is not None:
                session.wire.cut()
            session.will = None
            self._end(name, session)
        if forgets:
            self.sessions.clear()
            self.retained.clear()

    def lost(self, wire: Wire) -> None:
        """The keep-alive of a connection has run out."""
        for name, session in [*self.sessions.items()]:
            if session.wire is wire:
                self._end(name, session)

    def _end(self, name: str, session: Session) -> None:
        will, session.wire, session.will = session.will, None, None
        session.waiting.extendleft(reversed([*session.under_way.values()]))
        session.under_way.clear()
        if not session.lasting:
            del self.sessions[name]
        if will is not None:
            self.publish(will.topic, will.payload, retain=True)

    def _queue(self, session: Session, post: Post) -> None:
        for _ in range(2 if self._world.chance(self.twice) else 1):
            if len(session.waiting) < SESSION_ROOM:
                session.waiting.append(post)
        if len(session.waiting) > 1 and self._world.chance(self.swapped):
            session.waiting[-1], session.waiting[-2] = session.waiting[-2], session.waiting[-1]
        self._push(session)

    def _push(self, session: Session) -> None:
        wire = session.wire
        while wire is not None and session.waiting and len(session.under_way) < IN_FLIGHT:
            post, session.numbers = session.waiting.popleft(), session.numbers + 1
            sent = Post(post.topic, post.payload, post.retained, session.numbers)
            session.under_way[sent.number] = sent
            wire.to_client(lambda it, sent=sent: it.arrived(sent))  # type: ignore[misc]


def matches(one: str, topic: str) -> bool:
    """MQTT 5 section 4.7."""
    levels, found = one.split("/"), topic.split("/")
    if levels[-1] == "#":
        levels, found = levels[:-1], found[: len(levels) - 1]
    return len(levels) == len(found) and all(a in ("+", b) for a, b in zip(levels, found, strict=True))
