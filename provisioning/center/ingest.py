"""From arrived messages to committed events and owed receipts; owns the open transaction, knows no network."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent.errors import SenderFault
from agent.wire.identifiers import DeviceId, District
from agent.wire.receipts import Receipt
from agent.wire.topics import STATE, parse_device_topic
from agent.wire.trust import TrustList
from provisioning.center.intake import (
    Alarm,
    AlarmKind,
    decide,
    is_receivers_own,
    open_batch,
    open_status,
    topic_device,
)
from provisioning.center.receipt_desk import ReceiptDesk
from provisioning.center.store import Ledger, Store

log = logging.getLogger("liuhen.center")


@dataclass
class Ingest:
    """One receiver's intake into `store`; times are given, milliseconds are monotonic."""

    district: District
    receiver: str
    store: Store
    trust: TrustList
    desk: ReceiptDesk = field(default_factory=ReceiptDesk)
    _refused: set[DeviceId] = field(default_factory=set)
    _ask_again: set[DeviceId] = field(default_factory=set)

    def take(self, messages: Sequence[tuple[str, bytes]], now: datetime, now_ms: int) -> None:
        """Store a group of (topic, payload) in one transaction; when this returns they may be acknowledged."""
        with self.store.transaction() as ledger:
            for topic, payload in messages:
                try:
                    self._take_one(ledger, topic, payload, now, now_ms)
                except SenderFault as fault:
                    self._refuse(ledger, topic, fault, now)

    def owe_unanswered(self, now_ms: int) -> None:
        """Owe a receipt to every device with committed events that none has covered: we may have died in between."""
        with self.store.transaction() as ledger:
            for device in ledger.unanswered():
                self.desk.owe(device, 0, now_ms)

    def receipts(self, now: datetime, now_ms: int) -> tuple[Receipt, ...]:
        """The receipts that are due now, noted as handed out."""
        if not self.desk.due(now_ms):
            return ()
        with self.store.transaction() as ledger:
            receipts = tuple(self._receipt(ledger, device, now, now_ms) for device in self.desk.take())
            for receipt in receipts:
                ledger.receipted(receipt.device, receipt.upto)
        return receipts

    def renew_trust(self, trust: TrustList, now_ms: int) -> None:
        """Judge by a newer trust list, and ask devices that were refused under the old one to send again."""
        self.trust = trust
        self._ask_again |= self._refused
        for device in self._refused:
            self.desk.owe(device, 0, now_ms)
        self._refused = set()

    def _take_one(self, ledger: Ledger, topic: str, payload: bytes, now: datetime, now_ms: int) -> None:
        if is_receivers_own(topic):
            return
        if parse_device_topic(topic).channel != STATE:
            self._take_events(ledger, topic, payload, now, now_ms)
        elif payload:  # an empty one is a retained state that was cleared
            status = open_status(topic, payload, self.trust, now, self.district)
            if ledger.status(status, now) and status.online:
                self.desk.owe(status.device, 0, now_ms)

    def _take_events(self, ledger: Ledger, topic: str, payload: bytes, now: datetime, now_ms: int) -> None:
        device, links = open_batch(topic, payload, self.trust, now, self.district)
        decision = decide(links, ledger.shelf(device, [link.event.devseq for link in links]))
        ledger.apply(device, decision, payload, now)
        for alarm in decision.alarms:
            _note(ledger, device, alarm, now)
        self._refused.discard(device)
        self.desk.owe(device, len(links), now_ms)

    def _refuse(self, ledger: Ledger, topic: str, fault: SenderFault, now: datetime) -> None:
        try:
            device = topic_device(topic, self.district)
        except SenderFault:
            log.warning("message on a foreign topic ignored: %s", fault)
            return
        self._refused.add(device)
        _note(ledger, device, Alarm(AlarmKind.REFUSED, 0, "", str(fault)), now)

    def _receipt(self, ledger: Ledger, device: DeviceId, now: datetime, now_ms: int) -> Receipt:
        head = ledger.head(device)
        wanted = ledger.has_gap(device) or device in self._ask_again
        resend = wanted and self.desk.ask_again(device, head.upto, now_ms)
        self._ask_again.discard(device)
        return Receipt(device, head.upto, head.digest, self.receiver, now, resend)


def _note(ledger: Ledger, device: DeviceId, alarm: Alarm, now: datetime) -> None:
    if ledger.alarm(device, alarm, now):
        log.warning("alarm %s from %s at event %d: %s", alarm.kind, device, alarm.devseq, alarm.detail)
