"""Rows of the outbox that are no longer what was stored: a flipped bit on a card, a row that is gone.

The centre takes an event only behind the one before it, so one damaged row would hold up everything after it for ever.
It is put aside instead, and the chain says which numbers are lost (`agent.wire.device_events.DamagedRun`). What its
hash was stands in the event behind it, so the chain itself is not broken.
"""

import logging
from collections.abc import Iterator
from itertools import groupby

from agent.adapters.database import Database
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import GENESIS, DamagedRun, event_hash
from agent.wire.identifiers import Digest, digest

logger = logging.getLogger(__name__)

Row = tuple[int, bytes, str]


def find_damage(database: Database, after: int, limit: int) -> list[DamagedRun]:
    """The runs of lost numbers among the next `limit` waiting events after `after` that nobody has declared yet.

    A stored hash that was damaged beside a whole event is put right here. Raises `EnvironmentFault`.
    """
    # A flipped bit may make a text or nothing of either column.
    sql = (
        "SELECT devseq, COALESCE(CAST(body AS BLOB), x''), COALESCE(CAST(hash AS TEXT), '') FROM outbox "
        "WHERE devseq > ? ORDER BY devseq LIMIT ?"
    )
    rows: list[Row] = database.run(sql, (after, limit))
    end = rows[-1][0] if len(rows) == limit else database.integer("devseq")
    lost = _missing(rows, after, end) | {number for number, body, kept in rows if event_hash(body) != kept}
    lost -= {number for (number,) in database.run("SELECT devseq FROM quarantined WHERE devseq > ?", (after,))}
    whole = {number: body for number, body, _ in rows if number not in lost}
    kept = {number: stored for number, _, stored in rows}
    runs = [
        DamagedRun(first, last, _hash_before(database, first, kept), _hash_from_chain(database, last, whole, kept))
        for first, last in _runs(lost)
    ]
    return [run for run in runs if not (run.first == run.last and _put_right(database, run.first, run.digest))]


def one_run(database: Database, number: int, reason: str) -> DamagedRun:
    """The whole waiting event `number` as a run of its own that will not be sent for `reason`."""
    return DamagedRun(number, number, _hash_before(database, number, {}), event_hash(_row(database, number)), reason)


def quarantine(database: Database, run: DamagedRun, declared_by: int) -> None:
    """Put the rows of `run` aside, inside the transaction that declares them in event `declared_by`."""
    for number in range(run.first, run.last + 1):
        rows = database.run(
            "SELECT COALESCE(event_id, ''), COALESCE(CAST(body AS BLOB), x'') FROM outbox WHERE devseq = ?", (number,)
        )
        event_id, body = rows[0] if rows else ("", b"")
        values = (number, run.digest if number == run.last else "", body, declared_by)
        database.run("INSERT OR REPLACE INTO quarantined(devseq, hash, body, declared_by) VALUES (?, ?, ?, ?)", values)
        database.run("DELETE FROM outbox WHERE devseq = ?", (number,))
        if event_id:
            database.run("INSERT OR REPLACE INTO remembered VALUES (?, ?)", (event_id, number))


def declarations(database: Database, after: int, upto: int) -> list[tuple[int, bytes]]:
    """Number and body of the events that declare numbers between `after` and `upto` lost and stand behind `upto`: they
    go ahead of their turn, because nothing behind the gap is taken without them."""
    sql = (
        "SELECT devseq, COALESCE(CAST(body AS BLOB), x'') FROM outbox WHERE devseq > ?2 AND devseq IN "
        "(SELECT declared_by FROM quarantined WHERE devseq > ?1 AND devseq <= ?2) ORDER BY devseq"
    )
    return [(number, body) for number, body in database.run(sql, (after, upto))]


def quarantined_hash(database: Database, number: int) -> Digest | None:
    """The hash that the event behind number `number` names, None when that number is not lost or inside a run."""
    rows = database.run("SELECT hash FROM quarantined WHERE devseq = ? AND hash != ''", (number,))
    return Digest(rows[0][0]) if rows else None


def _missing(rows: list[Row], after: int, end: int) -> set[int]:
    return set(range(after + 1, end + 1)) - {number for number, _, _ in rows}


def _runs(numbers: set[int]) -> Iterator[tuple[int, int]]:
    for _, run in groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        yield members[0], members[-1]


def _hash_from_chain(database: Database, number: int, whole: dict[int, bytes], kept: dict[int, str]) -> Digest:
    """What the event `number` hashed to when it was stored, by whoever remembers it best."""
    if number == database.integer("devseq"):
        return Digest(database.text("head", GENESIS))
    behind = whole.get(number + 1) or _row(database, number + 1)
    try:
        return digest(Fields("事件", canonical.decode(behind)).text("prev"))
    except SenderFault:
        return Digest(kept.get(number) or GENESIS)


def _row(database: Database, number: int) -> bytes:
    rows = database.run("SELECT COALESCE(CAST(body AS BLOB), x'') FROM outbox WHERE devseq = ?", (number,))
    return rows[0][0] if rows else b""


def _hash_before(database: Database, first: int, kept: dict[int, str]) -> Digest:
    if first - 1 == database.integer("acked"):
        return Digest(database.text("acked_head", GENESIS))
    if first - 1 in kept:
        return Digest(kept[first - 1])
    rows = database.run("SELECT COALESCE(hash, '') FROM outbox WHERE devseq = ?", (first - 1,))
    return Digest(rows[0][0] or GENESIS) if rows else quarantined_hash(database, first - 1) or GENESIS


def _put_right(database: Database, number: int, head: Digest) -> bool:
    if event_hash(_row(database, number)) != head:
        return False
    with database.transaction():
        database.run("UPDATE outbox SET hash = ? WHERE devseq = ?", (head, number))
    logger.warning("the stored hash of event %d was damaged and is put right from the event behind it", number)
    return True
