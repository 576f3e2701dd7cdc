"""The BMFF hash of C2PA 2.4 section 9.2.4 ("c2pa.hash.bmff.v3", flat): SHA-256 over every top-level box that is not
excluded, each preceded by its offset. It is gathered while boxes are written, so that sealing reads nothing again."""

import hashlib
from typing import Any

from agent.evidence import bmff
from agent.evidence.bmff import Box

# The mandatory exclusions and no others: `free` and `skip` stay protected (C2PA 2.4 section 9.2.4.2).
EXCLUDED_KINDS = frozenset({b"ftyp", b"mfra"})
EXCLUSIONS: list[dict[str, Any]] = [
    {"xpath": "/uuid", "data": [{"offset": bmff.HEADER, "value": bmff.C2PA_BOX.bytes}]},
    {"xpath": "/ftyp"},
    {"xpath": "/mfra"},
]


class FlatHash:
    """SHA-256 over (offset, box) pairs in file order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def copy(self) -> "FlatHash":
        """The same state, to go on from apart."""
        twin = FlatHash()
        twin._hash = self._hash.copy()
        return twin

    def add(self, offset: int, *pieces: bytes) -> None:
        """One whole box that begins at `offset`, in pieces."""
        self._hash.update(offset.to_bytes(8))
        for piece in pieces:
            self._hash.update(piece)

    def update(self, chunk: bytes) -> None:
        """More bytes of the box added last."""
        self._hash.update(chunk)

    def digest(self) -> bytes:
        """The hash so far; more may be added afterwards."""
        return self._hash.copy().digest()


def is_excluded(box: Box) -> bool:
    """Whether the hash leaves `box` out."""
    return box.kind in EXCLUDED_KINDS or box.is_user_type(bmff.C2PA_BOX)
