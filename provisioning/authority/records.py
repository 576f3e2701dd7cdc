"""The authority's one database, `inventory.db`: certificates, devices, tokens, reports and the audit. The only file of
the package that knows sqlite-utils.

WAL with synchronous=FULL: what was committed is on the disk. A transaction takes the file at its beginning (BEGIN
IMMEDIATE), so commands that run at once wait for each other; rows and their audit row are one transaction.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from sqlite_utils import Database as SqliteUtils

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.key_files import read_private_key
from agent.wire.envelope import parse_envelope, pre_authentication_encoding, seal
from agent.wire.signing import KeySigner, key_id_of, verify_der
from provisioning.authority import keys
from provisioning.authority.audit_chain import (
    CLOCK_CHECKED,
    FOUNDING,
    HEAD_TYPE,
    Act,
    Head,
    Row,
    head_of,
    next_row,
    parse_head,
    refuse_earlier,
    verify_audit,
)

FILE, AUDIT_KEY = "inventory.db", "audit.key"
BUSY_S = 30.0  # ours: a batch holds the file for one device at a time
SCHEMA = """
CREATE TABLE IF NOT EXISTS authority (one INTEGER PRIMARY KEY CHECK (one = 1), district TEXT NOT NULL,
  name TEXT NOT NULL, version INTEGER NOT NULL, issued_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cert (key_id TEXT PRIMARY KEY, subject TEXT NOT NULL, role TEXT NOT NULL,
  profile TEXT NOT NULL, serial TEXT NOT NULL UNIQUE, pem TEXT NOT NULL, issued_at TEXT NOT NULL,
  not_after TEXT NOT NULL, superseded_at TEXT, revoked_at TEXT, reason TEXT);
CREATE INDEX IF NOT EXISTS cert_subject ON cert (subject);
CREATE INDEX IF NOT EXISTS cert_role ON cert (role);
CREATE TABLE IF NOT EXISTS shown (key_id TEXT PRIMARY KEY, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS device (device TEXT PRIMARY KEY, role TEXT NOT NULL, state TEXT NOT NULL,
  hardware TEXT NOT NULL, unit TEXT NOT NULL, model TEXT NOT NULL, officer TEXT NOT NULL, settings TEXT NOT NULL,
  planned_at TEXT NOT NULL, changed_at TEXT NOT NULL, changed_by TEXT NOT NULL, why TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS device_hardware ON device (hardware)
  WHERE hardware <> '' AND state <> 'decommissioned';
CREATE TABLE IF NOT EXISTS assignment (number INTEGER PRIMARY KEY, device TEXT NOT NULL, officer TEXT NOT NULL,
  since TEXT NOT NULL, until TEXT, document BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS assignment_device ON assignment (device);
CREATE TABLE IF NOT EXISTS check_report (number INTEGER PRIMARY KEY, device TEXT NOT NULL, passed INTEGER NOT NULL,
  made_at TEXT NOT NULL, document BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS check_report_device ON check_report (device);
CREATE TABLE IF NOT EXISTS crl (number INTEGER PRIMARY KEY, made_at TEXT NOT NULL, next_at TEXT NOT NULL,
  entries INTEGER NOT NULL, content TEXT NOT NULL, pem TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS token (name TEXT PRIMARY KEY, device TEXT NOT NULL, bound BLOB NOT NULL,
  made_at TEXT NOT NULL, until TEXT NOT NULL, ended_at TEXT, ended_why TEXT, request TEXT);
CREATE INDEX IF NOT EXISTS token_device ON token (device);
CREATE TABLE IF NOT EXISTS pending (device TEXT NOT NULL, hardware TEXT NOT NULL, why TEXT NOT NULL,
  first_at TEXT NOT NULL, last_at TEXT NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (device, hardware));
CREATE TABLE IF NOT EXISTS rotation (device TEXT PRIMARY KEY, ordered_at TEXT NOT NULL, ordered_by TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS site (one INTEGER PRIMARY KEY CHECK (one = 1), settings TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS audit (number INTEGER PRIMARY KEY, hash TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS audit_head (one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL);
"""


class Records:
    """An open database, used by one thread; made by `open_records`."""

    def __init__(self, tables: SqliteUtils, key: ec.EllipticCurvePrivateKey) -> None:
        self._tables, self._signer, self._public = tables, KeySigner(key), key.public_key()

    def close(self) -> None:
        """Let go of the file."""
        self._tables.close()

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Every row that `sql` gives; raises `EnvironmentFault`."""
        with _disk_faults():
            cursor = self._tables.conn.execute(sql, values)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within is committed together or not at all; within another one it is part of that."""
        if self._tables.conn.in_transaction:
            yield
            return
        with _disk_faults():
            self._tables.conn.execute("BEGIN IMMEDIATE")
        try:
            yield
            with _disk_faults():
                self._tables.conn.execute("COMMIT")
        except BaseException:
            if self._tables.conn.in_transaction:
                self._tables.conn.execute("ROLLBACK")
            raise

    def insert(self, table: str, row: dict[str, Any]) -> None:
        """One new row."""
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self.rows(f"INSERT INTO {table} ({names}) VALUES ({marks})", *row.values())  # noqa: S608

    def audit(self, act: Act) -> Row:
        """Append one row to the audit and sign its head; part of the transaction it stands in. Raises `OperatorFault`
        when it is dated before the row that is there."""
        with self.transaction():
            last = self.last_row()
            if last is not None and act.act != CLOCK_CHECKED:
                refuse_earlier(last.act(), act.at)
            row = next_row(Head() if last is None else head_of(last), act)
            self.insert("audit", {"number": row.number, "hash": row.hash, "body": row.body})
            sealed = seal(HEAD_TYPE, head_of(row).encode(), [self._signer])
            self.rows("INSERT OR REPLACE INTO audit_head (one, sealed) VALUES (1, ?)", sealed)
            return row

    def last_row(self) -> Row | None:
        """The newest row of the audit, None before the first."""
        found = self.rows("SELECT number, hash, body FROM audit ORDER BY number DESC LIMIT 1")
        return Row(**found[0]) if found else None

    def sealed_head(self) -> bytes | None:
        """The signed head of the audit as it was last written, to be carried away; None before the first act."""
        found = self.rows("SELECT sealed FROM audit_head")
        return bytes(found[0]["sealed"]) if found else None

    def opened_head(self, sealed: bytes) -> Head:
        """A head that this bench has signed; raises `SenderFault`."""
        return opened_head(sealed, self._public)

    def audit_rows(self) -> list[Row]:
        """Every row of the audit, as it stands."""
        return [Row(**row) for row in self.rows("SELECT number, hash, body FROM audit ORDER BY number")]

    def verified_audit(self, carried: Iterable[bytes] = ()) -> Head:
        """The audit's head, once every row follows on the one before and stands for the head that was signed last and
        for those that were `carried` away; raises `SenderFault` (code `audit`). Of an authority that was made there is
        always a first row, which says so."""
        rows, sealed = self.audit_rows(), self.sealed_head()
        heads = [self.opened_head(data) for data in (*([] if sealed is None else [sealed]), *carried)]
        end = verify_audit(rows, *heads)
        founded = bool(self.rows("SELECT 1 FROM authority"))
        if (founded or rows) and (sealed is None or not rows or (founded and rows[0].act().act != FOUNDING)):
            text = "审计记录被清空、截去过，或没有已签署的链头。请停止使用该机构目录，封存后从备份比对。"
            raise SenderFault(text, "audit")
        return end


def open_records(folder: Path) -> Records:
    """The database in `folder`, made where there is none. Raises `OperatorFault` when it is damaged or its audit key is
    gone, `EnvironmentFault` when the disk does not take it."""
    path = folder / FILE
    fresh = not path.exists()
    if fresh:
        durable.write_bytes(path, b"", durable.PRIVATE)
    with _disk_faults():
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        try:
            _prepare(connection)
            key = _audit_key(folder, connection)
        except BaseException:
            connection.close()
            raise
    return Records(SqliteUtils(connection), key)


def opened_head(sealed: bytes, key: ec.EllipticCurvePublicKey) -> Head:
    """The head in an envelope that the audit key signed; raises `SenderFault` otherwise."""
    envelope = parse_envelope(sealed)
    signed = pre_authentication_encoding(HEAD_TYPE, envelope.payload)
    for signature in envelope.signatures:
        if signature.key == key_id_of(key):
            verify_der(key, signature.der, signed)
            return parse_head(envelope.payload)
    raise SenderFault("审计链头不是由本机构的审计密钥签署，已拒绝。请核对机构目录与链头文件。", "audit")


def _prepare(connection: sqlite3.Connection) -> None:
    for pragma, wanted in (("journal_mode=WAL", "wal"), ("synchronous=FULL", None), ("synchronous", 2)):
        found = connection.execute(f"PRAGMA {pragma}").fetchone()
        if wanted is not None and found[0] != wanted:
            raise EnvironmentFault(f"机构数据库不能设为断电安全（{pragma} 得到 {found[0]}）。请把它放在本地磁盘上。")
    if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'rotation'").fetchone()[0]:
        connection.executescript("BEGIN IMMEDIATE;" + SCHEMA + "COMMIT;")


def _audit_key(folder: Path, connection: sqlite3.Connection) -> ec.EllipticCurvePrivateKey:
    path = folder / AUDIT_KEY
    if not path.exists():
        kept = "SELECT (SELECT count(*) FROM audit) + (SELECT count(*) FROM authority)"
        if connection.execute(kept).fetchone()[0]:
            raise OperatorFault(f"{path} 不见了，审计记录无法续写。请从备份恢复机构目录。")
        durable.write_bytes(path, keys.private_pem(keys.new_key()), durable.PRIVATE)
    return read_private_key(path)


@contextmanager
def _disk_faults() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise OperatorFault(f"登记重复，未作改动（{error}）。请核对编号与硬件序列号。") from error
    except sqlite3.OperationalError as error:
        raise EnvironmentFault(f"机构数据库不能读写（{error}）。请检查磁盘空间与权限后重试。") from error
    except sqlite3.DatabaseError as error:
        raise OperatorFault(f"机构数据库已损坏（{error}）。请从备份恢复机构目录。") from error
