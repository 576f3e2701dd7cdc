"""What goes to the broker on the loop's thread: batches of the chain, the retained state, and the connection itself."""

import logging

from agent.adapters.database import snapshot
from agent.adapters.mqtt_link import LastWill
from agent.adapters.store import DeviceMemory, EventStore
from agent.control import effects as asked
from agent.control import messages as happened
from agent.control.damage import damage_alarm, declare_damage
from agent.control.messages import Event
from agent.room import Room
from agent.wire.device_events import EVENTS_TYPE, MAX_BATCH_EVENTS, encode_batch
from agent.wire.envelope import seal
from agent.wire.identifiers import Digest
from agent.wire.status import STATUS_TYPE, DeviceStatus
from agent.wire.topics import EVENTS, STATE, device_topic

logger = logging.getLogger(__name__)


class Post:
    """Reads the store, seals with the device's key and hands over to the link; raises `EnvironmentFault`."""

    def __init__(self, room: Room, store: EventStore, memory: DeviceMemory) -> None:
        self._room, self._store, self._memory = room, store, memory

    def send(self, effect: asked.SendEvents) -> list[Event]:
        """One batch; what was found damaged on the way is declared first."""
        declared = self.mend(effect.after, MAX_BATCH_EVENTS)
        waiting = self._store.waiting(effect.after, MAX_BATCH_EVENTS, effect.max_bytes)
        if not waiting:
            return [*declared, happened.EventsSent(effect.connection, None, effect.after, effect.after)]
        payload = encode_batch([body for _, body in waiting])
        envelope = seal(EVENTS_TYPE, payload, [self._room.signer])
        mid = self._room.link.publish(self._topic(EVENTS), envelope)
        logger.debug("sent %d..%d as message %s", waiting[0][0], waiting[-1][0], mid)
        first, last, ahead = min(waiting)[0], waiting[-1][0], max(waiting)[0]
        return [*declared, happened.EventsSent(effect.connection, mid, first, last, ahead if ahead > last else 0)]

    def mend(self, after: int, rows: int) -> list[Event]:
        """Declare what is damaged among the next `rows` waiting events."""
        stored: list[Event] = []
        for run in self._store.damage(after, rows):
            now, text = self._room.clock.read(), damage_alarm(run)
            logger.error("events %d to %d are damaged, put aside and declared", run.first, run.last)
            order = declare_damage(run, now)
            stored.append(happened.EventStored(self._store.put(order.draft, order.note)))
            self._memory.record_fault(text, now.wall)
        return stored

    def open_connection(self) -> Event:
        """Begin an attempt under a new session number."""
        session = self._memory.next_session()
        self._room.link.connect(session, LastWill(self._topic(STATE), self._status(online=False)))
        return happened.LinkOpening(session)

    def close_connection(self, flush_by_ns: int | None) -> None:
        """End the current one; what was handed over is sent first up to `flush_by_ns`."""
        now_ns = self._room.clock.read().monotonic_ns
        timeout_s = 0.0 if flush_by_ns is None else max(0, flush_by_ns - now_ns) / 1e9
        if not self._room.link.close(timeout_s) and timeout_s:
            logger.warning("the connection has not ended within %s s", timeout_s)

    def publish_status(self, *, online: bool) -> None:
        """The retained state of the moment."""
        self._room.link.publish(self._topic(STATE), self._status(online=online), retain=True)

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
