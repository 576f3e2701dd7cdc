"""From arrived messages to committed events and owed receipts; owns the open transaction, knows no network."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.device_events import DeviceEvent, parse_event
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId, District
from agent.wire.receipts import RECEIPT_TYPE, Receipt, TreePoint
from agent.wire.signing import Signer
from agent.wire.topics import HINT, STATE, parse_device_topic
from agent.wire.tree_head import TREE_HEAD_TYPE, TreeHead
from agent.wire.trust import UNKNOWN_KEY, TrustList
from agent.wire.witness import WITNESS_TYPE
from provisioning.center.event_log import EventLog, Leaf
from provisioning.center.intake import (
    Alarm,
    AlarmKind,
    Decision,
    Head,
    Link,
    SealedKind,
    countersigned_by,
    day_number,
    decide,
    is_receivers_own,
    open_batch,
    open_hint,
    open_status,
    topic_device,
)
from provisioning.center.list_change import follow_list, subjects
from provisioning.center.receipt_desk import ReceiptDesk
from provisioning.center.shard import WHOLE, Shard
from provisioning.center.store import Ledger, Store
from provisioning.center.witnessing import countersigned_devices, witnesses

MAX_STATES, MAX_STATE_BYTES = 1_000, 8_192  # ours: refused births that wait for a newer list; one is some 700 bytes

log = logging.getLogger("liuhen.center")

Committed = tuple[DeviceEvent, bytes]
Kept = tuple[DeviceId, str, int, bytes]


@dataclass(frozen=True)
class Batch:
    """A verified message of events, and its bytes as they came."""

    device: DeviceId
    links: tuple[Link, ...]
    payload: bytes


@dataclass(frozen=True)
class SealedReceipt:
    """A receipt as it is kept and sent."""

    receipt: Receipt
    envelope: bytes


@dataclass
class Ingest:
    """One receiver's intake into `store`; `signer` is its own key. Times are given, milliseconds are monotonic."""

    district: District
    receiver: str
    store: Store
    trust: TrustList
    signer: Signer
    desk: ReceiptDesk = field(default_factory=ReceiptDesk)
    shard: Shard = WHOLE
    _refused: set[DeviceId] = field(default_factory=set)
    _ask_again: set[DeviceId] = field(default_factory=set)
    _states: dict[str, bytes] = field(default_factory=dict)

    def begin(self) -> None:
        """Make the log of accepted events where the store has none yet."""
        with self.store.transaction() as ledger:
            EventLog(ledger.rows, self.receiver).begin()
            follow_list(ledger.rows, self.trust)

    def take(self, messages: Sequence[tuple[str, bytes]], now: datetime, now_ms: int) -> None:
        """Store a group of (topic, payload) in one transaction; when this returns they may be acknowledged.

        All of them are decided and stored together: each event alone would cost as much as fifty.
        """
        with self.store.transaction() as ledger:
            held: dict[DeviceId, list[Batch]] = {}
            refused = []
            for topic, payload in messages:
                if is_receivers_own(topic):
                    continue
                self._states.pop(topic, None)
                try:
                    batch = self._open_one(ledger, topic, payload, now, now_ms)
                except SenderFault as fault:
                    refused += self._refuse(ledger, topic, fault, now)
                    self._keep_state(topic, payload)
                    continue
                if batch is not None:
                    held.setdefault(batch.device, []).append(batch)
            accepted = self._take_events(ledger, held, now) if held else []
            for device, batches in held.items():
                self._refused.discard(device)
                self.desk.owe(device, sum(len(batch.links) for batch in batches), now_ms)
            self._refused.update(refused)
            EventLog(ledger.rows, self.receiver).append(accepted)

    def owe_unanswered(self, now_ms: int) -> None:
        """Owe a receipt to every device with committed events that none has covered: we may have died in between."""
        with self.store.transaction() as ledger:
            for device in filter(self.shard.owns, ledger.unanswered()):
                self.desk.owe(device, 0, now_ms)

    def receipts(self, now: datetime, now_ms: int) -> tuple[SealedReceipt, ...]:
        """The receipts that are due now; `delivered` notes them once the broker has them."""
        if not self.desk.due(now_ms):
            return ()
        with self.store.transaction() as ledger:
            tree = self._seal_tree(ledger, now)
            devices = self.desk.take()
            heads, gaps = ledger.heads(devices), ledger.with_gaps(devices)
            receipts = tuple(
                self._receipt(device, heads[device], tree, now, now_ms, gap=device in gaps) for device in devices
            )
        return tuple(SealedReceipt(it, seal(RECEIPT_TYPE, it.encode(), [self.signer])) for it in receipts)

    def delivered(self, answers: Sequence[SealedReceipt]) -> None:
        """Note and keep receipts that the broker has: until then a restart owes them again."""
        if not answers:
            return
        with self.store.transaction() as ledger:
            ledger.receipted((it.receipt.device, it.receipt.upto, it.envelope) for it in answers)
            ledger.keep(
                (it.receipt.device, SealedKind.DAY_RECEIPT, day_number(it.receipt.received_at), it.envelope)
                for it in answers
                if it.receipt.upto
            )

    def renew_trust(self, trust: TrustList, now: datetime, now_ms: int) -> None:
        """Judge by a newer trust list, and ask devices that were refused under the old one to send again. Their states
        are taken once more: a device says its birth once in a session, and it may come before the list that names its
        key."""
        self.trust = trust
        self._ask_again |= self._refused
        for device in self._refused:
            self.desk.owe(device, 0, now_ms)
        states, self._refused, self._states = tuple(self._states.items()), set(), {}
        with self.store.transaction() as ledger:
            follow_list(ledger.rows, trust)
        self.take(states, now, now_ms)

    def _keep_state(self, topic: str, payload: bytes) -> None:
        room = len(self._states) < MAX_STATES and len(payload) <= MAX_STATE_BYTES
        if room and topic.endswith(f"/{STATE}"):
            self._states[topic] = payload

    def _open_one(self, ledger: Ledger, topic: str, payload: bytes, now: datetime, now_ms: int) -> Batch | None:
        """The batch that a message is; anything else is settled here."""
        if not self.shard.owns(topic_device(topic, self.district)):
            return None
        channel = parse_device_topic(topic).channel
        if channel == HINT:
            device, hint = open_hint(topic, payload, self.trust, now, self.district)
            _note(ledger, device, hint, now)
        elif channel != STATE:
            return Batch(*open_batch(topic, payload, self.trust, now, self.district), payload)
        elif payload:  # an empty one is a retained state that was cleared
            status = open_status(topic, payload, self.trust, now, self.district)
            if ledger.status(status, now) and status.online:
                self.desk.owe(status.device, 0, now_ms)
        return None

    def _take_events(self, ledger: Ledger, held: Mapping[DeviceId, Sequence[Batch]], now: datetime) -> list[Leaf]:
        links = {device: tuple(it for batch in batches for it in batch.links) for device, batches in held.items()}
        shelves = ledger.shelves({device: [it.event.devseq for it in each] for device, each in links.items()})
        decisions = {device: decide(each, shelves[device]) for device, each in links.items()}
        ledger.apply(decisions, now)
        committed = {device: _committed(ledger, device, decision) for device, decision in decisions.items()}
        ledger.keep(it for device, decision in decisions.items() for it in _batches(device, decision, held[device]))
        ledger.keep(it for device, events in committed.items() for it in self._witnesses(device, events, now))
        for device, decision in decisions.items():
            for alarm in decision.alarms:
                _note(ledger, device, alarm, now)
            for loss in decision.losses:
                log.warning("%s lost its memory: events %d to %d are a declared gap", device, loss.first, loss.last)
        return [Leaf(device, event.devseq, body) for device, events in committed.items() for event, body in events]

    def _witnesses(self, device: DeviceId, committed: Sequence[Committed], now: datetime) -> Iterator[Kept]:
        for event, witness in witnesses((event for event, _ in committed), self.receiver, now):
            yield device, SealedKind.WITNESS, event.devseq, seal(WITNESS_TYPE, witness.encode(), [self.signer])

    def _refuse(self, ledger: Ledger, topic: str, fault: SenderFault, now: datetime) -> list[DeviceId]:
        try:
            device = topic_device(topic, self.district)
        except SenderFault:
            log.warning("message on a foreign topic ignored: %s", fault)
            return []
        unlisted = fault.code == UNKNOWN_KEY and device not in subjects(self.trust)
        kind = AlarmKind.UNLISTED if unlisted else AlarmKind.REFUSED
        _note(ledger, device, Alarm(kind, 0, "", str(fault)), now)
        return [device]

    def _receipt(
        self, device: DeviceId, head: Head, tree: TreePoint, now: datetime, now_ms: int, *, gap: bool
    ) -> Receipt:
        wanted = gap or device in self._ask_again
        resend = wanted and self.desk.ask_again(device, head.upto, now_ms)
        self._ask_again.discard(device)
        return Receipt(device, head.upto, head.digest, self.receiver, now, resend, tree)

    def _seal_tree(self, ledger: Ledger, now: datetime) -> TreePoint:
        """Sign the log's head where it has grown since the last one."""
        events = EventLog(ledger.rows, self.receiver)
        point = events.point()
        if events.sealed()[0] != point.size:
            head = TreeHead(self.receiver, point.size, point.root, now)
            events.keep(point.size, seal(TREE_HEAD_TYPE, head.encode(), [self.signer]))
        return point


def _committed(ledger: Ledger, device: DeviceId, decision: Decision) -> list[Committed]:
    """The events that the decision made part of the record, in the order of their numbers, each with its body."""
    here = {link.event.devseq: (link.event, link.body) for link in (*decision.park, *decision.append)}
    for body in ledger.bodies(device, [number for number in decision.adopt if number not in here]):
        event = parse_event(canonical.decode(body))
        here[event.devseq] = event, body
    numbers = sorted([*decision.adopt, *(link.event.devseq for link in decision.append)])
    return [here[number] for number in numbers]


def _batches(device: DeviceId, decision: Decision, batches: Sequence[Batch]) -> Iterator[Kept]:
    """What the account of the device will need: the batches as they came, each by its first number that was new."""
    new = {link.event.devseq: link for link in (*decision.append, *decision.park)}
    for batch in batches:
        found = [new.pop(link.event.devseq) for link in batch.links if new.get(link.event.devseq) is link]
        if not found:
            continue
        first = min(link.event.devseq for link in found)
        yield device, SealedKind.BATCH, first, batch.payload
        for other in countersigned_devices(link.event for link in found):
            yield other, countersigned_by(device), first, batch.payload


def _note(ledger: Ledger, device: DeviceId, alarm: Alarm, now: datetime) -> None:
    if ledger.alarm(device, alarm, now):
        log.warning("alarm %s from %s at event %d: %s", alarm.kind, device, alarm.devseq, alarm.detail)
