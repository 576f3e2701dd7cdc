"""What makes an SQLite file safe for evidence: private from its first byte, and durable at every commit."""

from pathlib import Path
from typing import Any

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault


def make_durable(connection: Any, _record: Any) -> None:
    """Set a new DBAPI connection to WAL with synchronous=FULL; raises `EnvironmentFault` when the disk cannot."""
    for pragma, expected in (("journal_mode=WAL", "wal"), ("synchronous=FULL", None), ("synchronous", 2)):
        found = connection.execute(f"PRAGMA {pragma}").fetchone()
        if expected is not None and found[0] != expected:
            raise EnvironmentFault(f"数据库不能设为断电安全（{pragma} 得到 {found[0]}）。请把它放在本地磁盘上。")


def private_file(path: Path) -> Path:
    """`path`, made empty with mode 0600 where it is missing; raises `EnvironmentFault`."""
    if not path.exists():
        durable.make_directory(path.parent)
        durable.write_bytes(path, b"", durable.PRIVATE)
    return path


class NoDatabase(OperatorFault):
    """No receiver has made the database yet."""


def there(path: Path, create: bool) -> Path:
    """`path`, a private file; where it is missing it is made, or `NoDatabase` raised without `create`."""
    if not create and not path.is_file():
        raise NoDatabase(f"还没有数据库 {path}。请检查 --config，或先运行 liuhen-center receive。")
    return private_file(path)
