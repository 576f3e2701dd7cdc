"""Keys and certificates in a folder that a role runs from. A key that is there is kept, so that an interrupted command
goes on where it stopped.

For now the keys are made here, on the technician's bench, and travel in the folder; a later order makes them on the
device, which then sends only its request.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.key_files import read_private_key
from agent.wire.envelope import open_trust_list
from agent.wire.signing import load_pem_certificates
from provisioning.authority import keys
from provisioning.authority.authority import Authority, read_file

ROOT, TRUST = "root.pem", "trust.dsse"
EVIDENCE, TLS = "evidence", "tls"

Certify = Callable[[bytes], bytes]
"""A PKCS#10 request (PEM) in, a certificate chain (PEM) out."""


def write_identity(folder: Path, name: str, subject: str, certify: Certify) -> bool:
    """Write `{name}.key` (0600) and `{name}.pem` for `subject`; returns whether anything was written."""
    if (folder / f"{name}.pem").exists() and (folder / f"{name}.key").exists():
        return False
    if (folder / f"{name}.key").exists():
        key = read_private_key(folder / f"{name}.key")
    else:
        key = keys.new_key()
        durable.write_bytes(folder / f"{name}.key", keys.private_pem(key), durable.PRIVATE)
    durable.write_bytes(folder / f"{name}.pem", certify(keys.signing_request(key, subject)))
    return True


def refuse_second_home(authority: Authority, folder: Path, subject: str, name: str) -> None:
    """Raise `OperatorFault` when `subject` has live certificates and `folder` is not where `{name}.key` lives."""
    if authority.holds_any(subject) and not (folder / f"{name}.key").exists():
        raise OperatorFault(
            f"{subject} 已发给别的目录，未作改动。若要重发，请先运行 liuhen-provision revoke {subject}。"
        )


def write_trust(folder: Path, authority: Authority) -> bool:
    """Bring `root.pem` and `trust.dsse` in `folder` up to the authority's; returns whether anything was written.

    Raises `OperatorFault` when the folder is pinned to another root or already holds a newer list.
    """
    root = authority.root_pem
    if (folder / ROOT).exists() and read_file(folder / ROOT) != root:
        raise OperatorFault(f"{folder} 属于另一个机构（根证书不同），未作改动。请检查 --authority。")
    wanted, held = authority.trust_bytes, _held_version(folder, root)
    if held > authority.trust().version:
        raise OperatorFault(f"{folder} 中的信任清单比机构的还新，未作改动。请检查机构目录是否为旧备份。")
    changed = write_missing(folder, {ROOT: root})
    if held < authority.trust().version:
        durable.write_bytes(folder / TRUST, wanted)
        return True
    return changed


def write_missing(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Write the files that are not there yet; returns whether anything was written.

    Raises `OperatorFault` when one is there with other content: options are changed by hand or in a new folder.
    """
    for name, content in files.items():
        if (folder / name).exists() and read_file(folder / name) != content:
            raise OperatorFault(f"{folder / name} 已存在且选项不同，未作改动。请核对参数，或换一个 --out 目录。")
    missing = {name: content for name, content in files.items() if not (folder / name).exists()}
    for name, content in missing.items():
        durable.write_bytes(folder / name, content)
    return bool(missing)


def _held_version(folder: Path, root: bytes) -> int:
    if not (folder / TRUST).exists():
        return 0
    try:
        return open_trust_list(read_file(folder / TRUST), load_pem_certificates(root)[0]).version
    except SenderFault:
        return 0  # damaged or of another root: replaced by the authority's own
