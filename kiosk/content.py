"""The files of disclosures on this screen: read by hash, and held against it again before anybody sees them."""

import logging
from pathlib import Path

from agent.errors import SenderFault
from agent.wire.content import Attachment
from agent.wire.identifiers import Digest
from kiosk.file_stamp import FileStamp, file_stamp

log = logging.getLogger(__name__)


class ContentStore:
    """The folder `content/{sha256}` that the agent fills. A file is hashed again whenever it changed on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._verified: dict[Digest, FileStamp] = {}

    def path(self, attachment: Attachment) -> Path:
        """The verified file, for whoever opens it himself (SQLite); raises `SenderFault`."""
        place = self._folder / attachment.sha256
        stamp = file_stamp(place)
        if stamp is None or self._verified.get(attachment.sha256) != stamp:
            self._verified.pop(attachment.sha256, None)
            self.read(attachment)
        return place

    def read(self, attachment: Attachment) -> bytes:
        """The bytes; raises `SenderFault` when they are not there or not those that were signed."""
        place = self._folder / attachment.sha256
        stamp = file_stamp(place)
        try:
            if stamp is None:
                raise FileNotFoundError(place)
            with place.open("rb") as file:
                content = attachment.check(file.read(attachment.size + 1))
        except OSError as error:
            log.debug("content %s: %s", place, error)
            raise SenderFault(f"附件 {attachment.name} 尚未收到，暂不展示。") from error
        self._verified[attachment.sha256] = stamp
        return content
