"""Private keys in files (PKCS8 PEM, P-256) with their certificates (PEM, leaf first), for every role that signs.

A key that others can read is not used: whoever could read it may sign with it, and nobody would see the difference.
"""

import stat
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from agent.errors import OperatorFault, SenderFault
from agent.wire.signing import KeySigner, key_id_of, load_pem_certificates

MAX_BYTES = 2**20  # ours; keys and chains are below a hundredth of it


def read_private(path: Path, what: str = "私钥") -> bytes:
    """The content of a file that only its owner may read; raises `OperatorFault` otherwise. `what` it holds, for the
    message."""
    content = _read(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OperatorFault(f"{what}文件 {path} 可被他人读取，已拒绝使用。请执行 chmod 600 {path} 后重试。")
    return content


def read_private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The P-256 key in `path`; raises `OperatorFault` when it is missing, open to others, encrypted or another kind."""
    content = read_private(path)
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise OperatorFault(
            f"私钥文件 {path} 不是未加密的 PKCS8 PEM。有口令或为其他格式，请用 openssl pkcs8 -topk8 -nocrypt 转换；"
            "已损坏请取备份，或重新发放。"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise OperatorFault(f"私钥文件 {path} 不是 P-256 密钥。请重新发放该密钥。")
    return key


def read_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates in `path`, leaf first; raises `OperatorFault`."""
    try:
        return tuple(load_pem_certificates(_read(path)))
    except SenderFault as error:
        raise OperatorFault(f"证书文件 {path} 不是 PEM 证书链。请重新发放该证书。") from error


def read_signer(key_file: Path, chain_file: Path) -> KeySigner:
    """The signer of `key_file` with the certificates of `chain_file`.

    Raises `OperatorFault` as the readers above, and when the two do not belong together.
    """
    key, chain = read_private_key(key_file), read_certificates(chain_file)
    leaf = chain[0].public_key()
    if not isinstance(leaf, ec.EllipticCurvePublicKey) or key_id_of(leaf) != key_id_of(key.public_key()):
        raise OperatorFault(f"证书 {chain_file} 与私钥 {key_file} 不是一对。请成对使用，或重新发放证书。")
    return KeySigner(key, tuple(certificate.public_bytes(Encoding.DER) for certificate in chain))


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe nobody writes to would be waited for
            raise OperatorFault(f"{path} 不是普通文件，不是密钥或证书。请检查路径。")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror or error}。请检查路径与权限。") from error
    if len(content) > MAX_BYTES:
        raise OperatorFault(f"{path} 过大，不是密钥或证书。请检查路径。")
    return content
