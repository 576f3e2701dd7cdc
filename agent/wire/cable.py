"""The frames of a cable between a device and the technician's bench (pure): a message is cut into blocks, each with its
number and a checksum, each acknowledged before the next.

    A6 5B | kind 1 | number 2 | length 2 | body 0..512 | CRC-32 over kind..body 4       big-endian

kind 1 head: length of the message 4, SHA-256 of it 32; kind 2 block; kind 3 acknowledgement of `number`. A message is
compressed (zlib) as a whole. Nothing here is secret or trusted: what travels is sealed or proven by itself.
"""

import binascii
import hashlib
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from agent.errors import SenderFault
from agent.wire.enrolment import MAX_REPLY_BYTES

MARK = b"\xa6\x5b"
BLOCK_BYTES = 512  # ours: at 9600 baud half a second, and little to send again
HEAD = struct.Struct(">BHH")
OVERHEAD = len(MARK) + HEAD.size + 4
PACKING_BYTES = 64  # what packing adds to what cannot be packed, for the few KiB that travel here


class Kind(IntEnum):
    """What a frame is."""

    HEAD = 1
    BLOCK = 2
    ACKNOWLEDGED = 3


@dataclass(frozen=True)
class Frame:
    """One frame; `number` counts a message's frames from 0, its head."""

    kind: Kind
    number: int
    body: bytes = b""

    def encode(self) -> bytes:
        """The bytes on the wire."""
        checked = HEAD.pack(self.kind, self.number, len(self.body)) + self.body
        return MARK + checked + binascii.crc32(checked).to_bytes(4)


class FrameFinder:
    """Finds frames in whatever is on the line; never raises, keeps at most one unfinished frame."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self.spoilt = 0  # frames whose checksum was wrong, and beginnings of none

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes."""
        self._pending += data
        found: list[Frame] = []
        while (at := self._pending.find(MARK)) >= 0:
            del self._pending[:at]
            frame = self._first()
            if frame is None:
                return found
            if isinstance(frame, Frame):
                found.append(frame)
        del self._pending[: len(self._pending) - self._pending.endswith(MARK[:1])]
        return found

    def quiet(self) -> list[Frame]:
        """The line fell silent: an unfinished beginning is none; what stood behind it."""
        found: list[Frame] = []
        while self._pending:
            self.spoilt += 1
            del self._pending[:1]
            found += self.feed(b"")
        return found

    def _first(self) -> Frame | bool | None:
        """The frame at the beginning; False when it is none and was passed over, None while bytes are missing."""
        if len(self._pending) < len(MARK) + HEAD.size:
            return None
        kind, number, length = HEAD.unpack_from(self._pending, len(MARK))
        if kind not in Kind.__members__.values() or length > BLOCK_BYTES:
            return self._passed()
        if len(self._pending) < OVERHEAD + length:
            return None
        checked = bytes(self._pending[len(MARK) : len(MARK) + HEAD.size + length])
        if binascii.crc32(checked) != int.from_bytes(self._pending[OVERHEAD + length - 4 : OVERHEAD + length]):
            return self._passed()
        del self._pending[: OVERHEAD + length]
        return Frame(Kind(kind), number, checked[HEAD.size :])

    def _passed(self) -> bool:
        self.spoilt += 1
        del self._pending[:1]
        return False


def frames_of(message: bytes) -> list[Frame]:
    """A message as frames, its head first."""
    packed = zlib.compress(message, 9)
    head = Frame(Kind.HEAD, 0, len(packed).to_bytes(4) + hashlib.sha256(packed).digest())
    blocks = [packed[at : at + BLOCK_BYTES] for at in range(0, len(packed), BLOCK_BYTES)]
    return [head, *(Frame(Kind.BLOCK, number, block) for number, block in enumerate(blocks, 1))]


class Assembly:
    """A message being received: frames in, acknowledgements out, the message at the end. Raises `SenderFault` for one
    that is too long or does not hash to what its head says."""

    def __init__(self, limit: int = MAX_REPLY_BYTES) -> None:
        self._limit, self._head, self._parts = limit, b"", bytearray()
        self._next = 0

    def take(self, frame: Frame) -> Frame | None:
        """The acknowledgement that `frame` gets, None for one that is out of turn."""
        if frame.kind is Kind.HEAD and len(frame.body) == 36:
            if frame.body != self._head:
                if int.from_bytes(frame.body[:4]) > self._limit + PACKING_BYTES:
                    raise SenderFault("线缆上的消息过长，已拒绝。")
                self._head, self._parts, self._next = frame.body, bytearray(), 1
            return Frame(Kind.ACKNOWLEDGED, 0)
        if frame.kind is not Kind.BLOCK or not self._head or frame.number > self._next:
            return None
        if frame.number == self._next:
            self._parts += frame.body
            self._next += 1
        return Frame(Kind.ACKNOWLEDGED, frame.number)

    def message(self) -> bytes | None:
        """The whole message once it is there."""
        if not self._head or len(self._parts) < int.from_bytes(self._head[:4]):
            return None
        if hashlib.sha256(self._parts).digest() != self._head[4:]:
            raise SenderFault("线缆上的消息与其摘要不符，已拒绝。请重试。")
        return _unpacked(bytes(self._parts), self._limit)


def _unpacked(packed: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        message = unpacker.decompress(packed, limit + 1)
    except zlib.error as error:
        raise SenderFault("线缆上的消息无法解压，已拒绝。") from error
    if len(message) > limit or not unpacker.eof:
        raise SenderFault("线缆上的消息过长或不完整，已拒绝。")
    return message
