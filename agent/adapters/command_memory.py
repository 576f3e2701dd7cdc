"""What the store keeps of commands: the last number used, those without an answer, and the holds on recordings.

Counters `command`, `command-open/{counter}` (id and kind) and `held/{recording}` (name and reason of each hold).
"""

import logging
from collections.abc import Iterator, Mapping

from agent.adapters.database import Database
from agent.control.command_messages import (
    CommandNote,
    CommandSettled,
    CommandsKept,
    CommandUsed,
    HoldsKept,
    OpenCommand,
)
from agent.control.command_verbs import UNREADABLE_HOLD
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.commands import CommandKind
from agent.wire.identifiers import RecordingId, parse_recording_id

OPEN, HELD = "command-open/", "held/"

logger = logging.getLogger(__name__)


def write_command_note(database: Database, note: CommandNote) -> None:
    """Keep `note`, inside a transaction."""
    match note:
        case CommandUsed(command, is_open):
            database.set("command", max(command.counter, database.integer("command")))
            if is_open:
                database.set(f"{OPEN}{command.counter}", f"{command.command_id} {command.kind}")
        case CommandSettled(counter):
            database.run("DELETE FROM counter WHERE name = ?", (f"{OPEN}{counter}",))
        case HoldsKept(recording, holds) if holds:
            database.set(f"{HELD}{recording}", canonical.encode(dict(holds)).decode())
        case HoldsKept(recording):
            database.run("DELETE FROM counter WHERE name = ?", (f"{HELD}{recording}",))


def read_commands(database: Database) -> CommandsKept:
    """What earlier runs have used up and left open. The mirror counts too: a number that may have been used is."""
    rows = database.run("SELECT name, value FROM counter WHERE name LIKE ?", (f"{OPEN}%",))
    last = max(database.integer("command"), database.mirror.written.command)
    return CommandsKept(last, tuple(command for name, value in rows for command in _open_command(name, value)))


def read_holds(database: Database) -> Mapping[RecordingId, Mapping[str, str]]:
    """The holds in force. A damaged record holds on, under the name `unreadable`."""
    rows = database.run("SELECT name, value FROM counter WHERE name LIKE ?", (f"{HELD}%",))
    return dict(held for name, value in rows for held in _held(name.removeprefix(HELD), value))


def _open_command(name: str, value: str) -> Iterator[OpenCommand]:
    command, _, kind = value.partition(" ")
    try:
        yield OpenCommand(int(name.removeprefix(OPEN)), command, CommandKind(kind))
    except ValueError:
        logger.warning("an open command is damaged and stays without an answer: %s", name[:40])


def _held(name: str, value: str) -> Iterator[tuple[RecordingId, Mapping[str, str]]]:
    try:
        recording = parse_recording_id(name)
    except SenderFault:
        logger.warning("a hold names no recording any more: %s", name[:40])
        return
    try:
        holds = canonical.decode_object(value.encode())
    except SenderFault:
        holds = {}
    yield recording, {str(key): str(why) for key, why in holds.items()} or {UNREADABLE_HOLD: ""}
