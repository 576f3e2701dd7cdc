"""Retained states, by birth on every connection and last will: a device's, a receiver's. Advice, not evidence."""

from dataclasses import dataclass
from datetime import datetime

from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import DeviceId, Digest, device_id, digest

STATUS_TYPE = "application/vnd.liuhen.status+json"
RECEIVER_STATUS_TYPE = "application/vnd.liuhen.receiver-status+json"


@dataclass(frozen=True)
class DeviceStatus:
    """`session` grows by one at every connection, so that a late last will of an older session is recognised."""

    device: DeviceId
    online: bool
    session: int
    boot: str
    version: str
    waiting: int
    acked: int
    head: Digest
    at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the device to seal."""
        return canonical.encode(
            {
                "acked": self.acked,
                "at": canonical.timestamp(self.at),
                "boot": self.boot,
                "device": self.device,
                "head": self.head,
                "online": self.online,
                "session": self.session,
                "version": self.version,
                "waiting": self.waiting,
            }
        )


def parse_status(payload: bytes) -> DeviceStatus:
    """The status in an opened envelope's payload; raises `SenderFault` when malformed."""
    fields = Fields("设备状态", canonical.decode(payload))
    return DeviceStatus(
        device_id(fields.text("device")),
        fields.boolean("online"),
        fields.integer("session", 1),
        fields.text("boot"),
        fields.text("version"),
        fields.integer("waiting"),
        fields.integer("acked"),
        digest(fields.text("head")),
        fields.moment("at"),
    )


@dataclass(frozen=True)
class ReceiverStatus:
    """A receiver's retained state; `session` grows by one at every start. Advice, not evidence."""

    receiver: str
    online: bool
    session: int
    at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the receiver to seal as `RECEIVER_STATUS_TYPE`."""
        return canonical.encode(
            {
                "at": canonical.timestamp(self.at),
                "online": self.online,
                "receiver": self.receiver,
                "session": self.session,
            }
        )
