"""From arrived messages to committed events and owed receipts; owns the open transaction, knows no network."""

import logging
from collections.abc import Sequence
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
from agent.wire.trust import TrustList
from agent.wire.witness import WITNESS_TYPE
from provisioning.center.event_log import EventLog, Leaf
from provisioning.center.intake import (
    Alarm,
    AlarmKind,
    Decision,
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
from provisioning.center.receipt_desk import ReceiptDesk
from provisioning.center.shard import WHOLE, Shard
from provisioning.center.store import Ledger, Store
from provisioning.center.witnessing import countersigned_devices, witnesses

log = logging.getLogger("liuhen.center")

Committed = tuple[DeviceEvent, bytes]


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

    def begin(self) -> None:
        """Make the log of accepted events where the store has none yet."""
        with self.store.transaction() as ledger:
            EventLog(ledger.rows, self.receiver).begin()

    def take(self, messages: Sequence[tuple[str, bytes]], now: datetime, now_ms: int) -> None:
        """Store a group of (topic, payload) in one transaction; when this returns they may be acknowledged.

        Batches of one device that follow one another are decided together: each alone costs as much as fifty.
        """
        accepted: list[Leaf] = []
        with self.store.transaction() as ledger:
            held: dict[DeviceId, list[Batch]] = {}
            refused = []
            for topic, payload in messages:
                if is_receivers_own(topic):
                    continue
                try:
                    batch = self._open_one(ledger, topic, payload, now, now_ms)
                except SenderFault as fault:
                    refused += self._refuse(ledger, topic, fault, now)
                    continue
                if batch is not None:
                    held.setdefault(batch.device, []).append(batch)
            for device, batches in held.items():
                accepted += self._take_events(ledger, device, batches, now, now_ms)
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
            receipts = tuple(self._receipt(ledger, device, tree, now, now_ms) for device in self.desk.take())
        return tuple(SealedReceipt(it, seal(RECEIPT_TYPE, it.encode(), [self.signer])) for it in receipts)

    def delivered(self, answers: Sequence[SealedReceipt]) -> None:
        """Note and keep receipts that the broker has: until then a restart owes them again."""
        if not answers:
            return
        with self.store.transaction() as ledger:
            for answer in answers:
                receipt = answer.receipt
                ledger.receipted(receipt.device, receipt.upto)
                ledger.keep(receipt.device, SealedKind.RECEIPT, receipt.upto, answer.envelope, only=True)
                if receipt.upto:
                    ledger.keep(
                        receipt.device, SealedKind.DAY_RECEIPT, day_number(receipt.received_at), answer.envelope
                    )

    def renew_trust(self, trust: TrustList, now_ms: int) -> None:
        """Judge by a newer trust list, and ask devices that were refused under the old one to send again."""
        self.trust = trust
        self._ask_again |= self._refused
        for device in self._refused:
            self.desk.owe(device, 0, now_ms)
        self._refused = set()

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

    def _take_events(
        self, ledger: Ledger, device: DeviceId, batches: Sequence[Batch], now: datetime, now_ms: int
    ) -> list[Leaf]:
        links = tuple(link for batch in batches for link in batch.links)
        decision = decide(links, ledger.shelf(device, [link.event.devseq for link in links]))
        ledger.apply(device, decision, now)
        committed = _committed(ledger, device, decision)
        _keep_batches(ledger, device, decision, batches)
        for event, witness in witnesses((event for event, _ in committed), self.receiver, now):
            envelope = seal(WITNESS_TYPE, witness.encode(), [self.signer])
            ledger.keep(device, SealedKind.WITNESS, event.devseq, envelope)
        for alarm in decision.alarms:
            _note(ledger, device, alarm, now)
        for loss in decision.losses:
            log.warning("%s lost its memory: events %d to %d are a declared gap", device, loss.first, loss.last)
        self._refused.discard(device)
        self.desk.owe(device, len(links), now_ms)
        return [Leaf(device, event.devseq, body) for event, body in committed]

    def _refuse(self, ledger: Ledger, topic: str, fault: SenderFault, now: datetime) -> list[DeviceId]:
        try:
            device = topic_device(topic, self.district)
        except SenderFault:
            log.warning("message on a foreign topic ignored: %s", fault)
            return []
        _note(ledger, device, Alarm(AlarmKind.REFUSED, 0, "", str(fault)), now)
        return [device]

    def _receipt(self, ledger: Ledger, device: DeviceId, tree: TreePoint, now: datetime, now_ms: int) -> Receipt:
        head = ledger.head(device)
        wanted = ledger.has_gap(device) or device in self._ask_again
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


def _keep_batches(ledger: Ledger, device: DeviceId, decision: Decision, batches: Sequence[Batch]) -> None:
    """What the account of the device will need: the batches as they came, each by its first number that was new."""
    new = {link.event.devseq: link for link in (*decision.append, *decision.park)}
    kept: dict[int, bytes] = {}
    for batch in batches:
        found = [new.pop(link.event.devseq) for link in batch.links if new.get(link.event.devseq) is link]
        if not found:
            continue
        first = min(link.event.devseq for link in found)
        kept[first] = batch.payload
        for other in countersigned_devices(link.event for link in found):
            ledger.keep(other, countersigned_by(device), first, batch.payload)
    ledger.keep_all(device, SealedKind.BATCH, kept)


def _note(ledger: Ledger, device: DeviceId, alarm: Alarm, now: datetime) -> None:
    if ledger.alarm(device, alarm, now):
        log.warning("alarm %s from %s at event %d: %s", alarm.kind, device, alarm.devseq, alarm.detail)
