"""The folder where the kiosk finds what the agent accepted: `disclosed/{kind}.{id}.dsse`, sealed as it arrived."""

from pathlib import Path

from agent import durable
from agent.control.messages import Event, WorkFailed
from agent.errors import EnvironmentFault
from agent.wire.envelope import MAX_ENVELOPE_BYTES

SUFFIX = ".dsse"


class DisclosedFolder:
    """The folder `directory`; the kiosk only reads it, and opens every envelope again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self) -> list[bytes]:
        """The envelopes an earlier run left, none larger than an envelope may be; not verified."""
        if not self._directory.is_dir():
            return []
        files = sorted(self._directory.glob(f"*{SUFFIX}"))
        with durable.disk_errors(self._directory):
            return [path.read_bytes() for path in files if path.stat().st_size <= MAX_ENVELOPE_BYTES]

    def show(self, kind: str, disclosure_id: str, envelope: bytes) -> Event | None:
        """Replace the document's file, whole; an event only when that failed."""
        try:
            durable.make_directory(self._directory)
            durable.write_bytes(self._directory / f"{kind}.{disclosure_id}{SUFFIX}", envelope)
        except EnvironmentFault as fault:
            return WorkFailed(str(fault), (kind, disclosure_id))
        return None
