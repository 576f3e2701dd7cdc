"""The archive's key pair: recorders encrypt for it, only who holds the private half reads what they recorded.

archive.key   0600: to be moved to the archive and kept offline beside it; lost, every encrypted recording is lost
archive.pub   copied into every recorder's folder
"""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from agent import durable
from agent.errors import OperatorFault
from agent.key_files import read_private_key
from provisioning.authority import keys

ARCHIVE_KEY, ARCHIVE_PUBLIC = "archive.key", "archive.pub"


def make_archive_key(folder: Path) -> bool:
    """Write the key pair into `folder`; returns False, and changes nothing, when its public half is there already (the
    private one may have been moved to the archive)."""
    return make_key_pair(folder / ARCHIVE_KEY, folder / ARCHIVE_PUBLIC)


def make_key_pair(private: Path, public: Path) -> bool:
    """Write a P-256 key pair as two PEM files; returns False, and changes nothing, when `public` is there already."""
    if public.exists():
        return False
    durable.make_directory(private.parent, 0o700)
    if not private.exists():
        durable.write_bytes(private, keys.private_pem(keys.new_key()), durable.PRIVATE)
    half = read_private_key(private).public_key()
    durable.write_bytes(public, half.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return True


def read_archive_public(path: Path) -> bytes:
    """The public half in `path` (PEM); raises `OperatorFault` when there is none, or another kind of key."""
    if not path.exists():
        raise OperatorFault(
            f"没有存档公钥 {path}，录像无从加密。请先运行 liuhen-provision archive-key，或用 --no-archive 明示不加密。"
        )
    return read_public_half(path, "存档公钥", "请改正 --archive。")


def read_public_half(path: Path, what: str, advice: str) -> bytes:
    """The P-256 public key `what` in `path` (PEM); raises `OperatorFault` with `advice` for anything else."""
    try:
        content = path.read_bytes()
        key = load_pem_public_key(content)
    except OSError as error:
        raise OperatorFault(f"无法读取{what} {path}（{error.strerror or error}）。{advice}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise OperatorFault(f"{path} 不是 PEM 公钥。{advice}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise OperatorFault(f"{path} 不是 P-256 公钥。{advice}")
    return content
