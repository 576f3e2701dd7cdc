"""Where the kiosk finds what the agent accepted, sealed as it arrived: `disclosed/{kind}.{id}.dsse`, and the list of
receipts as `receipts/part-07.dsse`."""

import logging
from pathlib import Path

from agent import durable
from agent.control.messages import Event, WorkFailed
from agent.duty.receipt_list import LIST_KIND
from agent.errors import EnvironmentFault
from agent.wire.envelope import MAX_ENVELOPE_BYTES

SUFFIX, RECEIPTS = ".dsse", "receipts"

logger = logging.getLogger(__name__)


class DisclosedFolder:
    """The folder `directory`; the kiosk only reads it, and opens every envelope again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self) -> list[bytes]:
        """The envelopes an earlier run left, none larger than an envelope may be; not verified. What is no file, or
        cannot be read, is passed over: the broker sends every document again."""
        files = sorted(self._directory.glob(f"*{SUFFIX}"))
        return [envelope for envelope in map(_envelope, files) if envelope is not None]

    def show(self, kind: str, disclosure_id: str, envelope: bytes) -> Event | None:
        """Replace the document's file, whole; an event only when that failed."""
        try:
            path = self._path(kind, disclosure_id)
            durable.make_directory(path.parent)
            durable.write_bytes(path, envelope)
        except EnvironmentFault as fault:
            return WorkFailed(str(fault), (kind, disclosure_id))
        return None

    def hide(self, kind: str, disclosure_id: str) -> Event | None:
        """Take the document's file out; an event only when that failed."""
        try:
            durable.remove(self._path(kind, disclosure_id))
        except EnvironmentFault as fault:
            return WorkFailed(str(fault), (kind, disclosure_id))
        return None

    def _path(self, kind: str, disclosure_id: str) -> Path:
        """Parts of the receipts' list lie beside the folder, in one of their own: nobody is shown them as documents."""
        if kind == LIST_KIND:
            return self._directory.with_name(RECEIPTS) / f"{disclosure_id}{SUFFIX}"
        return self._directory / f"{kind}.{disclosure_id}{SUFFIX}"


def _envelope(path: Path) -> bytes | None:
    try:
        if path.is_file() and path.stat().st_size <= MAX_ENVELOPE_BYTES:
            return path.read_bytes()
    except OSError as error:
        logger.warning("%s: %s", path.name, error)
        return None
    logger.warning("%s is no envelope and was passed over", path.name)
    return None
