"""P-256 private keys as PKCS#8 PEM, and the signing requests that prove their possession."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from agent.errors import OperatorFault
from agent.wire.signing import KeySigner


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8 PEM without a passphrase: whoever writes it gives the file mode 0600."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def parse_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """The P-256 key of a PEM; raises `OperatorFault` when it is not one."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise OperatorFault("私钥文件无法读取，请检查是否为未加密的 PKCS#8 PEM。") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise OperatorFault("私钥不是 P-256 密钥，请重新签发。")
    return key


def parse_signer(key_pem: bytes, chain_pem: bytes) -> KeySigner:
    """A signer whose leaf certificate matches its key; raises `OperatorFault` otherwise."""
    key = parse_key(key_pem)
    try:
        chain = x509.load_pem_x509_certificates(chain_pem)
    except ValueError as error:
        raise OperatorFault("证书链文件无法读取，请检查是否为 PEM。") from error
    signer = KeySigner(key, tuple(certificate.public_bytes(Encoding.DER) for certificate in chain))
    if chain[0].public_key() != key.public_key():
        raise OperatorFault("私钥与证书不是一对，请检查两个文件是否来自同一次签发。")
    return signer


def signing_request(key: ec.EllipticCurvePrivateKey, subject: str) -> bytes:
    """A PKCS#10 request (PEM) for `subject`, signed by `key`: RFC 2986."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM)
