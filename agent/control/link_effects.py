"""What the controller can ask for on the way to the centre, in the imperative."""

from dataclasses import dataclass

from agent.wire.receipts import Receipt

LARGEST_PACKET = 268_435_455  # MQTT 5 section 2.1.4: the protocol's own limit


@dataclass(frozen=True)
class OpenConnection:
    """Begin one connection attempt with a new session number; answered by `LinkOpening`."""


@dataclass(frozen=True)
class CloseConnection:
    """End the current connection, if there is one. Up to the monotonic nanosecond `flush_by_ns` what was handed over
    is sent first; without it nothing is waited for."""

    flush_by_ns: int | None = None


@dataclass(frozen=True)
class Subscribe:
    """Ask the broker for these topic filters."""

    filters: tuple[str, ...]


@dataclass(frozen=True)
class PublishStatus:
    """Publish the retained state: the birth on every connection, or a planned end; answered by `PublishedAside`."""

    online: bool


@dataclass(frozen=True)
class SendEvents:
    """Send the events after number `after` as one message of at most `max_bytes` of payload and `max_packet` in all;
    answered by `EventsSent`. An event that fits no message is put aside and declared."""

    connection: int
    after: int
    max_bytes: int
    max_packet: int = LARGEST_PACKET


@dataclass(frozen=True)
class SendHint:
    """Send a copy of the stored event `devseq` ahead of those that wait; answered by `PublishedAside`."""

    connection: int
    devseq: int


@dataclass(frozen=True)
class CheckEvents:
    """Look whether the next waiting events are still what was stored; damaged ones are put aside and declared, each run
    answered by `EventStored`."""


@dataclass(frozen=True)
class CompareReceipt:
    """Look up our own hash of the event a receipt names; answered by `ReceiptCompared`."""

    receipt: Receipt


@dataclass(frozen=True)
class Acknowledge:
    """Events up to `upto` are at the centre and may leave the store."""

    upto: int
