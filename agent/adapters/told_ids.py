"""Which facts are on the chain already, by event id, so that one told twice is stored once.

The ids of the newest events are in memory and in their own rows; the table `remembered` takes many of them at a time,
because an index that is written with every event costs a card more than the event. It keeps the ids of everything that
waits and of the last `REMEMBERED` that have left. The counter `told` says up to which number it is complete.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

REMEMBERED = 10_000  # ours: ids of events that have left
MOST_IN_MEMORY = 1_000  # ours: some 150 KB, and what a start reads
KEEP = "INSERT OR REPLACE INTO remembered(event_id, devseq) VALUES (?, ?)"


class Rows(Protocol):
    """What the ids need of the database."""

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]: ...  # noqa: D102
    def run_each(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None: ...  # noqa: D102
    def integer(self, counter: str) -> int: ...  # noqa: D102
    def set(self, counter: str, value: int | str) -> None: ...  # noqa: D102


class ToldIds:
    """The ids of one database, read when they are first asked for; every method raises `EnvironmentFault`."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._recent: dict[str, int] | None = None

    def number_of(self, event_id: str) -> int | None:
        """The number under which a fact was stored, None for a new one."""
        number = self._newest().get(event_id)
        if number is not None:
            return number
        rows = self._rows.run("SELECT devseq FROM remembered WHERE event_id = ?", (event_id,))
        return rows[0][0] if rows and isinstance(rows[0][0], int) else None

    def learn(self, stored: Mapping[str, int]) -> None:
        """These are committed."""
        self._newest().update(stored)

    @property
    def many(self) -> bool:
        """Whether it is time for `settle`."""
        return len(self._newest()) >= MOST_IN_MEMORY

    def settle(self) -> None:
        """Write what memory holds into the table, inside a transaction of its own; then `settled`."""
        recent = self._newest()
        self._rows.run_each(KEEP, sorted(recent.items()))
        self._rows.set("told", max(recent.values(), default=0))

    def settled(self) -> None:
        """That transaction is committed."""
        self._recent = {}

    def leave(self, leaving: Sequence[tuple[Any, Any]]) -> None:
        """These rows (id, number) of the outbox are gone, inside the transaction that takes them; then `left`."""
        told = self._rows.integer("told")
        self._rows.run_each(KEEP, [row for row in leaving if row[1] > told and isinstance(row[0], str)])

    def left(self, upto: int) -> None:
        """The transaction is committed that let the events up to `upto` leave."""
        self._recent = {event_id: number for event_id, number in self._newest().items() if number > upto}

    def forget(self, acked: int) -> None:
        """Those that left long before number `acked` may be told again, inside a transaction."""
        self._rows.run("DELETE FROM remembered WHERE devseq <= ?", (acked - REMEMBERED,))

    def _newest(self) -> dict[str, int]:
        if self._recent is None:
            found = self._rows.run(
                "SELECT event_id, devseq FROM outbox WHERE devseq > ?", (self._rows.integer("told"),)
            )
            self._recent = {event_id: number for event_id, number in found if isinstance(event_id, str)}
        return self._recent
