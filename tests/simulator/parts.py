"""What stands in the place of a device's link, camera and worker."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.adapters.mqtt_link import LastWill
from agent.control import effects as asked
from agent.control import messages as happened
from agent.control.messages import Event
from agent.wire.identifiers import Digest, RecordingId
from agent.wire.instant import Instant
from tests.simulator.broker import Broker, Post, Wire
from tests.simulator.world import SimClock, World

FRAGMENT_S, FRAGMENT_BYTES = 2.0, 1_000_000
RECEIVE_MAXIMUM, LARGEST_PACKET = 20, 300_000
CONNECT_S, WRITE_S = (0.5, 12.0), (0.001, 0.4)


@dataclass
class Film:
    """A recording as it stands on the card."""

    heads: list[Digest] = field(default_factory=list)
    sealed: happened.RecordingSealed | None = None


class SimLink:
    """In the place of `MqttLink`."""

    def __init__(self, world: World, broker: Broker, name: str, report: Callable[[Event], None]) -> None:
        self._world, self._broker, self._report = world, broker, report
        self.name, self.reachable = name, True
        self._wire: Wire | None = None
        self._number = self._mids = 0

    def connect(self, connection: int, will: LastWill) -> None:
        self.close(0)
        self._number, wire = connection, Wire(self._world, self, self._broker)
        self._wire = wire
        if self.reachable and self._broker.up:
            last = Post(will.topic, will.payload)
            wire.to_broker(lambda: self._broker.connect(wire, self, last, lasting=False))
        else:
            self._world.after(self._world.some(*CONNECT_S), lambda: self._refused(wire))

    def subscribe(self, filters: Iterable[str]) -> None:
        wire, wanted = self._wire, tuple(filters)
        if wire is not None:
            wire.to_broker(lambda: self._broker.subscribe(self.name, wire, wanted))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
        wire = self._wire
        if wire is None:
            return None
        self._mids += 1
        mid = self._mids
        wire.to_broker(lambda: self._broker.publish(topic, payload, retain=retain, wire=wire, mid=mid))
        return mid

    def close(self, timeout_s: float) -> bool:  # noqa: ARG002 - nothing here takes time
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.to_broker(lambda: self._broker.disconnect(self.name, wire))
        return True

    def cut(self) -> None:
        """The way to the broker breaks."""
        if self._wire is not None:
            self._wire.cut()

    def came_up(self) -> None:
        self._report(happened.LinkUp(self._number, RECEIVE_MAXIMUM, LARGEST_PACKET))

    def went_down(self) -> None:
        if self._wire is not None and not self._wire.whole:
            self._wire = None
            self._report(happened.LinkDown(self._number, "连接中断"))

    def arrived(self, post: Post) -> None:
        wire = self._wire
        if wire is not None:
            wire.to_broker(lambda: self._broker.acknowledge(self.name, post.number))
            self._report(happened.MessageArrived(self._number, post.topic, post.payload, post.retained))

    def answered(self, mid: int) -> None:
        self._report(happened.PublishAnswered(self._number, mid, 0))

    def subscribed(self, count: int) -> None:
        self._report(happened.SubscriptionAnswered(self._number, (1,) * count))

    def _refused(self, wire: Wire) -> None:
        if self._wire is wire:
            self._wire = None
            self._report(happened.LinkDown(self._number, "无法连接"))


class SimRecorder:
    """In the place of a camera: fragments go to `card`, which outlives the power."""

    def __init__(
        self, world: World, clock: SimClock, card: dict[RecordingId, Film], report: Callable[[Event], None]
    ) -> None:
        self._world, self._clock, self._card, self._report = world, clock, card, report
        self._running: RecordingId | None = None

    def recover(self, unreported: tuple[RecordingId, ...]) -> list[Event]:
        """Seal what stands open; tell again what nobody was told the end of."""
        told: list[Event] = []
        for name in dict.fromkeys((*(it for it, film in self._card.items() if film.sealed is None), *unreported)):
            film = self._card.get(name)
            if film is None or not film.heads:
                self._card.pop(name, None)
                told.append(happened.RecordingFailed(name, "没有可恢复的画面。", self._clock.read()))
                continue
            film.sealed = film.sealed or _sealed(name, film, "device_restart", self._clock.read(), recovered=True)
            told += [happened.RecordingFound(name, film.heads[-1]), film.sealed]
        return told

    def halt(self) -> None:
        """The power is gone."""
        self._running = None

    def start(self, order: asked.StartRecording) -> None:
        self._running = order.recording
        self._card[order.recording] = Film()
        self._world.after(FRAGMENT_S, lambda: self._fragment(order.recording))

    def stop(self, reason: str) -> None:
        name, self._running = self._running, None
        if name is None:
            return
        film = self._card[name]
        if not film.heads:
            del self._card[name]
            self._report(happened.RecordingFailed(name, "没有画面。", self._clock.read()))
            return
        film.sealed = _sealed(name, film, reason, self._clock.read(), recovered=False)
        self._report(film.sealed)

    def mark(self, order: asked.MarkRecording) -> None:
        """Nothing that the district would see."""

    def photograph(self, order: asked.TakePhoto) -> None:
        digest = Digest(hashlib.sha256(repr(order).encode()).hexdigest())
        self._report(happened.PhotoTaken(digest, FRAGMENT_BYTES, self._running, order.at))

    def obey(self, order: object) -> None:
        """Nothing that the district would see."""

    def _fragment(self, name: RecordingId) -> None:
        if self._running != name:
            return
        film = self._card[name]
        head = Digest(hashlib.sha256(f"{name}/{len(film.heads)}".encode()).hexdigest())
        film.heads.append(head)
        milliseconds, now = int(FRAGMENT_S * 1000), self._clock.read()
        self._report(happened.FragmentStored(name, 1, len(film.heads), head, now, milliseconds, FRAGMENT_BYTES))
        self._world.after(FRAGMENT_S, lambda: self._fragment(name))


def _sealed(name: RecordingId, film: Film, reason: str, at: Instant, *, recovered: bool) -> happened.RecordingSealed:
    count = len(film.heads)
    size, milliseconds = count * FRAGMENT_BYTES, int(count * FRAGMENT_S * 1000)
    return happened.RecordingSealed(name, 1, count, film.heads[-1], milliseconds, size, reason, recovered, 0, at)


class SimWorker:
    """In the place of the worker's thread."""

    def __init__(self, world: World, report: Callable[[Event], None]) -> None:
        self._world, self._report = world, report
        self._last_ns = 0

    def ask(self, job: Callable[[], Event | None]) -> None:
        due_ns = self._world.now_ns + int(self._world.some(*WRITE_S) * 1e9)
        self._last_ns = self._world.at(max(self._last_ns, due_ns), lambda: self._do(job))

    def _do(self, job: Callable[[], Event | None]) -> None:
        answer = job()
        if answer is not None:
            self._report(answer)
