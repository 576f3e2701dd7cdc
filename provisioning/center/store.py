"""The centre's database, by SQLAlchemy Core: SQLite in WAL with synchronous=FULL, or PostgreSQL by URL.

One thread writes. A receipt is signed only after the transaction that stored its events has been committed.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from agent.errors import EnvironmentFault, OperatorFault
from agent.wire.canonical import timestamp
from agent.wire.identifiers import DeviceId, Digest
from agent.wire.status import DeviceStatus
from provisioning.center import postgres_session, schema, sqlite_file
from provisioning.center.intake import EMPTY_CHAIN, Alarm, Decision, Head, SealedKind, Shelf, Waiting
from provisioning.center.rows import (
    Row,
    alarm_detail,
    alarm_key,
    alarm_row,
    head_row,
    link_rows,
    loss_rows,
    moved_head,
    status_values,
)
from provisioning.center.summary import DeviceSummary, device_summary

BUSY_TIMEOUT_S = 10  # ours: a report reading while the receiver commits
PAGE_ROWS = 1_000  # ours: some 1 MB
INSERT: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
DURABLE = {"sqlite": sqlite_file.make_durable, "postgresql": postgres_session.make_durable}
KINDS: Mapping[type, Any] = {int: sa.BigInteger, bool: sa.Boolean, bytes: sa.LargeBinary}

metadata = sa.MetaData()


def _column(column: schema.Column) -> sa.Column[Any]:
    kind = sa.String(column.size) if column.kind is str else KINDS[column.kind]
    return sa.Column(column.name, kind, primary_key=column.key, autoincrement=False, nullable=False)


TABLES = {
    name: Table(name, metadata, *map(_column, columns), sqlite_with_rowid=name not in schema.CLUSTERED)
    for name, columns in schema.TABLES.items()
}
_event, _parked, _head, _alarm = TABLES["event"], TABLES["parked"], TABLES["head"], TABLES["alarm"]
_loss, _status, _receiver, _sealed = TABLES["loss"], TABLES["status"], TABLES["receiver"], TABLES["sealed"]

_OF: Any = sa.bindparam("of")
_END: Any = sa.bindparam("end")
_AT: Any = sa.bindparam("at")
_HASH: Any = sa.bindparam("digest")
_GAPS = _head.c.gaps + sa.bindparam("opened", type_=sa.BigInteger)
_CHANGED = sa.update(_head).where(_head.c.device == _OF)
MOVE_HEAD = _CHANGED.values(upto=_END, hash=_HASH, received_at=_AT, gaps=_GAPS)
NOTE_RECEIPT = _CHANGED.values(receipted=_END, receipts=_head.c.receipts + 1)
DROP_RECEIPT = sa.delete(_sealed).where(_sealed.c.device == _OF, _sealed.c.kind == str(SealedKind.RECEIPT))
_RECEIPT = {"device": _OF, "kind": str(SealedKind.RECEIPT), "number": _END, "envelope": sa.bindparam("content")}
KEEP_RECEIPT = sa.insert(_sealed).values(_RECEIPT)


class Rows:
    """Plain verbs on the tables inside one transaction, for rooms that keep rows of their own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, table: str, where: Row) -> list[Row]:
        """The rows of `table` with these values."""
        return _rows(self._connection, sa.select(TABLES[table]).where(*_equal(TABLES[table], where)))

    def each(self, table: str) -> Iterator[Row]:
        """Every row of `table` by its primary key, not all in memory at once."""
        query = sa.select(TABLES[table]).order_by(*TABLES[table].primary_key)
        with self._connection.execute(query.execution_options(yield_per=PAGE_ROWS)) as found:
            yield from (dict(row) for row in found.mappings())

    def add(self, table: str, rows: list[Row]) -> None:
        """New rows."""
        _add(self._connection, TABLES[table], rows)

    def put(self, table: str, key: Row, values: Row) -> None:
        """The row with this primary key, new or changed."""
        changed = sa.update(TABLES[table]).where(*_equal(TABLES[table], key)).values(**values)
        if not self._connection.execute(changed).rowcount:
            self._connection.execute(sa.insert(TABLES[table]).values(**key, **values))

    def drop(self, table: str, where: Row) -> None:
        """Remove the rows of `table` with these values."""
        self._connection.execute(sa.delete(TABLES[table]).where(*_equal(TABLES[table], where)))


class Ledger:
    """The database inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.rows = Rows(connection)

    def shelves(self, asked: Mapping[DeviceId, Iterable[int]]) -> dict[DeviceId, Shelf]:
        """What is known of each device, with the hashes of those numbers that are stored."""
        waiting: dict[str, dict[int, Waiting]] = {device: {} for device in asked}
        for row in _of(self._connection, _parked, ("devseq", "prev", "hash"), asked):
            waiting[row["device"]][row["devseq"]] = Waiting(row["prev"], row["hash"])
        found = {}
        for device, head in self.heads(asked).items():
            numbers = [number for number in asked[device] if number <= head.upto]  # nothing is stored beyond it
            query = sa.select(_event.c.devseq, _event.c.hash).where(
                _event.c.device == device, _event.c.devseq.in_(numbers)
            )
            stored = _rows(self._connection, query) if numbers else []
            found[device] = Shelf(head, {row["devseq"]: row["hash"] for row in stored}, waiting[device])
        return found

    def heads(self, devices: Iterable[DeviceId]) -> dict[DeviceId, Head]:
        """The end of each device's chain."""
        rows = _of(self._connection, _head, ("upto", "hash"), devices)
        ends = {row["device"]: Head(row["upto"], Digest(row["hash"])) for row in rows}
        return {device: ends.get(device, EMPTY_CHAIN) for device in devices}

    def with_gaps(self, devices: Iterable[DeviceId]) -> set[DeviceId]:
        """Those of which events wait behind a gap."""
        return {row["device"] for row in _of(self._connection, _parked, (), devices)}

    def apply(self, decisions: Mapping[DeviceId, Decision], now: datetime) -> None:
        """Carry out one decision for each device."""
        there = {row["device"] for row in _of(self._connection, _head, (), decisions)}
        _add(self._connection, _head, [head_row(device, now) for device in decisions if device not in there])
        parked = (link_rows(device, decision.park, now) for device, decision in decisions.items())
        appended = (link_rows(device, decision.append, now) for device, decision in decisions.items())
        for table, rows in ((_parked, parked), (_event, appended)):
            _add(self._connection, table, [*chain.from_iterable(rows)])
        for device, decision in decisions.items():
            for number in decision.adopt:
                _adopt(self._connection, device, number)
            for number in (*decision.adopt, *decision.discard):
                self.rows.drop("parked", {"device": device, "devseq": number})
            _add(self._connection, _loss, loss_rows(device, decision.losses, now))
        self._connection.execute(MOVE_HEAD, [moved_head(*each, now) for each in decisions.items()])

    def alarm(self, device: str, alarm: Alarm, now: datetime) -> bool:
        """Note an alarm; the same again only counts. Returns whether it is new."""
        where = [_alarm.c[name] == value for name, value in alarm_key(device, alarm).items()]
        again = {"times": _alarm.c.times + 1, "last_at": timestamp(now), "detail": alarm_detail(alarm)}
        if self._connection.execute(sa.update(_alarm).where(*where).values(**again)).rowcount:
            return False
        self._connection.execute(sa.insert(_alarm).values(**alarm_row(device, alarm, now)))
        return True

    def status(self, status: DeviceStatus, now: datetime) -> bool:
        """Keep a device's state; one of an older session (a late last will) is ignored. Returns whether it was kept."""
        rows = _rows(self._connection, sa.select(_status.c.session).where(_status.c.device == status.device))
        if rows and rows[0]["session"] > status.session:
            return False
        self.rows.put("status", {"device": status.device}, status_values(status, now))
        return True

    def receipted(self, receipts: Iterable[tuple[DeviceId, int, bytes]]) -> None:
        """Note that the broker has these receipts, each of a device up to a number, and keep the last of each."""
        last = {device: {"of": device, "end": upto, "content": envelope} for device, upto, envelope in receipts}
        for statement in (NOTE_RECEIPT, DROP_RECEIPT, KEEP_RECEIPT):
            self._connection.execute(statement, [*last.values()])

    def bodies(self, device: DeviceId, numbers: Sequence[int]) -> tuple[bytes, ...]:
        """Canonical bodies of those of `numbers` that stand in the device's chain, in order."""
        query = sa.select(_event.c.body).where(_event.c.device == device, _event.c.devseq.in_(numbers))
        rows = _rows(self._connection, query.order_by(_event.c.devseq)) if numbers else []
        return tuple(row["body"] for row in rows)

    def keep(self, envelopes: Iterable[tuple[DeviceId, str, int, bytes]]) -> None:
        """Keep signed envelopes for the account of a device, each of a kind (`SealedKind` or `countersigned_by`) and
        under the number of an event; the first one stays."""
        rows = [{"device": it, "kind": str(of), "number": at, "envelope": data} for it, of, at, data in envelopes]
        _add(self._connection, _sealed, rows, anew=False)

    def unanswered(self) -> tuple[DeviceId, ...]:
        """Devices with committed events that no receipt has covered."""
        rows = _rows(self._connection, sa.select(_head.c.device).where(_head.c.receipted < _head.c.upto))
        return tuple(DeviceId(row["device"]) for row in rows)

    def next_session(self, receiver: str) -> int:
        """The receiver's session number, +1 at every start."""
        where, more = _receiver.c.name == receiver, _receiver.c.session + 1
        if not self._connection.execute(sa.update(_receiver).where(where).values(session=more)).rowcount:
            self._connection.execute(sa.insert(_receiver).values(name=receiver, session=1))
        return int(_rows(self._connection, sa.select(_receiver.c.session).where(where))[0]["session"])


class Store:
    """The database of one centre."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Ledger]:
        """One transaction: committed when the block ends, undone when it raises; `EnvironmentFault` if it cannot be."""
        with _database_errors(), self._engine.begin() as connection:
            yield Ledger(connection)

    def summary(self) -> tuple[DeviceSummary, ...]:
        """Every device that was ever heard of, sorted."""
        with _database_errors(), self._engine.connect() as connection:
            heads = {row["device"]: dict(row) for row in connection.execute(sa.select(_head)).mappings()}
            states = {row["device"]: dict(row) for row in connection.execute(sa.select(_status)).mappings()}
            counts = {table.name: _counts(connection, table) for table in (_event, _parked, _alarm, _loss)}
        devices = sorted({*heads, *states, *counts["alarm"]})
        return tuple(device_summary(device, heads.get(device), states.get(device), counts) for device in devices)

    def events(self, device: str, after: int = 0, limit: int = 1_000) -> tuple[bytes, ...]:
        """Canonical bodies of the first `limit` events of the device after number `after`, in order."""
        query = sa.select(_event.c.body).where(_event.c.device == device, _event.c.devseq > after)
        with _database_errors(), self._engine.connect() as connection:
            return tuple(row.body for row in connection.execute(query.order_by(_event.c.devseq).limit(limit)))

    def of_types(self, device: str, types: Iterable[str]) -> tuple[bytes, ...]:
        """Canonical bodies of the device's events of these types, in order."""
        query = sa.select(_event.c.body).where(_event.c.device == device, _event.c.type.in_(list(types)))
        with _database_errors(), self._engine.connect() as connection:
            return tuple(row.body for row in connection.execute(query.order_by(_event.c.devseq)))

    def newest(self, device: str, kind: str) -> bytes | None:
        """Canonical body of the device's newest event of this type, None without one."""
        query = sa.select(_event.c.body).where(_event.c.device == device, _event.c.type == kind)
        with _database_errors(), self._engine.connect() as connection:
            row = connection.execute(query.order_by(_event.c.devseq.desc()).limit(1)).first()
            return None if row is None else bytes(row.body)

    def account(self, device: str) -> tuple[bytes, ...]:
        """Every envelope of its account: batches, our last receipt and witnesses, others' batches that countersign."""
        return tuple(envelope for kind, _, envelope in self.sealed(device) if kind != SealedKind.DAY_RECEIPT)

    def sealed(self, device: str, after: int = 0) -> Iterator[tuple[str, int, bytes]]:
        """Kind, number, envelope of all kept about it, by pages; batches and witnesses only beyond `after`."""
        wanted = (_sealed.c.number > after) | _sealed.c.kind.not_in([SealedKind.BATCH, SealedKind.WITNESS])
        query = sa.select(_sealed).where(_sealed.c.device == device, wanted).order_by(_sealed.c.kind, _sealed.c.number)
        with _database_errors(), self._engine.connect() as connection:
            for row in connection.execute(query.execution_options(yield_per=PAGE_ROWS)):
                yield row.kind, row.number, row.envelope

    def alarms(self) -> tuple[dict[str, Any], ...]:
        """Every alarm, by device, kind and number."""
        return self._all(sa.select(_alarm).order_by(_alarm.c.device, _alarm.c.kind, _alarm.c.devseq))

    def losses(self) -> tuple[dict[str, Any], ...]:
        """Every gap that a device declared: numbers `first` to `last`, `kept` how many of them are stored."""
        return self._all(sa.select(_loss).order_by(_loss.c.device, _loss.c.declared_by))

    def close(self) -> None:
        """Release every connection."""
        self._engine.dispose()

    def _all(self, query: Any) -> tuple[dict[str, Any], ...]:
        with _database_errors(), self._engine.connect() as connection:
            return tuple(_rows(connection, query))


def open_store(url: str, folder: Path, *, create: bool = True) -> Store:
    """The database at `url`; a relative SQLite path is relative to `folder`. Where it is missing it is created, or
    refused without `create`.

    Raises `OperatorFault` for a URL that cannot be used, `EnvironmentFault` for a database that cannot be opened.
    """
    try:
        target = sa.make_url(url)
        if target.get_backend_name() == "sqlite" and target.database not in (None, "", ":memory:"):
            target = target.set(database=str(sqlite_file.there(folder / str(target.database), create)))
        if target.get_backend_name() not in DURABLE:
            raise OperatorFault(
                f"数据库 {target.get_backend_name()} 不受支持。请用 sqlite:/// 或 postgresql+psycopg://。"
            )
        arguments = {"timeout": BUSY_TIMEOUT_S} if target.get_backend_name() == "sqlite" else {}
        engine = sa.create_engine(target, connect_args=arguments)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise OperatorFault(f"数据库地址 database 不可用（{error}），应形如 sqlite:///center.db。") from error
    sa.event.listen(engine, "connect", DURABLE[engine.dialect.name])
    with _database_errors():
        if create:
            metadata.create_all(engine)
        elif not set(metadata.tables) <= set(sa.inspect(engine).get_table_names()):
            engine.dispose()
            raise OperatorFault("数据库里没有（或缺少）接收端的表。请检查 --config，或先运行 liuhen-center receive。")
    return Store(engine)


@contextlib.contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise EnvironmentFault(f"数据库出错：{error.orig}。请检查磁盘空间与权限后重启接收端。") from error


def _counts(connection: Connection, table: Table) -> dict[str, int]:
    query = sa.select(table.c.device, sa.func.count()).group_by(table.c.device)
    return {row[0]: row[1] for row in connection.execute(query)}


def _add(connection: Connection, table: Table, rows: Sequence[Row], *, anew: bool = True) -> None:
    """Store rows of every column, handed to the driver as they are: SQLAlchemy would take longer to bind each than the
    database to store it. Without `anew` those whose key is there already stay."""
    if rows:
        sql, names = _insert(connection.dialect, table, anew)
        connection.exec_driver_sql(sql, [tuple([row[name] for name in names]) for row in rows] if names else [*rows])


@lru_cache
def _insert(dialect: sa.Dialect, table: Table, anew: bool) -> tuple[str, tuple[str, ...]]:
    """The statement, and in which order it takes its columns; in none where it takes them by name."""
    new = INSERT[dialect.name](table)
    compiled = (new if anew else new.on_conflict_do_nothing()).compile(dialect=dialect)
    return str(compiled), tuple(compiled.positiontup or ())


def _equal(table: Table, where: Row) -> list[Any]:
    return [table.c[name] == value for name, value in where.items()]


def _adopt(connection: Connection, device: DeviceId, number: int) -> None:
    row = sa.select(_parked).where(_parked.c.device == device, _parked.c.devseq == number)
    connection.execute(sa.insert(_event).from_select(_parked.columns.keys(), row))


def _of(connection: Connection, table: Table, columns: tuple[str, ...], devices: Iterable[DeviceId]) -> Iterator[Row]:
    """Device and `columns` of the rows of `devices`, as many at a time as every engine takes."""
    wanted, query = list(devices), _rows_of(table, columns)
    for first in range(0, len(wanted), PAGE_ROWS):
        found = connection.execute(query, {"asked": wanted[first : first + PAGE_ROWS]})
        yield from (dict(row) for row in found.mappings())


@lru_cache
def _rows_of(table: Table, columns: tuple[str, ...]) -> Any:
    query = sa.select(*(table.c[name] for name in ("device", *columns)))
    query = query.where(table.c.device.in_(sa.bindparam("asked", expanding=True)))
    return query if columns else query.distinct()


def _rows(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]
