"""The archive's key, and decrypting what recorders encrypted for it.

archive.key   0600, at the centre only: whoever has it reads every recording of the district
archive.pub   in every recorder's folder
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent import durable
from agent.errors import OperatorFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_reading import EncryptedSegment, encryption_findings, open_with_archive_key
from agent.evidence.encrypted_stream import SUFFIX
from provisioning.authority import keys

KEY_NAME, PUBLIC_NAME = "archive.key", "archive.pub"
ENCRYPTED = "segment-*.mp4" + SUFFIX


@dataclass(frozen=True)
class Decrypted:
    """A segment that was written in the clear; `problems` are Chinese lines, none when it is whole."""

    file: Path
    size: int
    problems: tuple[str, ...]


def make_archive_key(folder: Path) -> bool:
    """Write the key pair of an archive into `folder`; returns False, and changes nothing, when it is there already."""
    private, public = folder / KEY_NAME, folder / PUBLIC_NAME
    if private.exists() and public.exists():
        return False
    durable.make_directory(folder, 0o700)
    if private.exists():
        key = read_archive_key(private)
    else:
        key = keys.new_key()
        durable.write_bytes(private, keys.private_pem(key), durable.PRIVATE)
    durable.write_bytes(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return True


def read_archive_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The archive's private key; raises `OperatorFault`."""
    try:
        return keys.parse_key(path.read_bytes())
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror or error}。请检查 --key。") from error


def decrypt_recording(folder: Path, key: ec.EllipticCurvePrivateKey, out: Path) -> list[Decrypted]:
    """Write every encrypted segment of `folder` in the clear into `out` (0600), and copy what lies beside them.

    What can be read is written even where the encrypted file is damaged; the damage is in `problems`. Raises
    `OperatorFault` when there is nothing to decrypt or the key is another, `SenderFault` for a damaged header.
    """
    segments = sorted(folder.glob(ENCRYPTED))
    if not segments:
        raise OperatorFault(f"{folder} 中没有加密的分段文件（{ENCRYPTED}）。请指明录制文件夹。")
    durable.make_directory(out, 0o700)
    done = [_decrypt(segment, key, out / segment.name.removesuffix(SUFFIX)) for segment in segments]
    for beside in folder.iterdir():
        if beside.is_file() and not beside.match(ENCRYPTED) and not (out / beside.name).exists():
            with durable.disk_errors(out):
                shutil.copy2(beside, out / beside.name)
    return done


def _decrypt(segment: Path, key: ec.EllipticCurvePrivateKey, target: Path) -> Decrypted:
    if target.exists():
        raise OperatorFault(f"{target} 已存在，未作改动。请用 --out 指明另一个目录。")
    draft = target.with_name(f".{target.name}.new")
    with _opened(segment, key) as opened, durable.disk_errors(target):
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, durable.PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in opened.plain.chunks(0, opened.plain.size):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        problems = tuple(finding.text for finding in encryption_findings(target.name, opened))
    durable.move(draft, target)
    return Decrypted(target, opened.plain.size, problems)


@contextlib.contextmanager
def _opened(segment: Path, key: ec.EllipticCurvePrivateKey) -> Iterator[EncryptedSegment]:
    with durable.disk_errors(segment), segment.open("rb") as file:
        descriptor = file.fileno()
        source = Source(segment.stat().st_size, lambda at, length: os.pread(descriptor, length, at))
        yield open_with_archive_key(source, key)
