"""What happens to events on their way to the centre, in the past tense."""

from dataclasses import dataclass

from agent.control.back_pressure import Pressure
from agent.wire.identifiers import Digest
from agent.wire.receipts import Receipt


@dataclass(frozen=True)
class EventStored:
    """The event with number `devseq` is committed, and those of one transaction with it; `urgent` are the numbers among
    them that should not wait behind a backlog."""

    devseq: int
    urgent: tuple[int, ...] = ()


@dataclass(frozen=True)
class LinkOpening:
    """A connection attempt has begun; `connection` is the session number of its last will."""

    connection: int


@dataclass(frozen=True)
class LinkUp:
    """The broker accepted the connection and will take `receive_maximum` messages in flight, each packet of at most
    `maximum_packet` bytes."""

    connection: int
    receive_maximum: int
    maximum_packet: int


@dataclass(frozen=True)
class LinkDown:
    """A connection failed or ended. `code` is the broker's MQTT 5 reason, 0 where it gave none."""

    connection: int
    detail: str
    code: int = 0


@dataclass(frozen=True)
class SubscriptionAnswered:
    """The broker answered our subscriptions; `codes` as in SUBACK, one per filter."""

    connection: int
    codes: tuple[int, ...]


@dataclass(frozen=True)
class EventsSent:
    """The events `first`..`last` were handed to the link as one message; `mid` None when it could not take them.
    `ahead` is the highest number that went along ahead of its turn, 0 for none."""

    connection: int
    mid: int | None
    first: int
    last: int
    ahead: int = 0


@dataclass(frozen=True)
class PublishAnswered:
    """The broker's PUBACK; says nothing about the centre. `code` is the MQTT 5 reason, 0 on MQTT 3.1.1."""

    connection: int
    mid: int
    code: int


@dataclass(frozen=True)
class ReceiptCompared:
    """A verified receipt and our own hash of the event it names, None where we hold none."""

    receipt: Receipt
    own: Digest | None


@dataclass(frozen=True)
class ReceiptNotKept:
    """The disk refused what a receipt lets go of: the rows are still there."""


@dataclass(frozen=True)
class PublishedAside:
    """The retained state or a `hint` is with the link as message `mid` (None: not taken): one more that waits for its
    PUBACK."""

    connection: int
    mid: int | None
    hint: bool = False


@dataclass(frozen=True)
class PressureChanged:
    """The store has filled up to another level, or emptied."""

    level: Pressure
