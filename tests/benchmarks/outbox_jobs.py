"""What the outbox's figures run in processes of their own: `python -m tests.benchmarks.outbox_jobs NAME FOLDER ...`.

Each prints one JSON object. Peers put the same 300 bytes with the same durability (SQLite, WAL, synchronous=FULL).
"""

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EVENT_BYTES = 658  # of one event with the same data: id, times, source and the hash of the one before
BODY = json.dumps({"i": 1, "pad": "x" * 286}).encode()


def raw(folder: Path, count: str) -> dict[str, Any]:
    """The standard library alone, one transaction an event."""
    connection = _raw_file(folder / "raw.db")
    return _rate(int(count), lambda number: _insert(connection, number))


def raw_threads(folder: Path, count: str, producers: str) -> dict[str, Any]:
    """As `raw`, with `producers` threads that take turns."""
    connection, turn, each = _raw_file(folder / "threads.db"), threading.Lock(), int(count) // int(producers)

    def produce(first: int) -> None:
        for number in range(first, first + each):
            with turn:
                _insert(connection, number)

    threads = [threading.Thread(target=produce, args=(place * each,)) for place in range(int(producers))]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"per_s": each * int(producers) / (time.perf_counter() - begin)}


def persist_queue(folder: Path, count: str) -> dict[str, Any]:
    """The peer: persist-queue's acknowledging queue over SQLite."""
    import persistqueue

    queue = persistqueue.SQLiteAckQueue(str(folder / "peer"), auto_commit=True)
    return _rate(int(count), lambda _: queue.put(BODY))


def ours(folder: Path, count: str) -> dict[str, Any]:
    """`EventStore.put`: number, chain, hash, index, counters and pressure included."""
    store, draft = _store(folder)
    drafts = [draft(number) for number in range(int(count))]  # as the bytes of the others: made before
    return _rate(int(count), lambda number: store.put(drafts[number]))


def same_bytes(folder: Path, count: str) -> dict[str, Any]:
    """Raw SQLite again, with what one of our events comes to: its bytes with the chain, id, type and hash in a row, the
    end of the chain in two counters, in a file of the same pages and the same log. No code of ours but what made it."""
    from agent.adapters.database import PAGE_BYTES, WAL_BYTES
    from agent.adapters.store import SET_END

    connection = sqlite3.connect(folder / "same.db", isolation_level=None)
    limits = f"PRAGMA wal_autocheckpoint={WAL_BYTES // PAGE_BYTES};PRAGMA journal_size_limit={WAL_BYTES};"
    connection.executescript(
        f"PRAGMA page_size={PAGE_BYTES};PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;{limits}"
        "CREATE TABLE outbox(devseq INTEGER PRIMARY KEY, event_id TEXT, type TEXT, body BLOB, hash TEXT);"
        "CREATE TABLE counter(name TEXT PRIMARY KEY, value TEXT);"
    )
    sql, body, head = "INSERT INTO outbox VALUES (?, ?, ?, ?, ?)", b"x" * EVENT_BYTES, "a" * 64

    def put(number: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(sql, (number, f"port/{number}", "liuhen.step.marked", body, head))
        connection.execute(SET_END, (str(number), head))
        connection.execute("COMMIT")

    return _rate(int(count), put)


def pack(folder: Path, count: str) -> dict[str, Any]:
    """Milliseconds to read and check a batch of 50 at the head and in the middle of what waits; reopening."""
    from agent.adapters.database import open_database
    from tests.support.outbox_port import QUOTA_MB

    begin = time.perf_counter()
    database, loss = open_database(folder / "agent.db", QUOTA_MB * 2**20)
    reopened = time.perf_counter() - begin
    store, last, took = _event_store(database), int(count), []
    for after in [place * last // 200 // 50 * 50 for place in range(200)]:
        begin = time.perf_counter()
        _, whole = store.checked(after, 50, 64 * 1024)
        took.append(time.perf_counter() - begin)
        if not whole or loss is not None:
            raise SystemExit("what was stored is not what is there")
    database.close()
    return {"reopen_s": reopened, "pack_ms": 1000 * sorted(took)[len(took) // 2]}


def _event_store(database: Any) -> Any:
    from agent.adapters.store import EventStore
    from agent.wire.identifiers import device_id
    from tests.support.port_keys import DISTRICT

    return EventStore(database, DISTRICT, device_id("REC-0001"))


def _store(folder: Path) -> tuple[Any, Callable[[int], Any]]:
    from agent.adapters.database import open_database
    from agent.clock import system_clock
    from agent.control.effects import EventDraft
    from agent.wire.device_events import EventType
    from tests.support.outbox_port import data_of

    database, _ = open_database(folder / "agent.db")
    clock = system_clock()
    return _event_store(database), lambda number: EventDraft(
        f"port/{number}", EventType.STEP_MARKED, clock.read(), data_of(number)
    )


def _raw_file(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE event(number INTEGER PRIMARY KEY, body BLOB)")
    return connection


def _insert(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("INSERT INTO event VALUES (?, ?)", (number, BODY))


def _rate(count: int, put: Callable[[int], object]) -> dict[str, Any]:
    begin = time.perf_counter()
    for number in range(count):
        put(number)
    return {"per_s": count / (time.perf_counter() - begin)}


JOBS = {job.__name__: job for job in (raw, raw_threads, persist_queue, ours, same_bytes, pack)}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(JOBS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])) + "\n")
