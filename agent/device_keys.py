"""The two keys that a device makes of itself, and the requests for their certificates. A key that is there is kept."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from agent import durable
from agent.errors import SenderFault
from agent.key_files import read_certificates, read_private_key
from agent.wire.signing import certificate_key, load_pem_certificates


def own_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The P-256 key in `path`, made (PKCS8 PEM, 0600) where there is none."""
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        durable.write_bytes(path, pem, durable.PRIVATE)
    return read_private_key(path)


def signing_request(key: ec.EllipticCurvePrivateKey, device: str) -> str:
    """A PKCS#10 request (PEM) that names `device` and proves the key (RFC 2986)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


def checked_chain(
    pem: str, key: ec.EllipticCurvePrivateKey, device: str, issuing: x509.Certificate
) -> x509.Certificate:
    """The leaf of a chain that `issuing` gave to `device` for `key`; raises `SenderFault` otherwise."""
    leaf = load_pem_certificates(pem.encode())[0]
    try:
        leaf.verify_directly_issued_by(issuing)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise SenderFault("答复中的证书不是本区机构签发的，已拒绝。请重新申请。", "issuer") from error
    names = [name.value for name in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [device] or certificate_key(leaf) != key.public_key():
        raise SenderFault("答复中的证书不是给本机这把密钥的，已拒绝。请重新申请。", "other-request")
    return leaf


def finish_swap(certificate: Path, key: Path) -> None:
    """Bring a swap to its end that was cut between its two renames: the chain in place is the new key's."""
    new_key = renewed_name(key)
    if not new_key.exists() or renewed_name(certificate).exists() or not certificate.exists():
        return
    if certificate_key(read_certificates(certificate)[0]) == read_private_key(new_key).public_key():
        durable.move(new_key, key)


def renewed_name(path: Path) -> Path:
    """Where the next of a TLS file stands until it is in place."""
    return path.with_name(f"{path.name}.new")
