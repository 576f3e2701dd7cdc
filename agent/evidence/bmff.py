"""Boxes of ISO BMFF (ISO/IEC 14496-12 section 4.2): written from bytes, read lazily from a file of any length.

A box is a big-endian 32-bit size, a four-byte type and a payload; size 1 means that a 64-bit size follows, size 0 "to
the end of the file", which no file of ours uses and which is therefore refused.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from agent.errors import SenderFault

HEADER, LARGE_HEADER, USER_TYPE = 8, 16, 16
CHUNK_BYTES = 1 << 20  # ours; what is held of a box at a time
MAX_LOADED_BYTES = 1 << 20  # ours; the largest box ever held whole: a moov of ours is below 4 KiB
MAX_BOXES = 4_000_000  # ours; a day of 0.5 s fragments has 864 000

PRINTABLE = bytes(range(0x20, 0x7F))

C2PA_BOX = UUID("d8fec3d6-1b0e-483c-9297-5828877ec481")  # C2PA 2.4 appendix A.5.1
JOURNAL_BOX = UUID("6c697568-656e-4a4f-8152-4e414c763031")  # ours: "liuhenJO·RNALv01"


class BrokenBox(SenderFault):
    """The bytes at `offset` are no complete box; `beyond` says that a plausible box ends after the end of the file."""

    def __init__(self, offset: int, beyond: bool = False) -> None:
        super().__init__(f"文件在第 {offset} 字节处不是完整的媒体盒，已拒绝。")
        self.offset, self.beyond = offset, beyond


@dataclass(frozen=True)
class Source:
    """Something that can be read at any place: `read_at(offset, length)` gives up to `length` bytes, fewer only at
    the end. `size` is its length in bytes."""

    size: int
    read_at: Callable[[int, int], bytes]

    @staticmethod
    def of_bytes(data: bytes) -> "Source":
        """A source over bytes in memory."""
        return Source(len(data), lambda offset, length: data[offset : offset + length])

    def chunks(self, offset: int, length: int) -> Iterator[bytes]:
        """The bytes from `offset`, at most `CHUNK_BYTES` at a time; raises `BrokenBox` when the source is shorter."""
        end = offset + length
        while offset < end:
            chunk = self.read_at(offset, min(CHUNK_BYTES, end - offset))
            if not chunk:
                raise BrokenBox(offset, beyond=True)
            yield chunk
            offset += len(chunk)

    def patched(self, begin: int, data: bytes) -> "Source":
        """The same source as if `data` stood at `begin`."""

        def read_at(offset: int, length: int) -> bytes:
            found = bytearray(self.read_at(offset, length))
            first, last = max(begin, offset), min(begin + len(data), offset + len(found))
            if first < last:
                found[first - offset : last - offset] = data[first - begin : last - begin]
            return bytes(found)

        return Source(self.size, read_at)


@dataclass(frozen=True)
class Box:
    """One box: `size` counts the header too; `header` is 8 or 16 bytes."""

    source: Source
    offset: int
    kind: bytes
    header: int
    size: int

    @property
    def end(self) -> int:
        """Where the next box begins."""
        return self.offset + self.size

    def raw(self) -> bytes:
        """The whole box; raises `BrokenBox` when it is larger than `MAX_LOADED_BYTES`."""
        if self.size > MAX_LOADED_BYTES:
            raise BrokenBox(self.offset)
        data = self.source.read_at(self.offset, self.size)
        if len(data) < self.size:
            raise BrokenBox(self.offset + len(data), beyond=True)
        return data

    def payload(self) -> bytes:
        """What follows the header; limited as `raw`."""
        return self.raw()[self.header :]

    def chunks(self) -> Iterator[bytes]:
        """The whole box, piece by piece."""
        return self.source.chunks(self.offset, self.size)

    def is_user_type(self, user_type: UUID) -> bool:
        """Whether this is a `uuid` box of that type."""
        if self.kind != b"uuid" or self.size < self.header + USER_TYPE:
            return False
        return self.source.read_at(self.offset + self.header, USER_TYPE) == user_type.bytes


def box_at(source: Source, offset: int) -> Box:
    """The box that begins at `offset`; raises `BrokenBox` when there is none or it ends after the source."""
    head = source.read_at(offset, LARGE_HEADER)
    if len(head) < HEADER:
        raise BrokenBox(offset, beyond=True)
    header, size = HEADER, int.from_bytes(head[:4])
    if size == 1 and len(head) == LARGE_HEADER:
        header, size = LARGE_HEADER, int.from_bytes(head[HEADER:])
    kind = head[4:HEADER]
    if size < header or kind.translate(None, PRINTABLE):
        raise BrokenBox(offset)
    if size > source.size - offset:
        raise BrokenBox(offset, beyond=True)
    return Box(source, offset, kind, header, size)


def walk(source: Source, offset: int = 0) -> Iterator[Box]:
    """Every top-level box from `offset` to the end; raises `BrokenBox` at the first place that is none."""
    for _ in range(MAX_BOXES):
        if offset >= source.size:
            return
        box = box_at(source, offset)
        yield box
        offset = box.end
    raise BrokenBox(offset)


def encode_box(kind: bytes, *payload: bytes) -> bytes:
    """A box with a 32-bit size."""
    body = b"".join(payload)
    return (HEADER + len(body)).to_bytes(4) + kind + body


def encode_user_box(user_type: UUID, *payload: bytes) -> bytes:
    """A `uuid` box."""
    return encode_box(b"uuid", user_type.bytes, *payload)
