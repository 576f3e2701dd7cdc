"""The figures of a device at one moment, from its own database or from one that another process is using."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.adapters.database import Database, StoreErrors, counted, damaged_text
from agent.wire.device_events import GENESIS


@dataclass(frozen=True)
class Snapshot:
    """The figures of a device at one moment; see `agent.wire.status.DeviceStatus`."""

    session: int
    devseq: int
    acked: int
    waiting: int
    head: str
    recording: int
    open_recordings: int
    last_error: str
    acked_at: str
    health: str


def read_snapshot(path: Path) -> Snapshot:
    """The figures of a store that another process may be using; raises `EnvironmentFault` when there is none."""
    with StoreErrors(), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        connection.text_factory = damaged_text
        return _figures(lambda sql: connection.execute(sql).fetchall())


def read_waiting(path: Path, count: int) -> list[bytes]:
    """The bodies of the first `count` events of such a store that have no receipt yet; raises likewise."""
    sql = "SELECT COALESCE(CAST(body AS BLOB), x'') FROM outbox ORDER BY devseq LIMIT ?"
    with StoreErrors(), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return [bytes(body) for (body,) in connection.execute(sql, (count,))]


def read_counters(path: Path, beginning: str) -> dict[str, str]:
    """The counters of such a store whose names begin so; raises likewise."""
    sql = "SELECT name, value FROM counter WHERE substr(name, 1, ?) = ?"
    with StoreErrors(), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        connection.text_factory = damaged_text
        return {str(name): str(value) for name, value in connection.execute(sql, (len(beginning), beginning))}


def snapshot(database: Database) -> Snapshot:
    """The figures of the moment; raises `EnvironmentFault`."""
    return _figures(database.run)


def _figures(run: Callable[[str], list[tuple[Any, ...]]]) -> Snapshot:
    counters = {str(name): str(value) for name, value in run("SELECT name, value FROM counter")}
    devseq, acked, session, recording = (
        counted(name, counters.get(name, "0")) for name in ("devseq", "acked", "session", "recording")
    )
    return Snapshot(
        session=session,
        devseq=devseq,
        acked=acked,
        waiting=devseq - acked,
        head=counters.get("head", GENESIS),
        recording=recording,
        open_recordings=run("SELECT count(*) FROM open_recording")[0][0],
        last_error=counters.get("last_error", ""),
        acked_at=counters.get("acked_at", ""),
        health=counters.get("health", ""),
    )
