"""The head of a receiver's log of accepted events: an append-only Merkle tree (RFC 6962), one leaf for each event in
the order of acceptance. Whoever keeps one can later be shown that what was in it then is in it still."""

from dataclasses import dataclass
from datetime import datetime

from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import Digest, digest, label

TREE_HEAD_TYPE = "application/vnd.liuhen.tree-head+json"


@dataclass(frozen=True)
class TreeHead:
    """At `at`, the log of the receiver `log` had `size` leaves and the root `root`."""

    log: str
    size: int
    root: Digest
    at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the receiver to seal."""
        return canonical.encode(
            {"at": canonical.timestamp(self.at), "log": self.log, "root": self.root, "size": self.size}
        )


def parse_tree_head(payload: bytes) -> TreeHead:
    """The head in an opened envelope's payload; raises `SenderFault` when malformed."""
    fields = Fields("日志头", canonical.decode(payload))
    return TreeHead(
        label(fields.text("log")),
        fields.integer("size"),
        digest(fields.text("root")),
        fields.moment("at"),
    )
