"""Who has been let into a page, by the token of a cookie. Pure."""

import hashlib
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Bearer = TypeVar("Bearer")
NANOSECONDS = 1_000_000_000


@dataclass
class Sessions(Generic[Bearer]):
    """Bearers of tokens. Only hashes of tokens are held; times are monotonic nanoseconds. A session ends `idle_s` after
    it was last used, `longest_s` after it began, and when the oldest makes room in a house of `most`."""

    idle_s: int
    longest_s: int
    most: int
    _open: dict[bytes, tuple[int, int, Bearer]] = field(default_factory=dict)

    def admit(self, token: str, bearer: Bearer, now_ns: int) -> None:
        """Let the bearer of `token` in; those that are over go, and the oldest makes room."""
        for key in [key for key, it in self._open.items() if self._over(it, now_ns)]:
            del self._open[key]
        while len(self._open) >= self.most:
            del self._open[min(self._open, key=lambda key: self._open[key][1])]
        self._open[_key(token)] = now_ns, now_ns, bearer

    def bearer(self, token: str, now_ns: int) -> Bearer | None:
        """Who bears it, None for nobody who is still let in; being seen keeps a session alive."""
        found = self._open.get(_key(token))
        if found is None or self._over(found, now_ns):
            self.end(token)
            return None
        begun, _, bearer = found
        self._open[_key(token)] = begun, now_ns, bearer
        return bearer

    def end(self, token: str) -> None:
        """The bearer leaves."""
        self._open.pop(_key(token), None)

    def _over(self, found: tuple[int, int, Bearer], now_ns: int) -> bool:
        begun, seen, _ = found
        return now_ns - seen > self.idle_s * NANOSECONDS or now_ns - begun > self.longest_s * NANOSECONDS


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
