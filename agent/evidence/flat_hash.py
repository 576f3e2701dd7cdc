"""The BMFF hash of C2PA 2.4 section 9.2.4 ("c2pa.hash.bmff.v3", flat): SHA-256 over every top-level box that is not
excluded, each preceded by its offset. It is gathered while boxes are written, so that sealing reads nothing again."""

import hashlib
from collections.abc import Callable
from typing import Any, Protocol, Self

from agent.evidence import bmff
from agent.evidence.bmff import Box

# The mandatory exclusions and no others: `free` and `skip` stay protected (C2PA 2.4 section 9.2.4.2).
EXCLUDED_KINDS = frozenset({b"ftyp", b"mfra"})
EXCLUSIONS: list[dict[str, Any]] = [
    {"xpath": "/uuid", "data": [{"offset": bmff.HEADER, "value": bmff.C2PA_BOX.bytes}]},
    {"xpath": "/ftyp"},
    {"xpath": "/mfra"},
]


class Hash(Protocol):
    """What hashlib.sha256 makes, or something outside this room that does the same work elsewhere meanwhile."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes."""

    def copy(self) -> Self:
        """The same state, to go on from apart."""

    def digest(self) -> bytes:
        """The hash so far."""


NewHash = Callable[[], Hash]


class FlatHash:
    """SHA-256 over (offset, box) pairs in file order."""

    def __init__(self, new_hash: NewHash = hashlib.sha256) -> None:
        self._hash = new_hash()

    def copy(self) -> "FlatHash":
        """The same state, to go on from apart."""
        return FlatHash(self._hash.copy)

    def add(self, offset: int, *pieces: bytes | memoryview) -> None:
        """One whole box that begins at `offset`, in pieces."""
        self._hash.update(offset_bytes(offset))
        for piece in pieces:
            self._hash.update(piece)

    def update(self, chunk: bytes) -> None:
        """More bytes of the box added last, or whole boxes with their offsets before them."""
        self._hash.update(chunk)

    def digest(self) -> bytes:
        """The hash so far; more may be added afterwards."""
        return self._hash.copy().digest()


def offset_bytes(offset: int) -> bytes:
    """An offset as it is hashed before its box."""
    return offset.to_bytes(8)


def is_excluded(box: Box) -> bool:
    """Whether the hash leaves `box` out."""
    return box.kind in EXCLUDED_KINDS or box.is_user_type(bmff.C2PA_BOX)
