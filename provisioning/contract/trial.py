"""A device that asks a centre questions: what it sends, and which receipts came back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from agent.clock import Clock
from agent.errors import SenderFault
from agent.wire.device_events import EVENTS_TYPE, GENESIS, DeviceEvent, EventType, encode_batch, event_hash
from agent.wire.envelope import open_envelope, seal
from agent.wire.identifiers import DeviceId, Digest, District
from agent.wire.receipts import RECEIPT_TYPE, Receipt, parse_receipt
from agent.wire.signing import Signer
from agent.wire.status import STATUS_TYPE, DeviceStatus
from agent.wire.topics import EVENTS, RECEIPT, STATE, device_topic
from agent.wire.trust import Role, TrustList

BOOT, VERSION = "conformance", "conformance"


class Session(Protocol):
    """A device's connection to the broker."""

    tells_refusals: bool
    """Whether the protocol says when the broker refuses (MQTT 5)."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Send, and wait for the broker's answer; False when it refused."""

    def messages(self, seconds: float) -> Iterator[tuple[str, bytes]]:
        """What arrives (topic, payload) within `seconds` of now."""

    def anonymous_refused(self) -> bool | None:
        """Whether a connection without a certificate is refused; None where that cannot be asked."""


@dataclass(frozen=True)
class Subject:
    """Who asks: a device of the district with its evidence key, and a key that nobody knows."""

    place: District
    device: DeviceId
    signer: Signer
    stranger: Signer
    trust: TrustList


def state(
    subject: Subject, now: datetime, upto: int = 0, head: Digest = GENESIS, *, online: bool = True
) -> tuple[str, bytes]:
    """Topic and sealed state of the device; a later moment is a later session."""
    it = DeviceStatus(subject.device, online, int(now.timestamp()), BOOT, VERSION, 0, upto, head, now)
    return device_topic(subject.place, subject.device, STATE), seal(STATUS_TYPE, it.encode(), [subject.signer])


@dataclass
class Trial:
    """One run; `patience_s` is how long an answer may take. The chain goes on where the centre says that it is."""

    subject: Subject
    session: Session
    clock: Clock
    patience_s: float
    upto: int = 0
    head: Digest = GENESIS
    hashes: dict[int, Digest] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    others: list[tuple[str, bytes]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def event(self, number: int, prev: Digest, mark: str = "", **other: Any) -> bytes:
        """An event of this device, not yet sent; `other` replaces fields of the event."""
        now = self.clock.read()
        facts: dict[str, Any] = {
            "district": self.subject.place,
            "device": self.subject.device,
            "devseq": number,
            "prev": prev,
            "event_id": f"conformance/{number}{mark}",
            "type": EventType.DEVICE_STARTED,
            "boot": BOOT,
            "monotonic_ms": now.monotonic_ns // 1_000_000,
            "time": now.wall,
            "time_state": now.state,
            "data": {"conformance": mark or "true"},
        }
        return DeviceEvent(**{**facts, **other}).encode()

    def next_events(self, count: int, **other: Any) -> list[bytes]:
        """`count` true events behind the chain, which counts them as its own from now on."""
        bodies = []
        for _ in range(count):
            bodies.append(self.event(self.upto + 1, self.head, **other))
            self.own(self.upto + 1, bodies[-1])
        return bodies

    def own(self, number: int, body: bytes) -> None:
        """Make the event number `number` the end of the chain."""
        self.upto, self.head = number, event_hash(body)
        self.hashes[number] = self.head

    def send(self, bodies: list[bytes], signer: Signer | None = None) -> None:
        """One batch in one message."""
        self.send_sealed(seal(EVENTS_TYPE, encode_batch(bodies), [signer or self.subject.signer]))

    def send_sealed(self, data: bytes) -> None:
        """Any bytes on the device's own events topic; raises `SenderFault` when the broker refuses them."""
        if not self.session.publish(device_topic(self.subject.place, self.subject.device, EVENTS), data):
            raise SenderFault("消息服务器拒绝了本设备在自己主题上的消息。")

    def birth(self) -> None:
        """The device's retained state."""
        now = self.clock.read().wall
        self.session.publish(*state(self.subject, now, self.upto, self.head), retain=True)

    def receipt(self, wanted: Callable[[Receipt], bool], what: str) -> Receipt:
        """The next receipt that is `wanted`; raises `SenderFault` when none comes in time."""
        for topic, data in self.session.messages(self.patience_s):
            found = self._heard(topic, data)
            if found is not None and wanted(found):
                return found
        last = f"，最后一份回执至第 {self.receipts[-1].upto} 号" if self.receipts else "，没有收到回执"
        told = f"；{self.faults[-1]}" if self.faults else ""
        raise SenderFault(f"{self.patience_s:g} 秒内没有{what}{last}{told}")

    def settled(self, what: str = "") -> Receipt:
        """The receipt for the whole chain; raises `SenderFault` when it does not come or has another head."""
        found = self.receipt(lambda it: it.upto >= self.upto, what or f"到第 {self.upto} 号的回执")
        if (found.upto, found.head) != (self.upto, self.head):
            own = f"本设备的第 {self.upto} 号是 {self.head[:12]}…"
            raise SenderFault(f"回执至第 {found.upto} 号，链头 {found.head[:12]}…；{own}")
        return found

    def _heard(self, topic: str, data: bytes) -> Receipt | None:
        if topic != device_topic(self.subject.place, self.subject.device, RECEIPT):
            self.others.append((topic, data))
            return None
        try:
            opened = open_envelope(data, RECEIPT_TYPE, self.subject.trust, self.clock.read().wall)
            signer, found = opened.signer(Role.RECEIVER), parse_receipt(opened.payload)
        except SenderFault as fault:
            self.faults.append(f"一份回执无效：{fault}")
            return None
        if (found.device, found.receiver) != (self.subject.device, signer.subject):
            self.faults.append(f"{signer.subject} 签的回执却是 {found.receiver} 给 {found.device} 的")
            return None
        self.receipts.append(found)
        return found
