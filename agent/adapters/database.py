"""The device's one SQLite file: opening, schema, quota, and what happens when it cannot be read any more.

WAL with synchronous=FULL: a transaction that returned is on the disk. Schema and migrations by sqlite-utils, the hot
path by prepared SQL on its connection. A full file refuses (`EnvironmentFault`) and loses nothing.

A damaged file is never deleted: it is moved aside and a new one begun. Its numbers go on after the ceilings of
`CounterMirror`, so that no event, session or recording number is used twice as long as one of the two files is left.
A device that has lost both cannot know what it has used: it says so and begins at 1, which the centre sees as a fork.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sqlite_utils import Database as SqliteUtils
from sqlite_utils.migrations import Migrations

from agent import durable
from agent.adapters.counter_mirror import BLOCK, MOST, Ceilings, CounterMirror
from agent.adapters.database_schema import MIGRATIONS
from agent.adapters.reserve_file import NO_ROOM, ReserveFile
from agent.adapters.told_ids import ToldIds
from agent.control.messages import StoreLoss
from agent.errors import EnvironmentFault, SenderFault
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import DIGEST_PATTERN, Digest

RESERVE_BYTES = 2 * 1024 * 1024  # ours: what a whole write-ahead log comes to, twice
WAL_BYTES = 1024 * 1024  # ours: a short log needs little room on a full disk
QUOTA_BYTES = 1024 * 1024 * 1024  # ours: more than a million waiting events, half a year of recording without a break
PAGE_BYTES = 2048  # ours: two events; a commit of one writes two pages. A store of an earlier version keeps its 4096
WHOLE_BYTES = 64 * 1024 * 1024  # ours: what a start reads through, 0.2 s of it here
UNASKED_CHANGES = 32  # ours: ten events or so; how full the store is cannot change much meanwhile
OPEN_BUSY_S = 5.0  # ours: at the start there is time to wait for somebody who looks
BUSY_S = 0.25  # ours: readers keep no writer waiting, and the loop has buttons to obey; what is refused is tried again
UNREADABLE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
SYNCHRONOUS_FULL = 2
NUMBERS = (
    "devseq", "acked", "session", "recording", "recording_head_number", "collected", "trust_version", "command",
)  # fmt: skip
HASHES = ("head", "acked_head", "recording_head")
TABLES = frozenset({"outbox", "counter", "remembered", "open_recording", "disclosure", "quarantined"})
Found = TypeVar("Found")

logger = logging.getLogger(__name__)


class Database:
    """An open file, used by one thread; made by `open_database`."""

    def __init__(self, tables: SqliteUtils, mirror: CounterMirror, path: Path) -> None:
        self._tables, self.mirror, self._path = tables, mirror, path
        self._connection: sqlite3.Connection = tables.conn
        self.chain_end: tuple[int, Digest] | None = None  # number and hash of the last event, where that is known
        self.ids, self._errors = ToldIds(self), StoreErrors(_mark_of(path))
        self._reserve = ReserveFile(path.with_name(f"{path.name}.reserve"), RESERVE_BYTES)
        self._reserved = self._reserve.ensure()
        self._most_pages = int(self.run("PRAGMA max_page_count")[0][0])
        self._page_bytes = int(self.run("PRAGMA page_size")[0][0])
        self._ask_after, self._used = -1, 0.0

    def close(self) -> None:
        """Let go of the file."""
        self._tables.close()

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Every row that `sql` gives; raises `EnvironmentFault`."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            self._errors.tell(error)

    def run_each(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Write with `sql` once for each of `rows`, inside a transaction; raises `EnvironmentFault`."""
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.DatabaseError as error:
            self._errors.tell(error)

    def used_percent(self) -> float:
        """How much of the quota is in use, pages that are free again not counted; all of it while the room is gone that
        a full disk leaves for receipts."""
        if self._connection.total_changes < self._ask_after and self._reserved:
            return self._used  # asked before every event, and far below any limit
        pages, self._ask_after = self.run("PRAGMA page_count")[0][0], -1
        if 2 * pages < self._most_pages and self._reserved:
            self._ask_after = self._connection.total_changes + UNASKED_CHANGES
            self._used = 100 * pages / self._most_pages
            return self._used
        free = self.run("PRAGMA freelist_count")[0][0]
        self._reserved = self._reserved or self._reserve.ensure()
        if not self._reserved and free * self._page_bytes < RESERVE_BYTES:
            return 100.0
        return float(100 * (pages - free) / self._most_pages)

    def insist(self, work: Callable[[], Found]) -> Found:
        """Do what makes room or leads to it, on a full disk in the room that was kept for it; raises `EnvironmentFault`
        when that is gone, too."""
        try:
            return work()
        except EnvironmentFault as fault:
            if not self._reserved or not _is_full(fault):
                raise
        self._reserve.release()
        self._reserved = False
        logger.error("the disk is full: the room kept for receipts is in use")
        return work()

    def takes_writes(self) -> bool:
        """Whether a transaction could begin just now; writes nothing."""
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        except sqlite3.Error:
            return False
        return True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is on the disk when the block ends, or nothing is (`EnvironmentFault`)."""
        connection = self._connection
        with self._errors:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.rollback()

    def text(self, counter: str, default: str = "") -> str:
        """The counter's value, `default` where it was never set."""
        rows = self.run("SELECT value FROM counter WHERE name = ?", (counter,))
        return str(rows[0][0]) if rows else default

    def integer(self, counter: str) -> int:
        """The counter's value, 0 where it was never set; raises `EnvironmentFault` when it is no number any more."""
        return counted(counter, self.text(counter, "0"))

    def set(self, counter: str, value: int | str) -> None:
        """Set a counter, inside a transaction."""
        sql = "INSERT INTO counter(name, value) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value"
        self.run(sql, (counter, str(value)))


def open_database(
    path: Path, quota_bytes: int = QUOTA_BYTES, whole_bytes: int = WHOLE_BYTES
) -> tuple[Database, StoreLoss | None]:
    """Open or begin the store; `StoreLoss` when what was there before had to be given up. A file of more than
    `whole_bytes` is read through only after it could not be read once.

    Raises `EnvironmentFault` when the file cannot be opened at all (disk, permission).
    """
    mirror = CounterMirror(path.with_name("counters.json"))
    lost_mirror = _read_mirror(mirror)
    existed = path.exists() and path.stat().st_size > 0
    try:
        database = Database(_open(path, quota_bytes, whole_bytes), mirror, path)
    except UnreadableStore as fault:
        detail = str(fault) if lost_mirror is None else f"{fault}；{lost_mirror.detail}，编号从头开始"
        return _begin_again(path, quota_bytes, mirror, detail)
    # The mirror is written ahead of the event that needs it, which a power cut may take; it outlives a store that is
    # gone.
    if database.integer("devseq") + existed + BLOCK < mirror.written.devseq:
        detail = "数据库比计数镜像旧得多，可能被替换" if existed else "数据库文件不见了"
        return database, _skip(database, mirror.written, StoreLoss("", mirror.written.devseq, detail))
    if lost_mirror is None or not (lost_mirror.kept_as or database.integer("devseq")):
        return database, None  # all is there, or nothing was ever used
    return database, _mirror_again(database, lost_mirror, forgotten=not existed)


def _mark_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.suspect")


class UnreadableStore(EnvironmentFault):
    """The file is there and is no database, or a damaged one; the next start puts it aside."""


def _open(path: Path, quota_bytes: int, whole_bytes: int) -> SqliteUtils:
    with StoreErrors():
        tables = SqliteUtils(sqlite3.connect(path, timeout=OPEN_BUSY_S), execute_plugins=False)
        tables.conn.text_factory = damaged_text
        try:
            tables.conn.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file
            _check_whole(tables, path, whole_bytes)
            _configure(tables)
            _migrations().apply(tables)
            _limit(tables, quota_bytes)
            _check_content(tables)
            tables.conn.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
        except sqlite3.Error:
            tables.close()
            raise
        except EnvironmentFault:
            tables.close()
            raise
    path.chmod(durable.PRIVATE)
    durable.remove(_mark_of(path))
    durable.sync_directory(path.parent)
    return tables


def _migrations() -> Migrations:
    found = Migrations("agent")
    for migrate in MIGRATIONS:
        found()(migrate)
    return found


def _check_whole(tables: SqliteUtils, path: Path, whole_bytes: int) -> None:
    """All of a small file, and of one that could not be read once. Of a large one `_check_content` reads what every
    start needs; each event is held against its hash when it is sent, and then what SQLite cannot read is noticed."""
    if path.stat().st_size > whole_bytes and not _mark_of(path).exists():
        return
    verdict = tables.conn.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise UnreadableStore(f"数据库自检未通过（{str(verdict)[:80]}）")


def _check_content(tables: SqliteUtils) -> None:
    """What SQLite takes for whole may still be a flipped bit to us: a table under another name, a counter that is none.
    A damaged event is no reason to give the others up (`agent.adapters.damaged_rows`)."""
    missing = TABLES - set(tables.table_names())
    if missing:
        raise UnreadableStore(f"数据库缺少表 {'、'.join(sorted(missing))}")
    counters = {str(name): str(value) for name, value in tables.conn.execute("SELECT name, value FROM counter")}
    numbers = {name: counted(name, counters.get(name, "0")) for name in NUMBERS}
    hashes = [name for name in HASHES if not DIGEST_PATTERN.fullmatch(counters.get(name, GENESIS))]
    if hashes or numbers["acked"] > numbers["devseq"]:
        raise UnreadableStore(f"数据库中的计数已损坏（{(hashes or ['acked'])[0]}）")


def counted(name: str, value: str) -> int:
    """A counter as a number; raises `UnreadableStore` when it is none any more."""
    if not (value.isascii() and value.isdecimal() and len(value) <= len(str(MOST)) and int(value) <= MOST):
        raise UnreadableStore(f"数据库中的计数已损坏（{name}）")
    return int(value)


def damaged_text(value: bytes) -> str:
    """Text whose bits may have been flipped is compared and refused like any other wrong text."""
    return value.decode("utf-8", "replace")


def _limit(tables: SqliteUtils, quota_bytes: int) -> None:
    page_bytes = tables.conn.execute("PRAGMA page_size").fetchone()[0]
    tables.conn.execute(f"PRAGMA max_page_count = {quota_bytes // page_bytes}")
    tables.conn.execute(f"PRAGMA wal_autocheckpoint = {WAL_BYTES // page_bytes}")
    tables.conn.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")


def _configure(tables: SqliteUtils) -> None:
    tables.enable_wal()
    tables.conn.execute("PRAGMA synchronous = FULL")
    mode = tables.conn.execute("PRAGMA journal_mode").fetchone()[0]
    level = tables.conn.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", SYNCHRONOUS_FULL):
        raise EnvironmentFault(f"数据库不能以 WAL/FULL 方式打开（{mode}/{level}）。请把 state_dir 放到本机磁盘上。")


def _read_mirror(mirror: CounterMirror) -> StoreLoss | None:
    """Read it, or say what is wrong with it; a damaged one is put aside."""
    try:
        found = mirror.read()
    except SenderFault:
        return StoreLoss(_put_aside(mirror.path), 0, "计数镜像已损坏")
    return StoreLoss("", 0, "计数镜像不见了") if found is None else None


def _mirror_again(database: Database, loss: StoreLoss, *, forgotten: bool) -> StoreLoss:
    """Rebuild the mirror from the database, which may be gone as well."""
    ending = "数据库也不见了，编号从头开始" if forgotten else "已按数据库重建"
    database.mirror.cover_event(database.integer("devseq"))
    database.mirror.cover_session(database.integer("session"))
    database.mirror.cover_recording(database.integer("recording"))
    database.mirror.cover_command(database.integer("command"))
    return StoreLoss(loss.kept_as, database.integer("devseq"), f"{loss.detail}，{ending}", forgotten)


def _begin_again(path: Path, quota_bytes: int, mirror: CounterMirror, detail: str) -> tuple[Database, StoreLoss]:
    kept_as = _put_aside(path)
    database = Database(_open(path, quota_bytes, whole_bytes=0), mirror, path)
    return database, _skip(database, mirror.written, StoreLoss(kept_as, mirror.written.devseq, detail))


def _put_aside(path: Path) -> str:
    number = 1
    while path.with_name(f"{path.name}.damaged-{number}").exists():
        number += 1
    for suffix in ("-shm", "-wal", ""):  # the database itself last: a crash in between tries again
        part = path.with_name(path.name + suffix)
        if part.exists():
            durable.move(part, path.with_name(f"{path.name}.damaged-{number}{suffix}"))
    return f"{path.name}.damaged-{number}"


def _skip(database: Database, ceilings: Ceilings, loss: StoreLoss) -> StoreLoss:
    with database.transaction():
        for counter in ("devseq", "session", "recording", "command"):
            database.set(counter, max(database.integer(counter), getattr(ceilings, counter)))
        database.set("acked", database.integer("devseq"))
        database.set("acked_head", GENESIS)
        database.set("head", GENESIS)
        database.run("DELETE FROM outbox")
    return loss


def _is_full(fault: EnvironmentFault) -> bool:
    cause = fault.__cause__
    if isinstance(cause, sqlite3.Error):
        return cause.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
    return isinstance(cause, OSError) and cause.errno in NO_ROOM


class StoreErrors:
    """What SQLite raises inside the block is an `EnvironmentFault`; a file that cannot be read leaves `mark` behind, so
    that the next start reads all of it, however large."""

    def __init__(self, mark: Path | None = None) -> None:
        self._mark = mark

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        """Raise in our own words."""
        if isinstance(error, sqlite3.DatabaseError):
            self.tell(error)

    def tell(self, error: sqlite3.DatabaseError) -> NoReturn:
        """The same for one error."""
        if error.sqlite_errorcode & 0xFF not in UNREADABLE:
            raise EnvironmentFault(f"本机数据库写入失败（{error}）。请检查存储空间与存储卡。") from error
        if self._mark is not None and not self._mark.exists():
            durable.write_bytes(self._mark, b"", durable.PRIVATE)
        raise UnreadableStore(f"本机数据库已损坏（{error}）") from error
