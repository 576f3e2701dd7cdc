"""A part of a film that a browser asks for (RFC 9110 section 14): one range of bytes, or the whole. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.evidence.bmff import Source

RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
PIECE_BYTES = 256 * 1024  # ours


@dataclass(frozen=True)
class Stretch:
    """Bytes `first` to `last`, both included, of `size`."""

    first: int
    last: int
    size: int
    whole: bool

    @property
    def headers(self) -> Mapping[str, str]:
        """What tells the browser which part this is."""
        told = {"accept-ranges": "bytes", "content-length": str(self.last - self.first + 1)}
        return told if self.whole else {**told, "content-range": f"bytes {self.first}-{self.last}/{self.size}"}

    def pieces(self, source: Source) -> Iterator[bytes]:
        """Them, a piece at a time."""
        for offset in range(self.first, self.last + 1, PIECE_BYTES):
            yield source.read_at(offset, min(PIECE_BYTES, self.last + 1 - offset))


def stretch_of(asked: str | None, size: int) -> Stretch | None:
    """What `asked` (the header `Range`, None without one) means for `size` bytes; None when there is no such part. What
    is no single range of bytes is passed over, as the RFC has it: the whole is sent."""
    found = RANGE.fullmatch(asked.strip()) if asked else None
    if found is None or found[1] == found[2] == "":
        return Stretch(0, size - 1, size, whole=True) if size else None
    first = int(found[1]) if found[1] else max(0, size - int(found[2]))
    last = min(size - 1, int(found[2])) if found[1] and found[2] else size - 1
    return Stretch(first, last, size, whole=False) if first <= last else None
