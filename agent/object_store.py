"""An S3-compatible store of objects (ground floor), through obstore: a device brings recordings there, the centre
fetches them. Nothing is retried here for long; who calls waits and tries again.

The file of credentials, which only its owner may read:
    access_key_id = "..."        secret_access_key = "..."        region = "us-east-1"        session_token = ""
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent.errors import EnvironmentFault, OperatorFault
from agent.settings import Settings, read_toml

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config, S3Store

URL_PATTERN = r"https?://[^/@\s]+/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/?"
URL_WORDS = "https://主机[:端口]/桶名"
REQUEST_S = 120  # ours: for the whole of one request; the smallest part then still goes over 20 kbit/s
CONNECT_S = 5  # ours
SILENCE_S = 15  # ours: how long a server may say nothing
NOBODY_ELSE = 0o077


class StoreFault(EnvironmentFault):
    """The store cannot be reached, is full, or refuses: to be tried again. `slow`: it did not answer in time."""

    def __init__(self, text: str, *, slow: bool = False) -> None:
        super().__init__(text)
        self.slow = slow


@dataclass(frozen=True)
class StoreAccess:
    """Where a store is and who we are there; `ca` is a PEM certificate for a store of one's own."""

    url: str
    key_id: str
    secret: str
    token: str = ""
    region: str = "us-east-1"
    ca: bytes = b""


def read_access(url: str, credentials: Path, ca: Path | None = None) -> StoreAccess:
    """What `credentials` and `ca` hold; raises `OperatorFault`."""
    try:
        loose = credentials.stat().st_mode & NOBODY_ELSE
        pem = b"" if ca is None else ca.read_bytes()
    except OSError as error:
        raise OperatorFault(f"无法读取上传凭据或其证书：{error}。请检查 [offload] 的 credentials 与 ca。") from error
    if loose:
        raise OperatorFault(f"上传凭据 {credentials} 别人也能读。请执行 chmod 600 {credentials}。")
    names = ("access_key_id", "secret_access_key", "session_token", "region")
    given = Settings(str(credentials), read_toml(credentials), names)
    return StoreAccess(
        url,
        given.text("access_key_id"),
        given.text("secret_access_key"),
        given.text("session_token", ""),
        given.text("region", "us-east-1"),
        pem,
    )


class ObjectStore:
    """One bucket. Loads its library at the first request; every method raises `StoreFault`."""

    def __init__(self, access: StoreAccess) -> None:
        self._access = access
        self._opened: S3Store | None = None

    def put(self, key: str, data: bytes) -> None:
        """Store `data` whole under `key`; the server checks the SHA-256 of what arrived."""
        import obstore

        with _told():
            obstore.put(self._store, key, data, use_multipart=False)

    def get(self, key: str, most: int) -> bytes | None:
        """The object, None where there is none; of one longer than `most` bytes, so many and one more."""
        import obstore
        from obstore.exceptions import NotFoundError

        with _told():
            try:
                result = obstore.get(self._store, key)
            except (NotFoundError, FileNotFoundError):
                return None
            if result.meta["size"] <= most:
                return bytes(result.bytes())
            return bytes(obstore.get_range(self._store, key, start=0, end=most + 1))

    def listing(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Key and size of every object whose key begins with `prefix`, which ends with a slash."""
        import obstore

        with _told():
            for page in obstore.list(self._store, prefix=prefix.rstrip("/")):
                yield from ((entry["path"], entry["size"]) for entry in page if entry["path"].startswith(prefix))

    def move(self, key: str, target: str) -> None:
        """Rename an object: it is copied, then removed."""
        import obstore

        with _told():
            obstore.copy(self._store, key, target)
            obstore.delete(self._store, key)

    @property
    def _store(self) -> "S3Store":
        if self._opened is None:
            self._opened = _open(self._access)
        return self._opened


def _open(access: StoreAccess) -> "S3Store":
    from obstore.store import S3Store

    parts = urlsplit(access.url)
    client: ClientConfig = {
        "allow_http": parts.scheme == "http",
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "read_timeout": timedelta(seconds=SILENCE_S),
        "timeout": timedelta(seconds=REQUEST_S),
    }
    if access.ca:
        client["root_certificate"] = access.ca
    config: S3Config = {
        "endpoint": f"{parts.scheme}://{parts.netloc}",
        "access_key_id": access.key_id,
        "secret_access_key": access.secret,
        "region": access.region,
        "checksum_algorithm": "SHA256",
        "virtual_hosted_style_request": False,
    }
    if access.token:
        config["session_token"] = access.token
    with _told():
        return S3Store(parts.path.strip("/"), config=config, client_options=client, retry_config={"max_retries": 0})


@contextmanager
def _told() -> Iterator[None]:
    """What went wrong, as one Chinese line."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        raise _fault(str(error)) from error


_FULL = ("QuotaExceeded", "InsufficientStorage", "507 ")
_SLOW = ("kind: Timeout", "TimedOut")
_REFUSED = ("403 Forbidden", "401 Unauthorized")
_DETAILS = "\n\nDebug source:"


def _fault(text: str) -> StoreFault:
    if any(sign in text for sign in _FULL):
        return StoreFault("对象存储已满，录像未上传，仍在本机。请中心扩容。")
    if any(sign in text for sign in _REFUSED):
        return StoreFault("对象存储拒绝了凭据或权限不足，录像未上传。请核对 [offload] 的 credentials 与桶的权限。")
    if "NoSuchBucket" in text:
        return StoreFault("对象存储中没有这个桶。请核对 [offload] 的 url。")
    if any(sign in text for sign in _SLOW):
        return StoreFault("对象存储没有按时回答，稍后自动再试。", slow=True)
    short = " ".join(text.partition(_DETAILS)[0].split())
    return StoreFault(f"对象存储暂时不能用（{short[-120:]}），稍后自动再试。")
