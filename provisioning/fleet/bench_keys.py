"""What `doctor` says of the keys that no other command of the bench opens every day."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_public_key

from agent.errors import LiuhenFault, OperatorFault
from agent.key_files import read_private_key
from agent.wire.signing import load_pem_certificates
from provisioning.authority.archive_key import ARCHIVE_KEY, ARCHIVE_PUBLIC, read_public_half
from provisioning.authority.authority import read_file
from provisioning.authority.complaint_key import COMPLAINT_KEY, COMPLAINT_PUBLIC
from provisioning.authority.key_store import ROOT_NAME, KeyStore
from provisioning.authority.session import ROOT

PAIRS = ((ARCHIVE_PUBLIC, ARCHIVE_KEY, "存档"), (COMPLAINT_PUBLIC, COMPLAINT_KEY, "投诉"))
RESTORE = "请从备份恢复。"


def key_files(folder: Path) -> Iterator[tuple[bool, str]]:
    """A line on each public half, held against the private one where that is still here, and on the root's key where
    it is; the first of each says whether it is good."""
    for public, private, what in PAIRS:
        if not (folder / public).exists():
            yield True, f"{what}公钥：没有 {public}，这一项没有启用。"
            continue
        yield _judged(f"{what}密钥", partial(_pair, folder / public, folder / private))
    if KeyStore(folder).has(ROOT_NAME):
        yield _judged("根密钥", partial(_root, folder))
    else:
        yield True, "根密钥：不在此处（已离线保管）。"


def _judged(what: str, look: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, f"{what}：{look()}"
    except LiuhenFault as fault:
        return False, f"{what}：{fault}"


def _pair(public: Path, private: Path) -> str:
    half = load_pem_public_key(read_public_half(public, "公钥", RESTORE))
    if not private.exists():
        return f"{public.name} 完好，私钥已移走。"
    if read_private_key(private).public_key() != half:
        raise OperatorFault(f"{public.name} 与 {private.name} 不是一对，加密的内容将无人能解。{RESTORE}")
    return f"{public.name} 与 {private.name} 是一对。私钥请移交保管。"


def _root(folder: Path) -> str:
    if KeyStore(folder).key(ROOT_NAME).public_key() != load_pem_certificates(read_file(folder / ROOT))[0].public_key():
        raise OperatorFault(f"与 root.pem 不是一对，签出的信任清单没有设备会认。{RESTORE}")
    return "与 root.pem 是一对。平时请离线保管。"
