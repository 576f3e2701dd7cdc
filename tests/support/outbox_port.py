"""The real outbox and the real link of a device, to be tortured from outside over plain TCP.

    python -m tests.support.outbox_port --dir D --port P --topic T [--user U]

Lines in, lines out, each answer in the order of its question:

    ready PID            once, when the store in D is open (the connection may still be on its way)
    put A B              take the events A..B-1: `data` is 300 bytes of canonical JSON {"i": N, "pad": "..."}
    ok A B               all of them are committed, WAL and synchronous=FULL
    refused A B reason   the store takes none of them just now; the reason is one line
    hint N               the same for one event that a person should see at once; a copy goes to T/hint when many wait
    left                 how many events wait for a signed receipt
    left N
    quit                 end as SIGTERM and the end of the input do: within 5 s, whatever is on the way

Events go out on T, one DSSE envelope a message (its `payload` is base64 of a JSON array of CloudEvents). Receipts are
expected on T/ack, hints go to T/hint. Birth and last will stay away unless `--state` sends them to T/state. An event is
named by N: putting it again stores nothing new. `put` is all or nothing up to CHUNK events; a longer one is committed
in parts, so that what was committed before a part was refused stays, and is sent. Every `put` line that waits is
committed with the others in one transaction.

What is real: `EventStore` and `Database`, `Outbox`, `Uplink`, `Performer`, `Post`, `Loop`, `MqttLink`. What is not:
TLS, the controller around them, and the names of the topics. One process a folder; the device's number is drawn once
and kept in D/device, its key follows from it (`tests.support.port_keys`).
"""

import argparse
import os
import random
import secrets
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from paho.mqtt.client import Client

from agent import durable
from agent.adapters import state_lock
from agent.adapters.database import open_database
from agent.adapters.mqtt_link import LastWill, MqttLink
from agent.adapters.store import DeviceMemory, EventStore
from agent.clock import Clock, system_clock
from agent.config import BrokerConfig
from agent.control.back_pressure import HINTED
from agent.control.backoff import NANOSECONDS
from agent.control.controller import Identity
from agent.control.effects import CheckEvents, CloseConnection, Effect, EventDraft, Finish, SendEvents, StoreEvent
from agent.control.messages import (
    CourierDied,
    Event,
    EventStored,
    MessageArrived,
    PressureChanged,
    StopRequested,
    StoreUnreadable,
    TimePassed,
    WorkFailed,
)
from agent.control.outbox import Outbox
from agent.control.uplink import Uplink, compare_receipt
from agent.errors import EnvironmentFault, LiuhenFault
from agent.log import one_line, start_logging
from agent.loop import Inbox, Loop, watch_couriers, watch_signals
from agent.performer import Performer
from agent.room import Room
from agent.wire.device_events import EventType
from agent.wire.identifiers import DeviceId, device_id
from agent.wire.instant import Instant
from agent.wire.topics import EVENTS, HINT, RECEIPT, STATE, device_topic
from agent.wire.trust import TrustList
from tests.support.port_keys import DISTRICT, PortTrust, port_signer

CHUNK = 500  # events of one transaction: some 10 ms, and the loop answers the broker in between
DATA_BYTES = 300
QUOTA_MB = 4096
NOTHING = Path(os.devnull)


# The loop tells effects from events by their classes: those of this port are a kind of one that has no content.


@dataclass(frozen=True)
class PutEvents(CheckEvents):
    """Effect: commit these ranges in one transaction and answer for each."""

    ranges: tuple[tuple[int, int], ...]
    kind: EventType = EventType.STEP_MARKED


@dataclass(frozen=True)
class PutPart(CheckEvents):
    """Effect: commit `start`..`stop`-1 of the long range that `Lines` has at its head."""

    start: int
    stop: int


@dataclass(frozen=True)
class TellLeft(CheckEvents):
    """Effect: answer `left`."""


@dataclass(frozen=True)
class LinesWaiting:
    """Event: there is something in `Lines`."""


class Lines:
    """What was asked for and is not done yet; the reader appends, the loop takes."""

    def __init__(self, wake: Callable[[Event], None]) -> None:
        self.waiting: deque[tuple[str, int, int]] = deque()
        self.done = 0
        self._wake, self._woken = wake, False

    def read(self, source: Iterable[str]) -> None:
        for line in source:
            words = line.split()
            try:
                asked = (words[0], *map(int, words[1:]), 0, 0)[:3]
                known = {"put": 3, "hint": 2, "left": 1, "quit": 1}[words[0]] == len(words)
            except (IndexError, KeyError, ValueError):
                known = False
            if not known or (words[0] == "put" and not 0 <= asked[1] < asked[2]):
                say(f"error {line.strip()[:80]!r} is not: put A B, left, quit")
                continue
            if words[0] == "quit":
                break
            self.waiting.append(asked)
            if not self._woken:
                self._woken = True
                self._wake(LinesWaiting())  # type: ignore[arg-type]
        self._wake(StopRequested())

    def take(self) -> PutEvents | PutPart | TellLeft | None:
        """What is next: one `left`, a part of one long `put`, or `put`s of at most CHUNK events together."""
        self._woken = False
        if not self.waiting:
            return None
        word, first, end = self.waiting[0]
        if word == "left":
            self.waiting.popleft()
            return TellLeft()
        if word == "hint":
            self.waiting.popleft()
            return PutEvents(((first, first + 1),), EventType.CASING_CHANGED)
        if end - first > CHUNK:
            start = max(first, self.done)
            return PutPart(start, min(end, start + CHUNK))
        ranges, room = [], CHUNK
        while self.waiting and self.waiting[0][0] == "put" and self.waiting[0][2] - self.waiting[0][1] <= room:
            _, first, end = self.waiting.popleft()
            ranges.append((first, end))
            room -= end - first
        return PutEvents(tuple(ranges))

    def part_done(self, stop: int, refused: str = "") -> None:
        """The long `put` at the head has been committed up to `stop`, or is refused."""
        _, first, end = self.waiting[0]
        self.done = 0 if refused or stop == end else stop
        if not self.done:
            self.waiting.popleft()
            say(f"refused {first} {end} {refused}" if refused else f"ok {first} {end}")


class PortController:
    """The real uplink and outbox, and the lines."""

    def __init__(self, uplink: Uplink, outbox: Outbox, trust: TrustList, device: DeviceId, lines: Lines, single: bool):
        self._uplink, self._outbox, self._trust, self._device = uplink, outbox, trust, device
        self._lines, self._single, self._ending = lines, single, False

    def deadline(self) -> int | None:
        return 0 if self._lines.waiting else self._uplink.deadline()

    def start(self, now: Instant) -> list[Effect]:
        return [CheckEvents(), *self._uplink.open(now)]

    def handle(self, event: Event, now: Instant) -> list[object]:
        effects: list[object] = [*self._decide(event, now)]
        if self._ending:
            return effects
        due = self._uplink.next(now)
        asked = None if due else self._lines.take()  # what waits goes first: the centre has its part to do meanwhile
        return [*effects, *(self._sending(it) for it in due), *([] if asked is None else [asked])]

    def _sending(self, effect: Effect) -> Effect:
        if self._single and isinstance(effect, SendEvents):
            return SendEvents(effect.connection, effect.after, 1, effect.max_packet)
        return effect

    def _decide(self, event: Event, now: Instant) -> list[Effect]:
        match event:
            case LinesWaiting() | PressureChanged() | WorkFailed():
                return []
            case TimePassed():
                return self._uplink.wake(now)
            case StopRequested() | CourierDied() | StoreUnreadable():
                self._ending = True
                code = 0 if isinstance(event, StopRequested) else EnvironmentFault.exit_code
                by_ns = now.monotonic_ns + 4 * NANOSECONDS
                return [CloseConnection(now.monotonic_ns + NANOSECONDS // 2), Finish(code, by_ns)]
            case MessageArrived():
                return compare_receipt(self._device, event.payload, self._trust, now)
            case _:
                return self._uplink.handle(event, now)


class PortPerformer:
    """The real performer, and the answers."""

    def __init__(self, room: Room, outbox: Outbox, lines: Lines) -> None:
        self._performer, self._clock = Performer(room), room.clock
        self._outbox, self._lines = outbox, lines
        self._store = EventStore(room.database, DISTRICT, room.identity.device)

    def perform(self, effect: object) -> list[Event]:
        match effect:
            case TellLeft():
                say(f"left {self._outbox.stored - self._outbox.acked}")
                return []
            case PutEvents(ranges, kind):
                return self._put(ranges, kind)
            case PutPart(start, stop):
                return self._put_part(start, stop)
            case _:
                return self._performer.perform(effect)  # type: ignore[arg-type]

    def _put(self, ranges: tuple[tuple[int, int], ...], kind: EventType) -> list[Event]:
        try:
            numbers = self._store.put_all([it for first, end in ranges for it in self._orders(first, end, kind)])
        except EnvironmentFault as fault:
            if len(ranges) > 1:
                return [event for each in ranges for event in self._put((each,), kind)]
            say(f"refused {ranges[0][0]} {ranges[0][1]} {one_line(str(fault))}")
            return []
        for first, end in ranges:
            say(f"ok {first} {end}")
        return [EventStored(max(numbers), tuple(numbers) if kind in HINTED else ())]

    def _put_part(self, start: int, stop: int) -> list[Event]:
        try:
            numbers = self._store.put_all(self._orders(start, stop))
        except EnvironmentFault as fault:
            self._lines.part_done(start, one_line(str(fault)))
            return []
        self._lines.part_done(stop)
        return [EventStored(max(numbers))]

    def _orders(self, first: int, end: int, kind: EventType = EventType.STEP_MARKED) -> list[StoreEvent]:
        at = self._clock.read()
        return [StoreEvent(EventDraft(f"port/{it}", kind, at, data_of(it))) for it in range(first, end)]


class PlainLink(MqttLink):
    """The device's link over plain TCP, with the topics of whoever tortures it."""

    def __init__(self, device: DeviceId, settings: BrokerConfig, topic: str, user: str, state: bool, inbox: Inbox):
        receipts = device_topic(DISTRICT, device, RECEIPT)

        def report(event: Event) -> None:
            arrived = isinstance(event, MessageArrived)
            inbox.put(MessageArrived(event.connection, receipts, event.payload) if arrived else event)

        super().__init__(device, settings, report)
        names = {EVENTS: topic, HINT: f"{topic}/hint", RECEIPT: f"{topic}/ack", STATE: f"{topic}/state"}
        self._names = {device_topic(DISTRICT, device, channel): name for channel, name in names.items()}
        self._state_topic, self._user, self._tells_state = device_topic(DISTRICT, device, STATE), user, state

    def open(self) -> None:
        """Nothing to read."""

    def connect(self, connection: int, will: LastWill) -> None:
        super().connect(connection, LastWill(self._names[will.topic], will.payload))

    def subscribe(self, filters: Iterable[str]) -> None:
        super().subscribe(self._names[it] for it in filters)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
        if topic == self._state_topic and not self._tells_state:
            return None
        return super().publish(self._names[topic], payload, retain=retain)

    def _secure(self, client: Client) -> None:
        if self._user:
            client.username_pw_set(self._user)

    def _promise(self, client: Client, will: LastWill) -> None:
        if self._tells_state:
            super()._promise(client, will)


def data_of(number: int) -> dict[str, object]:
    """300 bytes of canonical JSON."""
    return {"i": number, "pad": "x" * (DATA_BYTES - len(f'{{"i":{number},"pad":""}}'))}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def own_number(folder: Path) -> DeviceId:
    """Drawn once for the folder."""
    place = folder / "device"
    if not place.exists():
        durable.write_bytes(place, f"REC-{secrets.randbelow(999_999) + 1:06d}".encode(), durable.PRIVATE)
    return device_id(place.read_text())


def settings_of(host: str, port: int, keepalive_s: int) -> BrokerConfig:
    return BrokerConfig(host, NOTHING, NOTHING, NOTHING, port, "5", host, keepalive_s)


def serve(options: argparse.Namespace, stack: ExitStack, clock: Clock) -> int:
    folder = Path(options.dir)
    folder.mkdir(parents=True, exist_ok=True)
    inbox = Inbox()
    watch_couriers(inbox)
    watch_signals(inbox)
    stack.enter_context(state_lock.hold(folder))
    device, trust = own_number(folder), PortTrust()
    database, loss = open_database(folder / "agent.db", options.quota_mb * 2**20)
    stack.callback(database.close)
    settings = settings_of("127.0.0.1", options.port, options.keepalive)
    link = PlainLink(device, settings, options.topic, options.user, options.state, inbox)
    stack.callback(link.close, 1.0)
    identity = Identity(DISTRICT, device, "星河区综合行政执法局", "0.1.0")
    read_trust = lambda: WorkFailed("a port has no trust list")  # noqa: E731
    room = Room(identity, clock, port_signer(device), database, link, None, None, None, read_trust)  # type: ignore[arg-type]
    memory = DeviceMemory(database).recall()
    draw = random.SystemRandom().random
    outbox = Outbox(memory.stored, memory.acked, draw)
    uplink = Uplink((device_topic(DISTRICT, device, RECEIPT),), (), outbox, draw)
    lines = Lines(inbox.put)
    controller = PortController(uplink, outbox, trust.list, device, lines, options.single)
    performer = PortPerformer(room, outbox, lines)
    loop = Loop(inbox, controller, performer.perform, clock, lambda: None)  # type: ignore[arg-type]
    say(f"ready {os.getpid()}")
    if loss is not None:
        sys.stderr.write(f"{loss.detail}\n")
    threading.Thread(target=lines.read, args=(sys.stdin,), name="lines", daemon=True).start()
    first: list[Event] = []
    for effect in controller.start(clock.read()):
        first += performer.perform(effect)
    return loop.run(first).exit_code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True, help="D: the device, its store and its number")
    parser.add_argument("--port", type=int, required=True, help="of a broker on this computer, plain TCP")
    parser.add_argument("--topic", required=True, help="T: events go to T, receipts come on T/ack")
    parser.add_argument("--user", default="", help="name for the broker; without, none is given")
    parser.add_argument("--keepalive", type=int, default=30, help="seconds")
    parser.add_argument("--quota-mb", type=int, default=QUOTA_MB, help="room for the store, MiB (%(default)s)")
    parser.add_argument("--single", action="store_true", help="one event per PUBLISH")
    parser.add_argument("--state", action="store_true", help="birth and last will on T/state")
    options = parser.parse_args()
    start_logging("error", "agent")
    with ExitStack() as stack:
        try:
            code = serve(options, stack, system_clock())
        except LiuhenFault as fault:
            sys.stderr.write(f"{fault}\n")
            code = fault.exit_code
    os._exit(code)  # the reader of the lines may still wait for one


if __name__ == "__main__":
    main()
