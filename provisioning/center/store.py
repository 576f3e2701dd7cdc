"""The centre's database, by SQLAlchemy Core; SQLite in WAL with synchronous=FULL unless the URL names another engine.

One thread writes. A receipt is signed only after the transaction that stored its events has been committed.
"""

import contextlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault
from agent.wire.canonical import timestamp
from agent.wire.identifiers import DeviceId, Digest
from agent.wire.status import DeviceStatus
from provisioning.center.intake import EMPTY_CHAIN, Alarm, Decision, Head, Link, Shelf, Waiting
from provisioning.center.summary import DeviceSummary, device_summary

BUSY_TIMEOUT_S = 10  # ours: a report reading while the receiver commits

_metadata = MetaData()
_link_columns = (
    ("prev", String(64)),
    ("hash", String(64)),
    ("event_id", String(200)),
    ("type", String(80)),
    ("body", LargeBinary),
    ("received_at", String(24)),
)


def _chain_table(name: str) -> Table:
    columns = [Column(column, kind, nullable=False) for column, kind in _link_columns]
    return Table(
        name,
        _metadata,
        Column("device", String(16), primary_key=True),
        Column("devseq", Integer, primary_key=True, autoincrement=False),
        *columns,
    )


_event, _parked = _chain_table("event"), _chain_table("parked")
_head = Table(
    "head",
    _metadata,
    Column("device", String(16), primary_key=True),
    Column("upto", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("gaps", Integer, nullable=False),
    Column("proof_upto", Integer, nullable=False),
    Column("proof", LargeBinary, nullable=False),
    Column("received_at", String(24), nullable=False),
    Column("receipts", Integer, nullable=False),
    Column("receipted", Integer, nullable=False),
)
_alarm = Table(
    "alarm",
    _metadata,
    Column("device", String(16), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("devseq", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), primary_key=True),
    Column("detail", String(400), nullable=False),
    Column("times", Integer, nullable=False),
    Column("first_at", String(24), nullable=False),
    Column("last_at", String(24), nullable=False),
)
_status = Table(
    "status",
    _metadata,
    Column("device", String(16), primary_key=True),
    Column("online", Boolean, nullable=False),
    Column("session", Integer, nullable=False),
    Column("waiting", Integer, nullable=False),
    Column("version", String(40), nullable=False),
    Column("seen_at", String(24), nullable=False),
)
_receiver = Table(
    "receiver",
    _metadata,
    Column("name", String(64), primary_key=True),
    Column("session", Integer, nullable=False),
)


class Ledger:
    """The database inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def shelf(self, device: DeviceId, numbers: Iterable[int]) -> Shelf:
        """What is known of `device`, with the hashes of those of `numbers` that are stored."""
        parked = _rows(
            self._connection, select(_parked.c.devseq, _parked.c.prev, _parked.c.hash).where(_parked.c.device == device)
        )
        stored = _rows(
            self._connection,
            select(_event.c.devseq, _event.c.hash).where(_event.c.device == device, _event.c.devseq.in_(list(numbers))),
        )
        waiting = {row["devseq"]: Waiting(row["prev"], row["hash"]) for row in parked}
        return Shelf(self.head(device), {row["devseq"]: row["hash"] for row in stored}, waiting)

    def head(self, device: DeviceId) -> Head:
        """The end of the device's chain."""
        rows = _rows(self._connection, select(_head.c.upto, _head.c.hash).where(_head.c.device == device))
        return Head(rows[0]["upto"], Digest(rows[0]["hash"])) if rows else EMPTY_CHAIN

    def has_gap(self, device: DeviceId) -> bool:
        """Whether events of the device wait behind a gap."""
        return bool(_rows(self._connection, select(_parked.c.devseq).where(_parked.c.device == device).limit(1)))

    def apply(self, device: DeviceId, decision: Decision, envelope: bytes, now: datetime) -> None:
        """Carry out a decision. `envelope` is kept as proof when its own events reach the new head: its signature
        covers, through `prev`, all that came before."""
        _touch(self._connection, device, now)
        _insert(self._connection, _parked, device, decision.park, now)
        _insert(self._connection, _event, device, decision.append, now)
        for number in decision.adopt:
            _adopt(self._connection, device, number)
        for number in decision.discard:
            _unpark(self._connection, device, number)
        changes: dict[str, Any] = {"upto": decision.head.upto, "hash": decision.head.digest}
        if decision.append:
            changes |= {"proof_upto": decision.append[-1].event.devseq, "proof": envelope}
        if decision.gap_opened:
            changes["gaps"] = _head.c.gaps + 1
        self._connection.execute(update(_head).where(_head.c.device == device).values(**changes))

    def alarm(self, device: str, alarm: Alarm, now: datetime) -> bool:
        """Note an alarm; the same again only counts. Returns whether it is new."""
        where = (
            _alarm.c.device == device,
            _alarm.c.kind == alarm.kind.value,
            _alarm.c.devseq == alarm.devseq,
            _alarm.c.hash == alarm.digest,
        )
        again = {"times": _alarm.c.times + 1, "last_at": timestamp(now), "detail": alarm.detail[:400]}
        if self._connection.execute(update(_alarm).where(*where).values(**again)).rowcount:
            return False
        row: dict[str, Any] = {
            "device": device,
            "kind": alarm.kind.value,
            "devseq": alarm.devseq,
            "hash": alarm.digest,
            "times": 1,
        }
        row |= {"detail": alarm.detail[:400], "first_at": timestamp(now), "last_at": timestamp(now)}
        self._connection.execute(insert(_alarm).values(**row))
        return True

    def status(self, status: DeviceStatus, now: datetime) -> bool:
        """Keep a device's state; one of an older session (a late last will) is ignored. Returns whether it was kept."""
        rows = _rows(self._connection, select(_status.c.session).where(_status.c.device == status.device))
        if rows and rows[0]["session"] > status.session:
            return False
        values: dict[str, Any] = {"online": status.online, "session": status.session, "waiting": status.waiting}
        values |= {"version": status.version[:40], "seen_at": timestamp(now)}
        if rows:
            self._connection.execute(update(_status).where(_status.c.device == status.device).values(**values))
        else:
            self._connection.execute(insert(_status).values(device=status.device, **values))
        return True

    def receipted(self, device: DeviceId, upto: int) -> None:
        """Note that a receipt up to `upto` was handed to the broker."""
        changes = {"receipted": upto, "receipts": _head.c.receipts + 1}
        self._connection.execute(update(_head).where(_head.c.device == device).values(**changes))

    def unanswered(self) -> tuple[DeviceId, ...]:
        """Devices with committed events that no receipt has covered."""
        rows = _rows(self._connection, select(_head.c.device).where(_head.c.receipted < _head.c.upto))
        return tuple(DeviceId(row["device"]) for row in rows)

    def next_session(self, receiver: str) -> int:
        """The receiver's session number, +1 at every start."""
        where = _receiver.c.name == receiver
        values = {"session": _receiver.c.session + 1}
        if not self._connection.execute(update(_receiver).where(where).values(**values)).rowcount:
            self._connection.execute(insert(_receiver).values(name=receiver, session=1))
        return int(_rows(self._connection, select(_receiver.c.session).where(where))[0]["session"])


class Store:
    """The database of one centre."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Ledger]:
        """One transaction: committed when the block ends, undone when it raises; `EnvironmentFault` if it cannot be."""
        with _database_errors(), self._engine.begin() as connection:
            yield Ledger(connection)

    def summary(self) -> tuple[DeviceSummary, ...]:
        """Every device that was ever heard of, sorted."""
        with _database_errors(), self._engine.connect() as connection:
            heads = {row["device"]: dict(row) for row in connection.execute(select(_head)).mappings()}
            states = {row["device"]: dict(row) for row in connection.execute(select(_status)).mappings()}
            counts = {table.name: _counts(connection, table) for table in (_event, _parked, _alarm)}
        devices = sorted({*heads, *states, *counts["alarm"]})
        return tuple(device_summary(device, heads.get(device), states.get(device), counts) for device in devices)

    def events(self, device: str, after: int = 0, limit: int = 1_000) -> tuple[bytes, ...]:
        """Canonical bodies of the device's events after number `after`, in order."""
        query = select(_event.c.body).where(_event.c.device == device, _event.c.devseq > after)
        with _database_errors(), self._engine.connect() as connection:
            return tuple(row.body for row in connection.execute(query.order_by(_event.c.devseq).limit(limit)))

    def proof(self, device: str) -> tuple[int, bytes] | None:
        """The newest signed envelope that reached the head, and the number of its last event."""
        query = select(_head.c.proof_upto, _head.c.proof).where(_head.c.device == device)
        with _database_errors(), self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.proof_upto, row.proof)

    def alarms(self) -> tuple[dict[str, Any], ...]:
        """Every alarm, by device, kind and number."""
        query = select(_alarm).order_by(_alarm.c.device, _alarm.c.kind, _alarm.c.devseq)
        with _database_errors(), self._engine.connect() as connection:
            return tuple(dict(row) for row in connection.execute(query).mappings())

    def close(self) -> None:
        """Release every connection."""
        self._engine.dispose()


def open_store(url: str, folder: Path) -> Store:
    """The database at `url`, created where it is missing; a relative SQLite path is relative to `folder`.

    Raises `OperatorFault` for a URL that cannot be used, `EnvironmentFault` for a database that cannot be opened.
    """
    try:
        target = make_url(url)
        if target.get_backend_name() == "sqlite" and target.database not in (None, "", ":memory:"):
            target = target.set(database=str(_private_file(folder / str(target.database))))
        arguments = {"timeout": BUSY_TIMEOUT_S} if target.get_backend_name() == "sqlite" else {}
        engine = create_engine(target, connect_args=arguments)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise OperatorFault(f"数据库地址 database 不可用（{error}），应形如 sqlite:///center.db。") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _durable_sqlite)
    with _database_errors():
        _metadata.create_all(engine)
    return Store(engine)


def _durable_sqlite(connection: Any, _record: Any) -> None:
    for pragma, expected in (("journal_mode=WAL", "wal"), ("synchronous=FULL", None), ("synchronous", 2)):
        found = connection.execute(f"PRAGMA {pragma}").fetchone()
        if expected is not None and found[0] != expected:
            raise EnvironmentFault(f"数据库不能设为断电安全（{pragma} 得到 {found[0]}）。请把它放在本地磁盘上。")


def _private_file(path: Path) -> Path:
    if not path.exists():
        durable.make_directory(path.parent)
        durable.write_bytes(path, b"", durable.PRIVATE)
    return path


@contextlib.contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise EnvironmentFault(f"数据库出错：{error.orig}。请检查磁盘空间与权限后重启接收端。") from error


def _counts(connection: Connection, table: Table) -> dict[str, int]:
    query = select(table.c.device, func.count()).group_by(table.c.device)
    return {row[0]: row[1] for row in connection.execute(query)}


def _touch(connection: Connection, device: DeviceId, now: datetime) -> None:
    seen = update(_head).where(_head.c.device == device).values(received_at=timestamp(now))
    if not connection.execute(seen).rowcount:
        row: dict[str, Any] = {"upto": 0, "hash": EMPTY_CHAIN.digest, "gaps": 0, "proof_upto": 0, "proof": b""}
        row |= {"received_at": timestamp(now), "receipts": 0, "receipted": 0}
        connection.execute(insert(_head).values(device=device, **row))


def _insert(connection: Connection, table: Table, device: DeviceId, links: list[Link], now: datetime) -> None:
    rows = [
        {
            "device": device,
            "devseq": link.event.devseq,
            "prev": link.event.prev,
            "hash": link.digest,
            "event_id": link.event.event_id[:200],
            "type": link.event.type.value,
            "body": link.body,
            "received_at": timestamp(now),
        }
        for link in links
    ]
    if rows:
        connection.execute(insert(table), rows)


def _adopt(connection: Connection, device: DeviceId, number: int) -> None:
    columns = [column.name for column in _parked.columns]
    row = select(_parked).where(_parked.c.device == device, _parked.c.devseq == number)
    connection.execute(insert(_event).from_select(columns, row))
    _unpark(connection, device, number)


def _unpark(connection: Connection, device: DeviceId, number: int) -> None:
    connection.execute(delete(_parked).where(_parked.c.device == device, _parked.c.devseq == number))


def _rows(connection: Connection, query: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]
