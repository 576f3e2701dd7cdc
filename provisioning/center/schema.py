"""The centre's tables as plain values (pure); `store.py` makes them in whatever engine the URL names."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column that is never null; `size` is the most characters of a text, `key` whether it is of the primary key."""

    name: str
    kind: type[int] | type[str] | type[bytes] | type[bool]
    size: int = 0
    key: bool = False


DEVICE = Column("device", str, 16, key=True)
DEVSEQ = Column("devseq", int, key=True)
LOG = Column("log", str, 64, key=True)
_CHAIN = (
    DEVICE,
    DEVSEQ,
    Column("prev", str, 64),
    Column("hash", str, 64),
    Column("event_id", str, 200),
    Column("type", str, 80),
    Column("body", bytes),
    Column("received_at", str, 24),
)
TABLES: Mapping[str, tuple[Column, ...]] = {
    "event": _CHAIN,
    "parked": _CHAIN,
    "head": (
        DEVICE,
        Column("upto", int),
        Column("hash", str, 64),
        Column("gaps", int),
        Column("received_at", str, 24),
        Column("receipts", int),
        Column("receipted", int),
    ),
    "alarm": (
        DEVICE,
        Column("kind", str, 16, key=True),
        DEVSEQ,
        Column("hash", str, 64, key=True),
        Column("detail", str, 400),
        Column("times", int),
        Column("first_at", str, 24),
        Column("last_at", str, 24),
    ),
    "loss": (
        DEVICE,
        Column("declared_by", int, key=True),
        Column("first", int),
        Column("last", int),
        Column("kept", int),
        Column("hash", str, 64),
        Column("declared_at", str, 24),
    ),
    "status": (
        DEVICE,
        Column("online", bool),
        Column("session", int),
        Column("waiting", int),
        Column("version", str, 40),
        Column("seen_at", str, 24),
    ),
    "receiver": (Column("name", str, 64, key=True), Column("session", int)),
    "sealed": (DEVICE, Column("kind", str, 24, key=True), Column("number", int, key=True), Column("envelope", bytes)),
    # The log of accepted events, one for each receiver: where an event stands, the complete subtrees, the newest state.
    "leaf": (DEVICE, DEVSEQ, LOG, Column("position", int)),
    "node": (LOG, Column("level", int, key=True), Column("position", int, key=True), Column("digest", bytes)),
    "log": (LOG, Column("size", int), Column("peaks", bytes), Column("sealed_size", int), Column("sealed", bytes)),
}
CLUSTERED = frozenset({"leaf", "node"})
"""Small rows that SQLite keeps in the primary key's own tree, half as large."""
