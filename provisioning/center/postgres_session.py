"""What makes a PostgreSQL session safe for evidence: what is committed is on its disk."""

from typing import Any

from agent.errors import EnvironmentFault


def make_durable(connection: Any, _record: Any) -> None:
    """Let commits of a new DBAPI connection wait for the disk, whatever the server's default; raises
    `EnvironmentFault` when the server itself never waits (`fsync = off`)."""
    connection.execute("SET synchronous_commit TO on")
    found = connection.execute("SHOW fsync").fetchone()[0]
    connection.commit()
    if found != "on":
        raise EnvironmentFault("PostgreSQL 的 fsync 已关闭，断电会丢失已发回执的数据。请在服务器上设 fsync = on。")
