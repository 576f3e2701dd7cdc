"""How fast parts go out: within the limit of the line, and in smaller parts where the line is slow."""

from collections.abc import Callable

MOST_BYTES, LEAST_BYTES = 4 * 2**20, 256 * 1024  # ours: what is held in memory; what a request is worth
BURST_S = 2  # ours: under a limit one part is at most so many seconds of it
SECOND_NS = 10**9


class UploadPace:
    """`limit_kbps` 0 is no limit; `now_ns` a monotonic clock."""

    def __init__(self, limit_kbps: int, now_ns: Callable[[], int]) -> None:
        self._bytes_s, self._now_ns = limit_kbps * 1000 // 8, now_ns
        self._most = max(LEAST_BYTES, min(MOST_BYTES, self._bytes_s * BURST_S)) if self._bytes_s else MOST_BYTES
        self._size, self._free_ns = self._most, 0

    def part_bytes(self) -> int:
        """The size of the next part."""
        return self._size

    def sent(self, size: int) -> None:
        """So many bytes have gone: what comes next waits for its share of the line."""
        self._size = min(self._most, self._size * 2)
        if self._bytes_s:
            self._free_ns = max(self._free_ns, self._now_ns()) + size * SECOND_NS // self._bytes_s

    def too_slow(self) -> None:
        """A part did not get through in time: the next ones are smaller."""
        self._size = max(LEAST_BYTES, self._size // 2)

    def wait_s(self) -> float:
        """Seconds until the next part may go, 0 at once."""
        return max(0, self._free_ns - self._now_ns()) / SECOND_NS
