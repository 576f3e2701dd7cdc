"""The device's signing key and its certificates, from files of the device folder."""

import stat
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from agent.errors import OperatorFault
from agent.wire.signing import KeySigner, key_id_of


def load_signer(key_file: Path, chain_file: Path) -> KeySigner:
    """The signer of `key_file` (PKCS8 PEM, P-256, readable by its owner only) with `chain_file` (PEM, leaf first).

    Raises `OperatorFault` when a file is missing, open to others, malformed, or the two do not belong together.
    """
    key = _private_key(key_file)
    chain = _chain(chain_file)
    leaf = chain[0].public_key()
    if not isinstance(leaf, ec.EllipticCurvePublicKey) or key_id_of(leaf) != key_id_of(key.public_key()):
        raise OperatorFault(f"证书 {chain_file} 与私钥 {key_file} 不是一对。请重新发放该设备的证书。")
    return KeySigner(key, tuple(certificate.public_bytes(Encoding.DER) for certificate in chain))


def _private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    content = _read(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OperatorFault(f"私钥文件 {path} 可被他人读取，已拒绝使用。请执行 chmod 600 {path} 后重试。")
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise OperatorFault(f"私钥文件 {path} 不是未加密的 PKCS8 PEM。请重新发放该设备的密钥。") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise OperatorFault(f"私钥文件 {path} 不是 P-256 密钥。请重新发放该设备的密钥。")
    return key


def _chain(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise OperatorFault(f"证书文件 {path} 不是 PEM 证书链。请重新发放该设备的证书。") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror or error}。请检查配置中的路径与权限。") from error
