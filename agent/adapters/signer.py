"""The device's signing key, wherever it is, with its certificates from the device folder.

A key that cannot be looked at (a token's, the firmware's) proves at the start that it belongs to its certificate by one
signature over `PROOF`, which is like no other bytes we sign.
"""

import contextlib
import stat
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from agent.adapters.firmware_key import FirmwareSigner
from agent.errors import OperatorFault, SenderFault
from agent.key_places import FirmwareKey, KeyFile, KeyPlace, TokenKey
from agent.wire.signing import CertifiedSigner, KeySigner, certificate_key, key_id_of, verify_raw

PROOF = b"liuhen: this key belongs to its certificate"
NOT_A_PAIR = "证书 {chain} 与私钥 {key} 不是一对。请重新发放该设备的证书。"


def open_signer(key: KeyPlace, chain_file: Path) -> CertifiedSigner:
    """The signer of `key` with `chain_file` (PEM, leaf first).

    Raises `OperatorFault` when a file is missing, open to others or malformed, or when key and certificate do not
    belong together; `EnvironmentFault` when a token or the firmware does not answer.
    """
    match key:
        case KeyFile(path):
            return load_signer(path, chain_file)
        case TokenKey():
            return _token_signer(key, chain_file)
        case FirmwareKey():
            return _proven(FirmwareSigner(key, _certificates(chain_file)), str(key), chain_file)


def load_signer(key_file: Path, chain_file: Path) -> KeySigner:
    """The signer of `key_file` (PKCS8 PEM, P-256, readable by its owner only); otherwise as `open_signer`."""
    key = _private_key(key_file)
    chain = _certificates(chain_file)
    signer = KeySigner(key, chain)
    if key_id_of(_leaf_key(chain, chain_file)) != signer.key_id:
        raise OperatorFault(NOT_A_PAIR.format(chain=chain_file, key=key_file))
    return signer


def read_private(path: Path, what: str = "私钥") -> bytes:
    """The content of a file that only its owner may read; raises `OperatorFault` otherwise."""
    content = _read(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OperatorFault(f"{what}文件 {path} 可被他人读取，已拒绝使用。请执行 chmod 600 {path} 后重试。")
    return content


def _token_signer(key: TokenKey, chain_file: Path) -> CertifiedSigner:
    from agent.adapters.token_key import TokenSigner  # an extra, and not on every device

    with contextlib.ExitStack() as stack:
        signer = TokenSigner(key, read_private(key.pin_source, "PIN"), _certificates(chain_file))
        stack.callback(signer.close)
        proven = _proven(signer, str(key), chain_file)
        stack.pop_all()
        return proven


def _proven(signer: CertifiedSigner, name: str, chain_file: Path) -> CertifiedSigner:
    key = _leaf_key(signer.chain, chain_file)
    try:
        verify_raw(key, signer.sign(PROOF), PROOF)
    except SenderFault as fault:
        raise OperatorFault(NOT_A_PAIR.format(chain=chain_file, key=name)) from fault
    return signer


def _private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(read_private(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise OperatorFault(f"私钥文件 {path} 不是未加密的 PKCS8 PEM。请重新发放该设备的密钥。") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise OperatorFault(f"私钥文件 {path} 不是 P-256 密钥。请重新发放该设备的密钥。")
    return key


def _certificates(path: Path) -> tuple[bytes, ...]:
    try:
        chain = x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise OperatorFault(f"证书文件 {path} 不是 PEM 证书链。请重新发放该设备的证书。") from error
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in chain)


def _leaf_key(chain: tuple[bytes, ...], path: Path) -> ec.EllipticCurvePublicKey:
    try:
        return certificate_key(x509.load_der_x509_certificate(chain[0]))
    except SenderFault as fault:
        raise OperatorFault(f"证书文件 {path}：{fault}请重新发放该设备的证书。") from fault


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror or error}。请检查配置中的路径与权限。") from error
