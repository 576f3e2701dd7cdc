"""What goes to the broker on the loop's thread: batches of the chain, the retained state, and the connection itself."""

import logging
from collections.abc import Sequence

from agent.adapters.mqtt_link import LastWill
from agent.adapters.snapshot import snapshot
from agent.adapters.store import DeviceMemory, EventStore
from agent.control import effects as asked
from agent.control import messages as happened
from agent.control.damage import damage_alarm, declare_damage
from agent.control.messages import Event
from agent.room import Room
from agent.wire.device_events import EVENTS_TYPE, MAX_BATCH_EVENTS, OVERSIZE, DamagedRun, encode_batch
from agent.wire.envelope import seal
from agent.wire.hints import HINT_TYPE, encode_hint
from agent.wire.identifiers import Digest
from agent.wire.status import STATUS_TYPE, DeviceStatus
from agent.wire.topics import EVENTS, HINT, STATE, device_topic

LEAST_BODY_BYTES = 256  # ours: no event is smaller, so no more of them fit
PACKET_BYTES = 16  # MQTT 5 section 3.3: fixed header, lengths, packet identifier, no properties
Rows = Sequence[tuple[int, bytes]]

logger = logging.getLogger(__name__)


class Post:
    """Reads the store, seals with the device's key and hands over to the link; raises `EnvironmentFault`."""

    def __init__(self, room: Room, store: EventStore, memory: DeviceMemory) -> None:
        self._room, self._store, self._memory = room, store, memory
        self.session = 0
        self._told: set[int] = set()  # declarations that went ahead over this connection

    def send(self, effect: asked.SendEvents) -> list[Event]:
        """One batch; what was found damaged on the way is declared first."""
        most = max(1, min(MAX_BATCH_EVENTS, effect.max_bytes // LEAST_BODY_BYTES))
        declared: list[Event] = []
        waiting, whole = self._store.checked(effect.after, most, effect.max_bytes)
        if not whole:
            declared = self.mend(effect.after, MAX_BATCH_EVENTS)
            waiting = self._store.waiting(effect.after, most, effect.max_bytes)
        if not waiting:
            return [*declared, happened.EventsSent(effect.connection, None, effect.after, effect.after)]
        envelope = self._sealed(waiting)
        last, body = waiting[-1]
        if self._fits(envelope, effect.max_packet):
            return [*declared, self._publish(effect, envelope, waiting, last)]
        return [*declared, *self._send_large(effect, waiting[:-1], last, body)]

    def _send_large(self, effect: asked.SendEvents, ahead: Rows, number: int, body: bytes) -> list[Event]:
        """One event that does not fit beside the declarations `ahead`, or not at all: then it is put aside."""
        envelope = self._sealed([(number, body)])
        if not self._fits(envelope, effect.max_packet):
            nothing = happened.EventsSent(effect.connection, None, effect.after, effect.after)
            return [self._declare(self._store.run_of(number, OVERSIZE)), nothing]
        untold = [row for row in ahead if row[0] not in self._told]
        if not untold:
            return [self._publish(effect, envelope, [(number, body)], number)]
        self._told.update(row[0] for row in untold)
        return [self._publish(effect, self._sealed(untold), untold, effect.after)]

    def _sealed(self, rows: Rows) -> bytes:
        return seal(EVENTS_TYPE, encode_batch([body for _, body in rows]), [self._room.signer])

    def _fits(self, envelope: bytes, max_packet: int) -> bool:
        return len(envelope) + len(self._topic(EVENTS)) + PACKET_BYTES <= max_packet

    def _publish(self, effect: asked.SendEvents, envelope: bytes, rows: Rows, last: int) -> Event:
        mid = self._room.link.publish(self._topic(EVENTS), envelope)
        first, highest = min(rows)[0], max(rows)[0]
        logger.debug("sent %d..%d as message %s", first, last, mid)
        return happened.EventsSent(effect.connection, mid, first, last, highest if highest > last else 0)

    def hint(self, effect: asked.SendHint) -> list[Event]:
        """A copy of one event that still waits, ahead of the others."""
        mid = None
        for number, body in self._store.waiting(effect.devseq - 1, 1, 1):
            if number == effect.devseq:
                envelope = seal(HINT_TYPE, encode_hint(body), [self._room.signer])
                mid = self._room.link.publish(self._topic(HINT), envelope)
        return [happened.PublishedAside(effect.connection, mid, hint=True)]

    def mend(self, after: int, rows: int) -> list[Event]:
        """Declare what is damaged among the next `rows` waiting events."""
        return [self._declare(run) for run in self._store.damage(after, rows)]

    def _declare(self, run: DamagedRun) -> Event:
        now = self._room.clock.read()
        logger.error("events %d to %d (%s) are put aside and declared", run.first, run.last, run.reason)
        order = declare_damage(run, now)
        devseq = self._store.put(order.draft, order.note)
        self._memory.record_fault(damage_alarm(run), now.wall)
        return happened.EventStored(devseq)

    def open_connection(self) -> Event:
        """Begin an attempt under a new session number."""
        session = self.session = self._memory.next_session()
        self._told.clear()
        self._room.link.connect(session, LastWill(self._topic(STATE), self._status(online=False)))
        return happened.LinkOpening(session)

    def close_connection(self, flush_by_ns: int | None) -> None:
        """End the current one; what was handed over is sent first up to `flush_by_ns`."""
        now_ns = self._room.clock.read().monotonic_ns
        timeout_s = 0.0 if flush_by_ns is None else max(0, flush_by_ns - now_ns) / 1e9
        if not self._room.link.close(timeout_s) and timeout_s:
            logger.warning("the connection has not ended within %s s", timeout_s)

    def publish_status(self, *, online: bool) -> Event:
        """The retained state of the moment."""
        mid = self._room.link.publish(self._topic(STATE), self._status(online=online), retain=True)
        return happened.PublishedAside(self.session, mid)

    def _status(self, *, online: bool) -> bytes:
        figures, now = snapshot(self._room.database), self._room.clock.read()
        identity = self._room.identity
        status = DeviceStatus(
            identity.device,
            online,
            figures.session,
            now.boot,
            identity.version,
            figures.waiting,
            figures.acked,
            Digest(figures.head),
            now.wall,
        )
        return seal(STATUS_TYPE, status.encode(), [self._room.signer])

    def _topic(self, channel: str) -> str:
        return device_topic(self._room.identity.district, self._room.identity.device, channel)
