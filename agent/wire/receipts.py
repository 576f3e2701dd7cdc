"""The centre's signed word that it has stored a device's chain up to a number. A PUBACK is not a receipt."""

from dataclasses import dataclass
from datetime import datetime

from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import DeviceId, Digest, device_id, digest, label

RECEIPT_TYPE = "application/vnd.liuhen.receipt+json"


@dataclass(frozen=True)
class TreePoint:
    """A log of `size` leaves with the root `root` (`tree_head.py`)."""

    size: int
    root: Digest


@dataclass(frozen=True)
class Receipt:
    """Every event of `device` up to and with `upto` is committed at the centre; the event `upto` hashes to `head`.

    `upto` 0 with the genesis head says that nothing has arrived yet. `resend` asks for everything after `upto` again:
    something later arrived and waits behind a gap. `tree` is the receiver's log, which holds all of these events; a
    receiver without one leaves it out.
    """

    device: DeviceId
    upto: int
    head: Digest
    receiver: str
    received_at: datetime
    resend: bool = False
    tree: TreePoint | None = None

    def encode(self) -> bytes:
        """Canonical payload for a receiver to seal."""
        return canonical.encode(
            {
                "device": self.device,
                "head": self.head,
                "received_at": canonical.timestamp(self.received_at),
                "receiver": self.receiver,
                "resend": self.resend,
                "upto": self.upto,
                **({} if self.tree is None else {"tree": {"root": self.tree.root, "size": self.tree.size}}),
            }
        )


def parse_receipt(payload: bytes) -> Receipt:
    """The receipt in an opened envelope's payload; raises `SenderFault` when malformed."""
    fields = Fields("回执", canonical.decode(payload))
    return Receipt(
        device_id(fields.text("device")),
        fields.integer("upto"),
        digest(fields.text("head")),
        label(fields.text("receiver")),
        fields.moment("received_at"),
        fields.boolean("resend"),
        _tree(fields),
    )


def _tree(fields: Fields) -> TreePoint | None:
    if not fields.has("tree"):
        return None
    tree = Fields("回执中的日志头", fields.object("tree"))
    return TreePoint(tree.integer("size"), digest(tree.text("root")))
