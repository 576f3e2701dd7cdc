"""What the files beside a recording are made from: sums of its segments, read once; and the files of the gm profile."""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent import durable
from agent.adapters.data_keys import NO_KEYS, DataKeys, is_encrypted
from agent.errors import EnvironmentFault, SenderFault
from agent.evidence import gm_sums
from agent.evidence.bmff import CHUNK_BYTES
from agent.evidence.encrypted_photo import HEAD_BYTES, photo_digest
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.gm_sums import GmSigner
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest

PHOTO_SUFFIX = ".jpg" + SUFFIX

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileSums:
    """SHA-256 and, for the gm profile, SM3 of one file, in hex."""

    sha256: Digest
    sm3: str | None = None


def sums_of_bytes(data: bytes, *, sm3: bool) -> FileSums:
    """The sums of `data`."""
    return FileSums(Digest(hashlib.sha256(data).hexdigest()), gm_sums.sm3([data]) if sm3 else None)


def sums_of_file(path: Path, keys: DataKeys = NO_KEYS, *, sm3: bool) -> FileSums:
    """The sums of a file on the disk, of the plaintext if it is encrypted; it is read once. Raises
    `EnvironmentFault`."""
    if path.name.endswith(PHOTO_SUFFIX):  # never to be read here: its head tells; no SM3 of it
        with durable.disk_errors(path), path.open("rb") as file:
            return FileSums(_told_digest(file.read(HEAD_BYTES)))
    if is_encrypted(path):
        with keys.plain(path) as source:
            return sums_of_pieces(source.chunks(0, source.size), sm3=sm3)
    with durable.disk_errors(path), path.open("rb") as file:
        if not sm3:
            return FileSums(Digest(hashlib.file_digest(file, "sha256").hexdigest()))
        return sums_of_pieces(iter(lambda: file.read(CHUNK_BYTES), b""), sm3=True)


def _told_digest(head: bytes) -> Digest:
    try:
        return photo_digest(head)
    except SenderFault:  # listed so that everybody sees that it is damaged
        return GENESIS


def sums_of_pieces(chunks: Iterable[bytes], *, sm3: bool) -> FileSums:
    """The sums of content that is not held whole."""
    first, second = hashlib.sha256(), gm_sums.new_sm3() if sm3 else None
    for chunk in chunks:
        first.update(chunk)
        if second is not None:
            second.update(chunk)
    return FileSums(Digest(first.hexdigest()), None if second is None else second.finalize().hex())


def write_gm_files(folder: Path, sums: Mapping[str, FileSums], gm: GmSigner) -> None:
    """`SM3SUMS`, its SM2 signature and the public key, for `sums` by file name; raises `EnvironmentFault` when the disk
    refuses. A key that does not sign is told in the log: the recording is evidence without it, and lacks it openly."""
    listed = gm_sums.sm3sums({name: entry.sm3 for name, entry in sums.items() if entry.sm3 is not None}, gm.key_id)
    try:
        signature = gm.sign(listed)
    except EnvironmentFault as fault:
        logger.error("gm profile: %s", fault)  # noqa: TRY400 - a traceback says no more
        return
    durable.write_bytes(folder / gm_sums.SM3SUMS_NAME, listed, durable.SHARED)
    durable.write_bytes(folder / gm_sums.SM2_PUBLIC_NAME, gm_sums.public_pem(gm.public_key), durable.SHARED)
    durable.write_bytes(folder / gm_sums.SM2_SIGNATURE_NAME, signature, durable.SHARED)
