"""Carries out what the controller asks for, one effect at a time, on the loop's thread."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from agent.adapters.database import Database, snapshot
from agent.adapters.disclosed_folder import DisclosedFolder
from agent.adapters.mqtt_link import LastWill, MqttLink
from agent.adapters.store import DeviceMemory, EventStore
from agent.adapters.worker import Worker
from agent.clock import Clock
from agent.control import effects as asked
from agent.control import messages as happened
from agent.control.controller import Identity
from agent.control.effects import Effect
from agent.control.messages import Event
from agent.errors import EnvironmentFault
from agent.wire import canonical
from agent.wire.device_events import EVENTS_TYPE, MAX_BATCH_EVENTS, encode_batch
from agent.wire.envelope import seal
from agent.wire.identifiers import Digest
from agent.wire.signing import CertifiedSigner
from agent.wire.status import STATUS_TYPE, DeviceStatus
from agent.wire.topics import EVENTS, STATE, device_topic

logger = logging.getLogger(__name__)


class RecorderPort(Protocol):
    """What the performer needs of a recorder; it answers with the recording events."""

    def start(self, order: asked.StartRecording) -> None:
        """Begin a recording; returns at once."""

    def stop(self, reason: str) -> None:
        """End it; returns at once."""

    def mark(self, order: asked.MarkRecording) -> None:
        """Carry out an officer's act in it; returns at once."""

    def photograph(self, order: asked.TakePhoto) -> None:
        """Keep the next picture as a photo; returns at once."""

    def note_health(self, order: asked.NoteHealth) -> None:
        """Sign a reading into the running recording; returns at once."""

    def set_bitrate(self, percent: int) -> None:
        """Code pictures at so many percent of the configured rate; returns at once."""


@dataclass(frozen=True)
class Room:
    """What effects are carried out with. `recorder` and `disclosed` are None on devices that have no use for them;
    `read_trust` reads the trust list file again and answers with `TrustListRead` or `WorkFailed`."""

    identity: Identity
    clock: Clock
    signer: CertifiedSigner
    database: Database
    link: MqttLink
    worker: Worker
    recorder: RecorderPort | None
    disclosed: DisclosedFolder | None
    read_trust: Callable[[], Event]


class Performer:
    """One method for each kind of effect that needs more than a line."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._store = EventStore(room.database, room.identity.district, room.identity.device)
        self._memory = DeviceMemory(room.database)

    def perform(self, effect: Effect) -> list[Event]:
        """Carry out `effect`; what it led to at once. A full or failing disk is an event, never an exception: what runs
        goes on, and the next start finds out from what stands on the disk."""
        try:
            return self._carry_out(effect)
        except EnvironmentFault as fault:
            logger.error("%s: %s", type(effect).__name__, fault)  # noqa: TRY400 - a traceback says no more
            return self._failed(effect, str(fault))

    def _failed(self, effect: Effect, detail: str) -> list[Event]:
        """The answer to an effect that the disk or a key's hardware refused: what its asker waits for, or an alarm."""
        match effect:
            case asked.StoreEvent():
                return [happened.EventNotStored(effect, detail)]
            case asked.SendEvents(connection, after):
                return [happened.EventsSent(connection, None, after, after)]
            case asked.OpenConnection():  # a session number used twice would let an old last will win
                return [happened.LinkOpening(0), happened.LinkDown(0, detail)]
            case asked.StartRecording(recording):
                return [happened.RecordingFailed(recording, detail, self._room.clock.read())]
            case asked.ShowDisclosure(kind, name):
                return [happened.WorkFailed(detail, (kind, name))]
            case asked.RaiseAlarm():
                return []  # an alarm about an alarm would never end
            case _:
                return [happened.WorkFailed(detail)]

    def _carry_out(self, effect: Effect) -> list[Event]:
        match effect:
            case asked.StoreEvent():
                return [self._put(effect)]
            case asked.SendEvents():
                return [self._send(effect)]
            case asked.CompareReceipt(receipt):
                return [happened.ReceiptCompared(receipt, self._store.hash_of(receipt.upto))]
            case asked.OpenConnection():
                return [self._open_connection()]
            case asked.StartRecording():
                return self._start_recording(effect)
            case asked.ShowDisclosure(kind, name, envelope):
                self._show(kind, name, envelope)
            case asked.ReadTrustList():
                self._room.worker.ask(self._room.read_trust)
            case _:
                self._carry_out_silently(effect)
        return []

    def _carry_out_silently(self, effect: Effect) -> None:
        match effect:
            case asked.StoreNote(note):
                self._memory.remember(note)
            case asked.ReserveRecording(number):
                self._memory.reserve_recording(number)
            case asked.Acknowledge(upto):
                self._store.acknowledge(upto, canonical.timestamp(self._room.clock.read().wall))
            case asked.StopRecording(_, reason) if self._room.recorder is not None:
                self._room.recorder.stop(reason)
            case asked.MarkRecording() if self._room.recorder is not None:
                self._room.recorder.mark(effect)
            case asked.TakePhoto() if self._room.recorder is not None:
                self._room.recorder.photograph(effect)
            case asked.NoteHealth() if self._room.recorder is not None:
                self._room.recorder.note_health(effect)
            case asked.SetBitrate(percent) if self._room.recorder is not None:
                self._room.recorder.set_bitrate(percent)
            case asked.SyncDisks():
                self._room.worker.ask(os.sync)
            case asked.Subscribe(filters):
                self._room.link.subscribe(filters)
            case asked.PublishStatus(online):
                self._room.link.publish(self._topic(STATE), self._status(online=online), retain=True)
            case asked.CloseConnection(flush_by_ns):
                self._close_connection(flush_by_ns)
            case asked.RaiseAlarm(text):
                logger.warning("alarm: %s", text)
                self._memory.record_fault(f"{canonical.timestamp(self._room.clock.read().wall)} {text}")
            case _:
                raise TypeError(f"unknown effect {type(effect).__name__}")

    def _put(self, effect: asked.StoreEvent) -> Event:
        devseq = self._store.put(effect.draft, effect.note)
        logger.info("stored %s as %d", effect.draft.event_id, devseq)
        return happened.EventStored(devseq)

    def _send(self, effect: asked.SendEvents) -> Event:
        waiting = self._store.waiting(effect.after, MAX_BATCH_EVENTS, effect.max_bytes)
        if not waiting:
            return happened.EventsSent(effect.connection, None, effect.after, effect.after)
        payload = encode_batch([body for _, body in waiting])
        envelope = seal(EVENTS_TYPE, payload, [self._room.signer])
        mid = self._room.link.publish(self._topic(EVENTS), envelope)
        logger.debug("sent %d..%d as message %s", waiting[0][0], waiting[-1][0], mid)
        return happened.EventsSent(effect.connection, mid, waiting[0][0], waiting[-1][0])

    def _open_connection(self) -> Event:
        session = self._memory.next_session()
        will = LastWill(self._topic(STATE), self._status(online=False))
        self._room.link.connect(session, will)
        return happened.LinkOpening(session)

    def _close_connection(self, flush_by_ns: int | None) -> None:
        now_ns = self._room.clock.read().monotonic_ns
        timeout_s = 0.0 if flush_by_ns is None else max(0, flush_by_ns - now_ns) / 1e9
        if not self._room.link.close(timeout_s) and timeout_s:
            logger.warning("the connection has not ended within %s s", timeout_s)

    def _start_recording(self, effect: asked.StartRecording) -> list[Event]:
        if self._room.recorder is None:
            detail = "本机没有录像设备，不能录制。"
            return [happened.RecordingFailed(None, detail, self._room.clock.read())]
        self._room.recorder.start(effect)
        return []

    def _show(self, kind: str, name: str, envelope: bytes) -> None:
        disclosed = self._room.disclosed
        if disclosed is not None:
            self._room.worker.ask(lambda: disclosed.show(kind, name, envelope))

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
