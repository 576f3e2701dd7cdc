"""A photo encrypted at rest: at once for the archive's key (HPKE, RFC 9180, base mode), so that the device that took it
keeps nothing that could open it.

    "LIUHENP1", key id of the archive (32 bytes), SHA-256 of the photo, encapsulated key and ciphertext of the photo

One photo is one HPKE context with its own ephemeral key: no key and nonce meet twice.
"""

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import OperatorFault, SenderFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_stream import SUITE
from agent.evidence.photo import MAX_PHOTO_BYTES
from agent.wire.identifiers import Digest
from agent.wire.signing import key_id_of

MAGIC, KEY_ID_BYTES, DIGEST_BYTES = b"LIUHENP1", 32, 32
HEAD_BYTES = len(MAGIC) + KEY_ID_BYTES + DIGEST_BYTES
OVERHEAD_BYTES = HEAD_BYTES + 65 + 16  # a P-256 point and a tag
_INFO = b"liuhen at rest v1 photo "
MAX_ENCRYPTED_BYTES = MAX_PHOTO_BYTES + 1024  # ours; header, encapsulated key and tag are below 200


def encrypt_photo(photo: bytes, archive: ec.EllipticCurvePublicKey) -> bytes:
    """The file for a photo that only the archive is to read."""
    head = MAGIC + bytes.fromhex(key_id_of(archive)) + hashlib.sha256(photo).digest()
    return head + SUITE.encrypt(photo, archive, _INFO + head)


def decrypt_photo(data: bytes, archive: ec.EllipticCurvePrivateKey) -> bytes:
    """The photo; raises `OperatorFault` when it was encrypted for another key, `SenderFault` when it was changed."""
    head = data[:HEAD_BYTES]
    photo_digest(head)
    to, own = head[len(MAGIC) : -DIGEST_BYTES], bytes.fromhex(key_id_of(archive.public_key()))
    photo = _opened(data, head, archive)
    if photo is None:
        written = MAGIC + own + head[-DIGEST_BYTES:]
        if to != own and _opened(data, written, archive) is None:
            raise OperatorFault(f"此照片是为另一把存档密钥（编号 {to.hex()[:16]}…）加密的。请用 --key 指明那一把。")
        raise SenderFault("加密照片被改动或损坏，无法解密。")
    return photo


def _opened(data: bytes, head: bytes, archive: ec.EllipticCurvePrivateKey) -> bytes | None:
    try:
        return SUITE.decrypt(data[HEAD_BYTES:], archive, _INFO + head)
    except (InvalidTag, ValueError):
        return None


def photo_digest(data: bytes) -> Digest:
    """The SHA-256 of the photo itself, as the head of its file tells it; raises `SenderFault`."""
    if not data.startswith(MAGIC) or len(data) < HEAD_BYTES:
        raise SenderFault("不是本系统的加密照片，或文件头残缺。请核对文件，或从中心调取原件。")
    return Digest(data[HEAD_BYTES - DIGEST_BYTES : HEAD_BYTES].hex())


def decrypted_photo(source: Source, archive: ec.EllipticCurvePrivateKey) -> Source:
    """The photo in the file `source`, decrypted when it is read; zeros when that was changed, which no sum matches.
    Reading raises `OperatorFault` when it was encrypted for another key."""

    def read_at(offset: int, length: int) -> bytes:
        try:
            photo = decrypt_photo(source.read_at(0, MAX_ENCRYPTED_BYTES), archive)
        except SenderFault:
            photo = bytes(size)
        return photo[offset : offset + length]

    size = max(0, source.size - OVERHEAD_BYTES)
    return Source(size, read_at)
