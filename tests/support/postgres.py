"""A real PostgreSQL of its own: initdb into a folder, a unix socket there, no port; a fresh schema for each test."""

import os
import pwd
import shutil
import subprocess
from itertools import count
from pathlib import Path

import pytest

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name))
INITDB = shutil.which("initdb", path=str(BINARIES[-1]) if BINARIES else "")
needs_postgres = pytest.mark.skipif(INITDB is None, reason="PostgreSQL is not installed")
ACCOUNTS = ("postgres", "nobody")  # the server refuses to run as root


class Postgres:
    """A server that lives in `folder`, a short path outside the private ones of pytest."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._numbers = folder, count(1)
        self._as = {} if os.getuid() else {"user": _account(), "group": "nogroup", "extra_groups": []}
        if not os.getuid():
            shutil.chown(folder, self._as["user"], "nogroup")

    def start(self, *settings: str) -> "Postgres":
        folder = str(self.folder)
        if not (self.folder / "data").exists():
            self._run("initdb", "--pgdata", folder + "/data", "--username", "liuhen", "--auth", "trust", "--no-sync")
        given = [f"-c{one}" for one in ("listen_addresses=", f"unix_socket_directories={folder}", *settings)]
        self._run("pg_ctl", "start", "--wait", "-D", folder + "/data", "-l", folder + "/log", "-o", " ".join(given))
        return self

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "-D", str(self.folder / "data"), "-m", "immediate")

    def url(self) -> str:
        """An empty database for one test: a schema of its own."""
        name = f"test_{next(self._numbers)}"
        self._run("psql", "-q", "-h", str(self.folder), "-U", "liuhen", "-d", "postgres", "-c", f"CREATE SCHEMA {name}")
        return f"postgresql+psycopg://liuhen@/postgres?host={self.folder}&options=-csearch_path%3D{name}"

    def _run(self, program: str, *words: str) -> None:
        command = [str(BINARIES[-1] / program), *words]
        subprocess.run(command, check=True, cwd=self.folder, capture_output=program != "pg_ctl", timeout=60, **self._as)


def _account() -> str:
    return next(name for name in ACCOUNTS if any(each.pw_name == name for each in pwd.getpwall()))
