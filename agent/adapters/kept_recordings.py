"""What the device remembers of each recording until it is deleted: one counter each, in the device's database."""

import logging
from collections.abc import Mapping

from agent.adapters.database import Database
from agent.control.deletion import Kept, parse_kept
from agent.control.offload_messages import KeptGone, KeptSeen, OffloadNote, OffloadWanted
from agent.errors import SenderFault
from agent.wire.identifiers import RecordingId

NAME, WANTED = "kept/", "offload-wanted"

logger = logging.getLogger(__name__)


def read_kept(database: Database) -> Mapping[RecordingId, Kept]:
    """Everything that is remembered; what the card has damaged is left out, and what is not remembered stays."""
    found = {}
    for name, value in database.run("SELECT name, value FROM counter WHERE name LIKE 'kept/%' ORDER BY name"):
        try:
            kept = parse_kept(str(value))
        except SenderFault as fault:
            logger.warning("%s: %s", name, fault)
            continue
        if name == f"{NAME}{kept.recording}":
            found[kept.recording] = kept
    return found


def is_going(database: Database, recording: RecordingId, manifest: str) -> bool:
    """Whether the deletion of `recording`, as the manifest with this hash lists it, is on the chain; raises
    `EnvironmentFault` when the database does not say."""
    text = database.text(f"{NAME}{recording}")
    try:
        kept = parse_kept(text) if text else None
    except SenderFault:
        return False
    return kept is not None and kept.going and kept.receipted == manifest


def write_kept(database: Database, note: OffloadNote) -> None:
    """Keep `note`, inside a transaction."""
    match note:
        case KeptSeen(kept):
            database.set(f"{NAME}{kept.recording}", kept.encode())
        case KeptGone(recording):
            database.run("DELETE FROM counter WHERE name = ?", (f"{NAME}{recording}",))
        case OffloadWanted(wanted):
            database.set(WANTED, int(wanted))


def offload_wanted(database: Database) -> bool:
    """Whether an earlier run was told to bring recordings out and has not ended with it."""
    return database.integer(WANTED) == 1
