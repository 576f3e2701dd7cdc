"""A centre on the test bench: the chain of events that REC-0001 sent, receipts, witnesses, and the exported account."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agent.evidence.account import Accounts, open_accounts
from agent.evidence.bmff import Source
from agent.evidence.device_chain import ChainLink, chain_link, device_report
from agent.evidence.grounds import Grounds
from agent.evidence.report import Report
from agent.evidence.verify import SegmentFile, Sidecars, examine_files, judge
from agent.wire.device_events import EVENTS_TYPE, GENESIS, DeviceEvent, EventType, encode_batch, event_hash
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId, Digest, District, recording_id
from agent.wire.instant import TimeState
from agent.wire.receipts import RECEIPT_TYPE, Receipt
from agent.wire.signing import KeySigner
from agent.wire.trust import TRUST_TYPE, Credential, Role, TrustList, trust_list
from agent.wire.witness import WITNESS_TYPE, Witness
from tests.agent.evidence.bench import BOOT, DEVICE, NOW, Authority, Bench, private_key

PLACE = District("xinghe")
SECOND = DeviceId("REC-0002")
TYPES = {
    "started": EventType.RECORDING_STARTED,
    "head": EventType.RECORDING_HEAD_ADVANCED,
    "sealed": EventType.RECORDING_SEALED,
    "recovered": EventType.RECORDING_RECOVERED,
    "failed": EventType.RECORDING_REFUSED,
    "photo": EventType.PHOTO_TAKEN,
}


def credential(signer: KeySigner, subject: str, role: Role, revoked_at: datetime | None = None) -> Credential:
    certificate = x509.load_der_x509_certificate(signer.chain[0])
    return Credential(subject, role, certificate.public_bytes(Encoding.PEM).decode(), revoked_at)


@dataclass
class Centre:
    """What receiver-1 holds about REC-0001."""

    authority: Authority
    bodies: list[bytes] = field(default_factory=list)
    batches: list[bytes] = field(default_factory=list)
    witnesses: list[bytes] = field(default_factory=list)
    revoked_at: datetime | None = None
    second_revoked_at: datetime | None = None
    version: int = 1

    def __post_init__(self) -> None:
        self.device = self.authority.signer()
        self.receiver = self.authority.signer("receiver-1")
        self.second = self.authority.signer(SECOND)

    @property
    def trust(self) -> TrustList:
        listed = [
            credential(self.device, DEVICE, Role.RECORDER, self.revoked_at),
            credential(self.receiver, "receiver-1", Role.RECEIVER),
            credential(self.second, SECOND, Role.RECORDER, self.second_revoked_at),
        ]
        return trust_list(PLACE, self.version, NOW, listed)

    @property
    def sealed_trust(self) -> bytes:
        return seal(TRUST_TYPE, self.trust.encode(), [KeySigner(private_key("root xinghe"))])

    @property
    def head(self) -> Digest:
        return event_hash(self.bodies[-1]) if self.bodies else GENESIS

    def tell(self, number: int, what: str, at: datetime = NOW, **facts: Any) -> None:
        """An event of recording `number`, sent in a batch of its own."""
        data = {"recording": recording_id(DEVICE, number), **facts}
        event = DeviceEvent(PLACE, DEVICE, len(self.bodies) + 1, self.head, f"{what}/{len(self.bodies)}", TYPES[what],
                            BOOT, 1, at, TimeState.NTP, data)  # fmt: skip
        self.bodies.append(event.encode())
        self.batches.append(seal(EVENTS_TYPE, encode_batch([self.bodies[-1]]), [self.device]))

    def tell_photo(self, data: bytes) -> None:
        """A photo that was taken by itself."""
        facts = {"photo": hashlib.sha256(data).hexdigest(), "size": len(data), "recording": ""}
        event = DeviceEvent(PLACE, DEVICE, len(self.bodies) + 1, self.head, f"photo/{len(self.bodies)}", TYPES["photo"],
                            BOOT, 1, NOW, TimeState.NTP, facts)  # fmt: skip
        self.bodies.append(event.encode())
        self.batches.append(seal(EVENTS_TYPE, encode_batch([self.bodies[-1]]), [self.device]))

    @property
    def heads(self) -> list[Digest]:
        """The hash of every event so far."""
        return [event_hash(body) for body in self.bodies]

    def lose(self, facts: dict[str, Any]) -> None:
        """The device begins its chain again after its store was lost."""
        event = DeviceEvent(PLACE, DEVICE, facts["skipped_to"] + 1, GENESIS, "store-lost", EventType.STORAGE_FAILED,
                            BOOT, 1, NOW, TimeState.NTP, facts)  # fmt: skip
        self.bodies.append(event.encode())
        self.batches.append(seal(EVENTS_TYPE, encode_batch([self.bodies[-1]]), [self.device]))

    def follow(self, bench: Bench, *, heads: Sequence[int] = (), ended: bool = True) -> None:
        """Everything that a recorder tells of the recording on `bench`, with heads at the fragments `heads`."""
        number = bench.number
        self.tell(number, "started", previous=bench.previous)
        for sequence in heads:
            record = bench.records[sequence - 1]
            facts = {"segment": record.entry.segment, "sequence": sequence, "head": record.head, "size": 1}
            self.tell(number, "head", record.entry.moment.signed.wall, **facts)
        if ended:
            facts = {"segments": bench.segment - 1, "fragments": len(bench.records), "head": bench.head}
            self.tell(number, "sealed", bench.now.wall, **facts)

    def witness(self, bench: Bench, sequence: int, after: timedelta = timedelta(seconds=2), **changes: Any) -> None:
        """A witness to the head of fragment `sequence`; `by` signs it in the name of `witness`."""
        record = bench.records[sequence - 1]
        signer = changes.pop("by", self.receiver)
        at = record.entry.moment.signed.wall + after
        document = Witness(recording_id(DEVICE, bench.number), sequence, record.head, "receiver-1", at)
        self.witnesses.append(seal(WITNESS_TYPE, replace(document, **changes).encode(), [signer]))

    def countersign(self, bench: Bench, sequence: int, **changes: Any) -> bytes:
        """The batch in which the second recorder countersigns fragment `sequence` in its own chain."""
        record = bench.records[sequence - 1]
        signer, head = changes.pop("by", self.second), changes.pop("head", record.head)
        device = changes.pop("device", SECOND)
        data = {"recording": recording_id(DEVICE, bench.number), "sequence": sequence, "head": head, "device": DEVICE}
        at = changes.pop("at", record.entry.moment.signed.wall + timedelta(seconds=1))
        event = DeviceEvent(PLACE, device, 7, GENESIS, f"countersigned/{sequence}", EventType.RECORDING_COUNTERSIGNED,
                            BOOT, 1, at, TimeState.NTP, data)  # fmt: skip
        return seal(EVENTS_TYPE, encode_batch([event.encode()]), [signer])

    def receipt(self, at: datetime = NOW + timedelta(hours=1), **changes: Any) -> bytes:
        signer = changes.pop("by", self.receiver)
        document = Receipt(DEVICE, len(self.bodies), self.head, "receiver-1", at)
        return seal(RECEIPT_TYPE, replace(document, **changes).encode(), [signer])

    def lines(self) -> list[bytes]:
        return [self.sealed_trust, *self.batches, self.receipt(), *self.witnesses]

    def open(self, lines: Sequence[bytes] | None = None) -> Accounts:
        return open_accounts(self.lines() if lines is None else lines, [self.authority.root], None)

    def grounds(self, lines: Sequence[bytes] | None = None) -> Grounds:
        opened = self.open(lines)
        return Grounds(opened.trust, opened.devices)

    def report(self, *segments: bytes, whole: bool = True, lines: Sequence[bytes] | None = None) -> Report:
        """The report on the segments of one recording, held against this account."""
        return judge(
            _examined(segments), [self.authority.root], NOW, Sidecars() if whole else None, self.grounds(lines)
        )

    def device_report(self, *recordings: Sequence[bytes], known: bool = True, grounds: Grounds | None = None) -> Report:
        """The report on a folder of recordings, held against this account (or `grounds`) where it is `known`."""
        grounds = grounds or (self.grounds() if known else Grounds())
        links: list[ChainLink] = []
        reports = []
        for segments in recordings:
            examined = _examined(segments)
            link = chain_link(examined)
            assert link is not None
            links.append(link)
            reports.append(judge(examined, [self.authority.root], NOW, Sidecars(), grounds))
        return device_report(links, reports, grounds.accounts.get(DEVICE))


def _examined(segments: Sequence[bytes]) -> list[Any]:
    names = [f"segment-{number:04d}.mp4" for number in range(1, len(segments) + 1)]
    return examine_files([SegmentFile(name, Source.of_bytes(data)) for name, data in zip(names, segments, strict=True)])
