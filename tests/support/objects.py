"""Stores of objects for tests: a real S3 server (moto) as a process, one in memory, and a line to it that fails."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.object_store import ObjectStore, StoreAccess, StoreFault

BUCKET = "evidence"
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class MemoryObjects:
    """Objects in memory. After `lives` more requests the device dies, before the next one or, with `after`, when the
    store has done it and nobody has heard."""

    objects: dict[str, bytes] = field(default_factory=dict)
    lives: int | None = None
    after: bool = False
    requests: int = 0

    def put(self, key: str, data: bytes) -> None:
        with self._request():
            self.objects[key] = data

    def listing(self, prefix: str) -> Iterator[tuple[str, int]]:
        with self._request():
            found = [(key, len(data)) for key, data in self.objects.items() if key.startswith(prefix)]
        yield from found

    def get(self, key: str, most: int) -> bytes | None:
        data = self.objects.get(key)
        return None if data is None else data[: most + 1]

    def move(self, key: str, target: str) -> None:
        self.objects[target] = self.objects.pop(key)

    @contextmanager
    def _request(self) -> Iterator[None]:
        dies = self.lives is not None and self.requests >= self.lives
        self.requests += 1
        if dies and not self.after:
            raise StoreFault("killed")
        yield
        if dies:
            raise StoreFault("killed")


@dataclass
class S3Server:
    """A running server with the bucket `evidence`."""

    process: subprocess.Popen[str]
    port: int
    key_id: str
    secret: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{BUCKET}"

    def access(self, port: int | None = None, secret: str | None = None) -> StoreAccess:
        return StoreAccess(f"http://127.0.0.1:{port or self.port}/{BUCKET}", self.key_id, secret or self.secret)

    def store(self, port: int | None = None) -> ObjectStore:
        return ObjectStore(self.access(port))

    def credentials(self, folder: Path) -> Path:
        place = folder / "s3.toml"
        place.write_text(f'access_key_id = "{self.key_id}"\nsecret_access_key = "{self.secret}"\n')
        place.chmod(0o600)
        return place


@contextmanager
def s3_server(*arguments: str) -> Iterator[S3Server]:
    command = [sys.executable, "-m", "tests.support.s3_process", *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            port, key_id, secret = json.loads(process.stdout.readline())
            server = S3Server(process, port, key_id, secret)
            if not arguments:
                make_bucket(server)
            yield server
        finally:
            process.stdin.close()
            process.wait(10)


def make_bucket(server: S3Server, name: str = BUCKET) -> None:
    import urllib.request

    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/{name}", method="PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200
