"""Keys and certificates in a folder that a role runs from. A key that is there is kept, so that an interrupted command
goes on where it stopped, until its certificate is nearly over: then the same command makes the next key.

For now the keys are made here, on the technician's bench, and travel in the folder; a later order makes them on the
device, which then sends only its request.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from cryptography import x509

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.key_files import read_private_key
from agent.wire.envelope import open_trust_list
from agent.wire.signing import load_pem_certificates
from provisioning.authority import keys
from provisioning.authority.authority import Authority, read_file
from provisioning.authority.certificates import nearly_over

ROOT, TRUST = "root.pem", "trust.dsse"
NEXT = "-next"
EVIDENCE, TLS = "evidence", "tls"

Certify = Callable[[bytes], bytes]
"""A PKCS#10 request (PEM) in, a certificate chain (PEM) out."""
Spent = Callable[[x509.Certificate], bool]
"""Whether a certificate that is there has to give way to another."""


def write_identity(folder: Path, name: str, subject: str, certify: Certify, spent: Spent) -> bool:
    """Write `{name}.key` (0600) and `{name}.pem` for `subject`, unless they are there and not `spent`; returns whether
    anything was written. The next ones are made beside those there (`{name}-next`) and put in their place at the end.
    """
    following = f"{name}{NEXT}"
    changed = _put_in_place(folder, name)
    if not _both(folder, name):
        return _write(folder, name, subject, certify)
    if not spent(load_pem_certificates(read_file(folder / f"{name}.pem"))[0]):
        return changed
    _write(folder, following, subject, certify)
    return _put_in_place(folder, name)


def nearly_over_at(now: datetime) -> Spent:
    """Certificates of which a third of their life is left at `now`, or less."""
    return lambda leaf: nearly_over(leaf, now)


def _both(folder: Path, name: str) -> bool:
    return (folder / f"{name}.pem").exists() and (folder / f"{name}.key").exists()


def _put_in_place(folder: Path, name: str) -> bool:
    """The next key and certificate, once both are there; an interruption between the two is made good by the next run,
    which finds the certificate still waiting."""
    following = f"{name}{NEXT}"
    if not (folder / f"{following}.pem").exists():
        return False
    for suffix in (".key", ".pem"):
        if (folder / f"{following}{suffix}").exists():
            durable.move(folder / f"{following}{suffix}", folder / f"{name}{suffix}")
    return True


def _write(folder: Path, name: str, subject: str, certify: Certify) -> bool:
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
