"""What the centre puts on the broker for everyone (pure): released disclosures, and that a receiver is there."""

from dataclasses import dataclass
from datetime import datetime

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.disclosures import DISCLOSURE_TYPE, parse_disclosure
from agent.wire.envelope import open_envelope
from agent.wire.identifiers import District
from agent.wire.topics import publication_topic
from agent.wire.trust import Role, TrustList
from provisioning.center.broker_config import MAX_PACKET_BYTES

RECEIVER_STATE_TYPE = "application/vnd.liuhen.receiver-state+json"
PACKET_OVERHEAD_BYTES = 64  # MQTT 5 section 3.3: fixed header 5, lengths and packet id 5, our properties; rounded up


@dataclass(frozen=True)
class Publication:
    """A disclosure ready for the broker: topic, the sealed bytes, and what to tell the operator."""

    topic: str
    sealed: bytes
    title: str
    version: int


@dataclass(frozen=True)
class ReceiverState:
    """A receiver's retained state; `session` grows by one at every start. Advice, not evidence."""

    receiver: str
    online: bool
    session: int
    at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the receiver to seal as `RECEIVER_STATE_TYPE`."""
        return canonical.encode(
            {
                "at": canonical.timestamp(self.at),
                "online": self.online,
                "receiver": self.receiver,
                "session": self.session,
            }
        )


def open_publication(data: bytes, trust: TrustList, place: District, now: datetime) -> Publication:
    """A released disclosure of this district; raises `SenderFault` unless an editor and, another person, a reviewer
    signed it. Whether a version may replace another is decided again, by every kiosk."""
    opened = open_envelope(data, DISCLOSURE_TYPE, trust, now)
    if opened.signer(Role.EDITOR).subject == opened.signer(Role.REVIEWER).subject:
        raise SenderFault("公示文件由同一人拟稿和审核，已拒绝。")
    disclosure = parse_disclosure(opened.payload)
    if disclosure.district != place:
        raise SenderFault(f"公示文件属于 {disclosure.district}，不是本区，已拒绝。")
    topic = publication_topic(place, disclosure.audience, disclosure.kind.value, disclosure.disclosure_id)
    if len(data) + len(topic) + PACKET_OVERHEAD_BYTES > MAX_PACKET_BYTES:
        raise SenderFault(f"公示文件“{disclosure.title}”超过一条消息的上限，未发布。请拆成几份。")
    return Publication(topic, data, disclosure.title, disclosure.version)
