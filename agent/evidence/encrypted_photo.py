"""A photo encrypted at rest: at once for the archive's key (HPKE, RFC 9180, base mode), so that the device that took it
keeps nothing that could open it.

    "LIUHENP1", key id of the archive (32 bytes), encapsulated key and ciphertext of the whole file

One photo is one HPKE context with its own ephemeral key: no key and nonce meet twice.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import OperatorFault, SenderFault
from agent.evidence.encrypted_stream import SUITE
from agent.evidence.photo import MAX_PHOTO_BYTES
from agent.wire.signing import key_id_of

MAGIC, KEY_ID_BYTES = b"LIUHENP1", 32
_INFO = b"liuhen at rest v1 photo "
MAX_ENCRYPTED_BYTES = MAX_PHOTO_BYTES + 1024  # ours; header, encapsulated key and tag are below 200


def encrypt_photo(photo: bytes, archive: ec.EllipticCurvePublicKey) -> bytes:
    """The file for a photo that only the archive is to read."""
    to = bytes.fromhex(key_id_of(archive))
    return MAGIC + to + SUITE.encrypt(photo, archive, _INFO + to)


def decrypt_photo(data: bytes, archive: ec.EllipticCurvePrivateKey) -> bytes:
    """The photo; raises `OperatorFault` when it was encrypted for another key, `SenderFault` when it was changed."""
    begin = len(MAGIC) + KEY_ID_BYTES
    to, own = data[len(MAGIC) : begin], bytes.fromhex(key_id_of(archive.public_key()))
    if not data.startswith(MAGIC) or len(to) < KEY_ID_BYTES:
        raise SenderFault("不是本系统的加密照片，或文件头残缺。")
    try:
        return SUITE.decrypt(data[begin:], archive, _INFO + to)
    except (InvalidTag, ValueError) as error:
        if to != own:
            raise OperatorFault(
                f"此照片是为另一把存档密钥（编号 {to.hex()[:16]}…）加密的。请用 --key 指明那一把。"
            ) from error
        raise SenderFault("加密照片被改动或损坏，无法解密。") from error
