"""A receiver's append-only log of accepted events over the tables `leaf`, `node` and `log`, inside one transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from agent.errors import EnvironmentFault
from agent.evidence.merkle import Peaks, grow, leaf_hash, root_at
from agent.wire.identifiers import DeviceId, Digest
from agent.wire.receipts import TreePoint
from provisioning.center.rows import Row

DIGEST_BYTES = 32


class Tables(Protocol):
    """What the log needs of the store."""

    def find(self, table: str, where: Row) -> list[Row]: ...  # noqa: D102 - as `store.Rows`
    def each(self, table: str) -> Iterable[Row]: ...  # noqa: D102
    def add(self, table: str, rows: list[Row]) -> None: ...  # noqa: D102
    def put(self, table: str, key: Row, values: Row) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Leaf:
    """An accepted event: number `devseq` of `device`, `body` as it was sent."""

    device: DeviceId
    devseq: int
    body: bytes


class EventLog:
    """The log of the receiver `name`."""

    def __init__(self, tables: Tables, name: str) -> None:
        self._tables, self._key = tables, {"log": name}

    def begin(self) -> None:
        """Make the log where there is none yet; what a store had accepted before it had any log becomes its
        beginning."""
        if self._tables.find("log", self._key):
            return
        first = not any(True for _ in self._tables.each("log"))
        self._tables.put("log", self._key, {**_state(Peaks()), "sealed_size": 0, "sealed": b""})
        if first:  # another receiver's log has taken them otherwise
            for row in self._tables.each("event"):
                self.append([Leaf(row["device"], row["devseq"], row["body"])])

    def append(self, leaves: list[Leaf]) -> None:
        """Accepted events, in this order."""
        if not leaves:
            return
        old = self._peaks()
        peaks, made = grow(old, (leaf_hash(leaf.body) for leaf in leaves))
        self._tables.add("node", [{**self._key, **vars(node)} for node in made])
        self._tables.add(
            "leaf",
            [
                {"device": leaf.device, "devseq": leaf.devseq, **self._key, "position": position}
                for position, leaf in enumerate(leaves, start=old.size)
            ],
        )
        self._tables.put("log", self._key, _state(peaks))

    def point(self) -> TreePoint:
        """How many events the log has, and its root."""
        peaks = self._peaks()
        return TreePoint(peaks.size, Digest(peaks.root.hex()))

    def size(self) -> int:
        """How many events the log has."""
        return self._peaks().size

    def point_at(self, size: int) -> TreePoint:
        """The root that the log had with its first `size` events; raises `EnvironmentFault` when it has not so many."""
        return TreePoint(size, Digest(root_at(size, self.read).hex()))

    def position(self, device: DeviceId, devseq: int) -> int | None:
        """Where the event stands, None when it is not in this log."""
        rows = self._tables.find("leaf", {"device": device, "devseq": devseq, **self._key})
        return int(rows[0]["position"]) if rows else None

    def keep(self, size: int, sealed: bytes) -> None:
        """Keep the newest signed tree head."""
        self._tables.put("log", self._key, {"sealed_size": size, "sealed": sealed})

    def sealed(self) -> tuple[int, bytes]:
        """The newest signed tree head and its size; (0, empty) when none was signed."""
        rows = self._tables.find("log", self._key)
        return (int(rows[0]["sealed_size"]), bytes(rows[0]["sealed"])) if rows else (0, b"")

    def _peaks(self) -> Peaks:
        rows = self._tables.find("log", self._key)
        if not rows:
            return Peaks()
        data = bytes(rows[0]["peaks"])
        digests = [data[start : start + DIGEST_BYTES] for start in range(0, len(data), DIGEST_BYTES)]
        return Peaks(int(rows[0]["size"]), tuple(digests))

    def read(self, level: int, position: int) -> bytes:
        """The hash of a complete subtree, for the paths of `agent.evidence.merkle`."""
        rows = self._tables.find("node", {**self._key, "level": level, "position": position})
        if not rows:
            raise EnvironmentFault(f"日志缺少第 {level} 层第 {position} 个节点，数据库不完整，请从备份恢复。")
        return bytes(rows[0]["digest"])


def _state(peaks: Peaks) -> Row:
    return {"size": peaks.size, "peaks": b"".join(peaks.digests)}
