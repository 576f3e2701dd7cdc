"""A paper's text on its way to the centre: it may name the party, so only the archive's key opens it (HPKE, RFC 9180,
base mode), one context with its own ephemeral key for each paper.

    "LIUHENW1", key id of the archive (32 bytes), encapsulated key and ciphertext

The chain carries the SHA-256 of the text; nothing of it stands in the clear here.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import OperatorFault, SenderFault
from agent.evidence.encrypted_stream import SUITE
from agent.wire.signing import key_id_of

MAGIC, KEY_ID_BYTES = b"LIUHENW1", 32
OVERHEAD_BYTES = 256  # ours; head, a P-256 point and a tag are 121
HEAD_BYTES = len(MAGIC) + KEY_ID_BYTES
_INFO = b"liuhen at rest v1 paper "


def encrypt_paper(paper: bytes, archive: ec.EllipticCurvePublicKey) -> bytes:
    """The file for a paper that only the archive is to read."""
    head = MAGIC + bytes.fromhex(key_id_of(archive))
    return head + SUITE.encrypt(paper, archive, _INFO + head)


def decrypt_paper(data: bytes, archive: ec.EllipticCurvePrivateKey) -> bytes:
    """The paper; raises `OperatorFault` when it was encrypted for another key, `SenderFault` when it was changed."""
    head = data[:HEAD_BYTES]
    if not head.startswith(MAGIC) or len(head) < HEAD_BYTES:
        raise SenderFault("不是本系统的加密文书，或文件头残缺。请从设备重新取得。")
    to, own = head[len(MAGIC) :].hex(), key_id_of(archive.public_key())
    try:
        return SUITE.decrypt(data[HEAD_BYTES:], archive, _INFO + MAGIC + bytes.fromhex(own))
    except (InvalidTag, ValueError) as error:
        if to == own:
            raise SenderFault("加密文书被改动或损坏，无法解密。请从设备重新取得。") from error
        raise OperatorFault(f"此文书是为另一把存档密钥（编号 {to[:16]}…）加密的。请用 --key 指明那一把。") from error
