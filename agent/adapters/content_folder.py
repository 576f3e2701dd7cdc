"""Where the kiosk finds the files of disclosures: `content/{sha256}`, each whole and held against its hash.

Pieces on their way lie in `content/.incoming/{sha256}/0000` and survive a power cut; a file gets its name only when its
hash holds, whole and at once.
"""

import hashlib
import logging
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent import durable
from agent.control.content_messages import ContentBroken, ContentKept
from agent.control.messages import Event, WorkFailed
from agent.errors import EnvironmentFault, SenderFault
from agent.wire.content import MAX_ATTACHMENT_BYTES, Attachment
from agent.wire.identifiers import DIGEST_PATTERN, Digest

INCOMING = ".incoming"
READ_BYTES = 2**20

logger = logging.getLogger(__name__)


class ContentFolder:
    """The folder `directory`; the kiosk only reads it, and hashes every file again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self) -> list[Digest]:
        """The files an earlier run left whose hashes hold. One that was altered is removed: it comes again."""
        held = []
        for path in self._files():
            if _digest(path) == path.name:
                held.append(Digest(path.name))
            else:
                logger.warning("content %s is damaged and was removed", path.name)
                durable.remove(path)
        return held

    def keep(self, attachment: Attachment, number: int, piece: bytes) -> Event | None:
        """Keep one piece; with the last one the file is put together: `ContentKept`, or `ContentBroken`."""
        try:
            place = self._incoming(attachment) / f"{number:04d}"
            durable.make_directory(place.parent)
            durable.write_bytes(place, piece)
            pieces = [place.with_name(f"{each:04d}") for each in range(attachment.chunks)]
            return self._join(attachment, pieces) if all(each.is_file() for each in pieces) else None
        except EnvironmentFault as fault:
            return WorkFailed(str(fault))

    def put(self, attachment: Attachment, content: bytes) -> Digest:
        """Keep a whole file; raises `SenderFault` when it is not this one, `EnvironmentFault`."""
        durable.make_directory(self._directory)
        durable.write_bytes(self._directory / attachment.sha256, attachment.check(content))
        return attachment.sha256

    def only(self, keep: frozenset[Digest]) -> Event | None:
        """Remove every file that is not one of `keep`, and what nobody waits for any more."""
        try:
            for path in self._files():
                if path.name not in keep:
                    durable.remove(path)
            for folder in (self._directory / INCOMING).glob("*"):
                if folder.name not in keep:
                    shutil.rmtree(folder, ignore_errors=True)
        except EnvironmentFault as fault:
            return WorkFailed(str(fault))
        return None

    def _join(self, attachment: Attachment, pieces: list[Path]) -> Event:
        try:
            with durable.disk_errors(self._directory):
                _check_whole(attachment, pieces)
                durable.write_stream(self._directory / attachment.sha256, _contents(pieces))
        except SenderFault as fault:
            return ContentBroken(attachment.sha256, str(fault))
        finally:
            shutil.rmtree(self._incoming(attachment), ignore_errors=True)
        return ContentKept((attachment.sha256,))

    def _incoming(self, attachment: Attachment) -> Path:
        return self._directory / INCOMING / attachment.sha256

    def _files(self) -> list[Path]:
        found = sorted(self._directory.glob("*")) if self._directory.is_dir() else []
        return [path for path in found if DIGEST_PATTERN.fullmatch(path.name) and not path.is_dir()]


def _check_whole(attachment: Attachment, pieces: list[Path]) -> None:
    digest = hashlib.sha256()
    for piece in _contents(pieces):
        digest.update(piece)
    if digest.hexdigest() != attachment.sha256:
        raise SenderFault(f"附件 {attachment.name} 与签名文件所列的校验值不符，已丢弃。")


def _contents(pieces: Iterable[Path]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece.read_bytes()


def _digest(path: Path) -> str:
    """SHA-256 of a plain file that is not too large to be one of ours; empty for anything else."""
    digest = hashlib.sha256()
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_ATTACHMENT_BYTES:
            return ""
        with path.open("rb") as file:
            while piece := file.read(READ_BYTES):
                digest.update(piece)
    except OSError as error:
        logger.warning("%s: %s", path.name, error)
        return ""
    return digest.hexdigest()
