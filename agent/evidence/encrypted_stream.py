"""A segment encrypted at rest while it grows: chunked ChaCha20-Poly1305 (RFC 8439), readable by the archive's key only.

    header | slot | record, record, ... | final record

    header   "LIUHENE1", length (2 bytes), CBOR: v 1, rec recording id, salt 16 bytes, to key id of the archive,
             wrap the recording's data key under HPKE (RFC 9180: DHKEM P-256, HKDF-SHA256, ChaCha20-Poly1305, base mode)
    slot     zeros until the segment is sealed, then: SHA-256 of its plaintext, and the plaintext (offset, 8 bytes, and
             the 16 384 bytes to be read there) encrypted
    record   head (4 bytes: check, length), then chunks of 128 KiB of plaintext, the last one shorter, each with a tag.
             One append of the recorder is one record (two above 16 MiB), so a cut loses no fragment that was whole;
             only the first is three: ftyp, the room of the manifest, the rest
    final    a record of no plaintext, whose one tag says that the stream ends here

Keys: the data key is fresh for every recording; a file's key is HKDF(data key, salt) with a fresh salt for every file,
and the slot's is HKDF(data key, salt, SHA-256 of its plaintext). Nonces: a chunk's is its own offset in the file and
a flag for the final one (the last-block flag of STREAM, Hoang et al. 2015), a slot's is zero. So one key and nonce
never meet two plaintexts: appends only go forward; after a power cut the torn end is cut off and nothing but the final
record, always the same, is written in its place; a seal that is made again, with another manifest, has another key.
The header's hash and the record's head are authenticated with every chunk: none can be moved, cut or renumbered.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.errors import SenderFault
from agent.evidence import cbor
from agent.evidence.manifest import RESERVED_BYTES
from agent.wire.identifiers import RecordingId, parse_recording_id
from agent.wire.signing import key_id_of

MAGIC, VERSION, SUFFIX = b"LIUHENE1", 1, ".enc"
CHUNK_BYTES, TAG_BYTES, KEY_BYTES, SALT_BYTES = 128 * 1024, 16, 32, 16
HEAD_BYTES, MAX_RECORD_BYTES = 4, 2**24 - 1
MAX_HEADER_BYTES = 1024  # ours; a header has about 300
OFFSET_BYTES, DIGEST_BYTES = 8, 32
SLOT_BYTES = DIGEST_BYTES + OFFSET_BYTES + RESERVED_BYTES + TAG_BYTES
CHECK = 0xA5  # all four bytes of a record's head together, by exclusive or
_ZERO_NONCE = bytes(12)
_STREAM, _SLOT, _WRAP = b"liuhen at rest v1 stream", b"liuhen at rest v1 slot ", b"liuhen at rest v1 data key "
SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True)
class WrappedKey:
    """The data key of a recording as only the holder of the archive's key can unwrap it; `to` names that key."""

    recording: RecordingId
    to: str
    wrap: bytes


@dataclass(frozen=True)
class Header:
    """The beginning of an encrypted segment."""

    wrapped: WrappedKey
    salt: bytes

    def encode(self) -> bytes:
        """The header's bytes, of the same length for every segment of a recording."""
        wrapped = self.wrapped
        body = cbor.encode(
            {"v": VERSION, "rec": wrapped.recording, "salt": self.salt, "to": wrapped.to, "wrap": wrapped.wrap}
        )
        return MAGIC + len(body).to_bytes(2) + body


@dataclass(frozen=True)
class ChunkPlace:
    """Where a chunk stands: its offset in the file, the head of its record, and whether it is the final one."""

    offset: int
    head: bytes
    final: bool = False


class Cipher(Protocol):
    """An AEAD as cryptography has them: `encrypt` and `decrypt` take nonce, text, and what is only authenticated."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Ciphertext and tag."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Plaintext; raises `InvalidTag`."""


class StreamKey:
    """The keys of one encrypted segment, and the only place where they meet a nonce; `cipher` makes a key's AEAD."""

    def __init__(self, data_key: bytes, header: Header, cipher: Callable[[bytes], Cipher] = ChaCha20Poly1305) -> None:
        self._data_key, self._salt, self._cipher = data_key, header.salt, cipher
        self._bound = hashlib.sha256(header.encode()).digest()
        self._stream = cipher(self._derived(_STREAM))

    def lock(self, place: ChunkPlace, plain: bytes) -> bytes:
        """A chunk's ciphertext and tag."""
        return self._stream.encrypt(_nonce(place), plain, self._bound + place.head)

    def unlock(self, place: ChunkPlace, chunk: bytes) -> bytes:
        """A chunk's plaintext; raises `SenderFault` when it, its place or the header is not what was written."""
        try:
            return self._stream.decrypt(_nonce(place), chunk, self._bound + place.head)
        except InvalidTag as error:
            raise SenderFault(f"加密录像在第 {place.offset} 字节处被改动或损坏。") from error

    def lock_slot(self, offset: int, box: bytes) -> bytes:
        """The slot that lets `box` be read at `offset` of the plaintext."""
        plain = offset.to_bytes(OFFSET_BYTES) + box
        digest = hashlib.sha256(plain).digest()
        return digest + self._slot_key(digest).encrypt(_ZERO_NONCE, plain, self._bound)

    def unlock_slot(self, slot: bytes) -> tuple[int, bytes] | None:
        """Offset and bytes from the slot, None while it is empty; raises `SenderFault` when it is damaged."""
        if not slot.strip(b"\0"):
            return None
        digest = slot[:DIGEST_BYTES]
        try:
            plain = self._slot_key(digest).decrypt(_ZERO_NONCE, slot[DIGEST_BYTES:], self._bound)
        except InvalidTag as error:
            raise SenderFault("加密录像的封存凭证被改动或损坏。") from error
        return int.from_bytes(plain[:OFFSET_BYTES]), plain[OFFSET_BYTES:]

    def _slot_key(self, digest: bytes) -> Cipher:
        return self._cipher(self._derived(_SLOT + digest))

    def _derived(self, info: bytes) -> bytes:
        return HKDF(hashes.SHA256(), KEY_BYTES, self._salt, info).derive(self._data_key)


class StreamWriter:
    """Turns appends of plaintext into appends of ciphertext; `size` is the length of the encrypted file so far."""

    def __init__(self, key: StreamKey, header: Header) -> None:
        self._key, self._header = key, header
        self.size = 0

    def opening(self) -> bytes:
        """Header and empty slot; the first bytes of the file."""
        data = self._header.encode() + bytes(SLOT_BYTES)
        self.size = len(data)
        return data

    def append(self, plain: bytes) -> bytes:
        """The bytes to be appended for `plain`, which must not be empty; to be written before the next call."""
        if not plain:
            raise ValueError("an empty record would be the final one")
        begin = self.size
        pieces = range(0, len(plain), MAX_RECORD_BYTES)
        data = b"".join(piece for at in pieces for piece in self._record(plain[at : at + MAX_RECORD_BYTES]))
        assert self.size == begin + len(data)  # noqa: S101 - the nonces hang on it
        return data

    def _record(self, plain: bytes) -> Iterator[bytes]:
        head = encode_head(len(plain))
        self.size += HEAD_BYTES
        yield head
        for at in range(0, len(plain), CHUNK_BYTES):
            chunk = self._key.lock(ChunkPlace(self.size, head), plain[at : at + CHUNK_BYTES])
            self.size += len(chunk)
            yield chunk


def final_record(key: StreamKey, offset: int) -> bytes:
    """What is appended at `offset`, the end of the last record, when nothing will follow."""
    head = encode_head(0)
    return head + key.lock(ChunkPlace(offset + HEAD_BYTES, head, final=True), b"")


def encode_head(length: int) -> bytes:
    """A record's head: the length, before it a check byte that no single flipped bit gets past."""
    size = length.to_bytes(HEAD_BYTES - 1)
    return bytes([CHECK ^ size[0] ^ size[1] ^ size[2]]) + size


def parse_head(head: bytes) -> int | None:
    """The length of the record that begins with `head`, None when that is no head."""
    length = int.from_bytes(head[1:])
    return length if len(head) == HEAD_BYTES and encode_head(length) == head else None


def record_bytes(length: int) -> int:
    """How long a record of `length` bytes of plaintext is in the file."""
    return HEAD_BYTES + length + TAG_BYTES * max(1, -(-length // CHUNK_BYTES))


def wrap_key(data_key: bytes, recording: RecordingId, archive: ec.EllipticCurvePublicKey) -> WrappedKey:
    """The data key for the archive alone; an ephemeral key is made and forgotten within."""
    wrap = SUITE.encrypt(data_key, archive, _WRAP + recording.encode())
    return WrappedKey(recording, key_id_of(archive), wrap)


def unwrap_key(wrapped: WrappedKey, archive: ec.EllipticCurvePrivateKey) -> bytes:
    """The data key; raises `SenderFault` when it was wrapped for another key, or changed."""
    try:
        data_key = SUITE.decrypt(wrapped.wrap, archive, _WRAP + wrapped.recording.encode())
    except (InvalidTag, ValueError) as error:
        raise SenderFault(
            "这把密钥打不开此录像，或录像的文件头被改动。请核对 --key，仍不行则交技术人员核查。"
        ) from error
    if len(data_key) != KEY_BYTES:
        raise SenderFault("加密录像的数据密钥长度不对，已拒绝。")
    return data_key


def parse_header(data: bytes) -> tuple[Header, int]:
    """The header at the beginning of `data` and its length; raises `SenderFault`."""
    size = int.from_bytes(data[len(MAGIC) : len(MAGIC) + 2])
    end = len(MAGIC) + 2 + size
    if not data.startswith(MAGIC) or end > min(MAX_HEADER_BYTES, len(data)):
        raise SenderFault("不是本系统的加密录像，或文件头残缺。请核对文件，或从中心调取原件。")
    fields = cbor.decode_map(data[len(MAGIC) + 2 : end])
    try:
        wrapped = WrappedKey(parse_recording_id(fields["rec"]), str(fields["to"]), bytes(fields["wrap"]))
        header = Header(wrapped, bytes(fields["salt"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SenderFault("加密录像的文件头无法读取，已拒绝。") from error
    if header.encode() != data[:end]:
        raise SenderFault("加密录像的文件头不合规定，已拒绝。")
    return header, end


def _nonce(place: ChunkPlace) -> bytes:
    return place.offset.to_bytes(11) + bytes([place.final])
