"""A person's signing key and certificates, as the bench hands them out (PKCS8 PEM, chain PEM leaf first)."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from agent.errors import OperatorFault
from agent.wire.signing import KeySigner, certificate_key, key_id_of


def read_signer(key_path: Path, chain_path: Path) -> KeySigner:
    """A signer over the key in `key_path`; raises `OperatorFault` when a file is missing, is not what it should be or
    the first certificate of `chain_path` is not this key's."""
    key = _key(key_path)
    chain = _chain(chain_path)
    if key_id_of(certificate_key(chain[0])) != key_id_of(key.public_key()):
        raise OperatorFault(f"{chain_path} 的证书不属于密钥 {key_path}。请成对使用 --key 与 --chain。")
    return KeySigner(key, tuple(certificate.public_bytes(Encoding.DER) for certificate in chain))


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(_read(path, "--key"), None)
    except (ValueError, TypeError) as error:
        raise OperatorFault(f"{path} 不是未加密的 PEM 私钥。请检查 --key。") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise OperatorFault(f"{path} 不是 P-256 私钥。请使用本区签发的密钥。")
    return key


def _chain(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path, "--chain"))
    except ValueError as error:
        raise OperatorFault(f"{path} 不是 PEM 证书链。请检查 --chain。") from error


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror}。请检查 {option}。") from error
