"""An ingest over a real database with two devices' keys and a stepped clock; no broker."""

from pathlib import Path

from sqlalchemy import delete

from agent.wire.identifiers import DeviceId
from agent.wire.receipts import TreePoint
from agent.wire.trust import TrustList
from provisioning.center.event_log import EventLog
from provisioning.center.ingest import Ingest
from provisioning.center.receipt_desk import RECEIPT_INTERVAL_MS
from provisioning.center.store import TABLES, open_store
from provisioning.center.summary import DeviceSummary
from tests.provisioning.district import (
    NOW,
    PLACE,
    Chain,
    SteppedClock,
    TestDistrict,
    events_topic,
    load_signer,
    sealed_batch,
)

A, B = DeviceId("REC-0001"), DeviceId("REC-0002")


class Keys:
    """A district with two recorders and a receiver."""

    def __init__(self, base: Path) -> None:
        self.district = TestDistrict(base, 1883, moment=lambda: NOW)
        self.a = load_signer(self.district.device(A), "evidence")
        self.b = load_signer(self.district.device(B), "evidence")
        self.receiver = self.district.receiver()
        self.key = load_signer(self.receiver, "receiver")


class Center:
    """A receiver without its link."""

    def __init__(self, keys: Keys, base: Path, url: str = "sqlite:///center.db") -> None:
        self.district, self.a, self.b, self.key = keys.district, keys.a, keys.b, keys.key
        self.clock, self.base, self.url = SteppedClock(), base, url
        self.chain = Chain(A)
        self.open()

    def open(self) -> None:
        self.store = open_store(self.url, self.base)
        self.ingest = Ingest(PLACE, "receiver-1", self.store, self.trust, self.key)
        self.ingest.begin()

    def restart(self) -> None:
        """As after a kill: nothing is kept but the database."""
        self.store.close()
        self.open()

    @property
    def trust(self) -> TrustList:
        return self.district.authority.trust()

    def take(self, data: bytes, topic: str = events_topic(A)) -> None:
        self.ingest.take([(topic, data)], self.clock.wall, self.clock.monotonic_ms)

    def send(self, *bodies: bytes) -> None:
        self.take(sealed_batch(self.a, list(bodies)))

    def row(self, device: str = A) -> DeviceSummary:
        return next(row for row in self.store.summary() if row.device == device)

    def alarms(self) -> list[tuple[str, str, int]]:
        return [(row["device"], row["kind"], row["devseq"]) for row in self.store.alarms()]

    def account(self) -> list[bytes]:
        """What would be handed out about A, behind a receipt that reached the broker."""
        self.clock.step(RECEIPT_INTERVAL_MS)
        self.ingest.owe_unanswered(self.clock.monotonic_ms)
        self.clock.step(RECEIPT_INTERVAL_MS)
        self.ingest.delivered(self.ingest.receipts(self.clock.wall, self.clock.monotonic_ms))
        return list(self.store.account(A))

    def receipt(self) -> tuple[int, bool]:
        self.clock.step(RECEIPT_INTERVAL_MS)
        (answer,) = self.ingest.receipts(self.clock.wall, self.clock.monotonic_ms)
        return answer.receipt.upto, answer.receipt.resend

    def receipt_after_restart(self) -> int:
        """Up to where the receipt goes that is owed from before; delivered."""
        self.ingest.owe_unanswered(self.clock.monotonic_ms)
        self.clock.step(RECEIPT_INTERVAL_MS)
        (answer,) = self.ingest.receipts(self.clock.wall, self.clock.monotonic_ms)
        self.ingest.delivered([answer])
        return answer.receipt.upto

    def point(self) -> TreePoint:
        with self.store.transaction() as ledger:
            return EventLog(ledger.rows, "receiver-1").point()

    def forget(self, table: str) -> None:
        """Empty a table, as in a store of an earlier release."""
        with self.store._engine.begin() as connection:
            connection.execute(delete(TABLES[table]))
