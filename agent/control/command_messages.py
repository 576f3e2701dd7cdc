"""What carrying out commands asks for, leads to, and leaves in the device's memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.wire.commands import CommandKind
from agent.wire.identifiers import RecordingId

if TYPE_CHECKING:
    from agent.control.effects import EventDraft, Note


@dataclass(frozen=True)
class OpenCommand:
    """A command whose number is used up and whose answer is not yet stored."""

    counter: int
    command_id: str
    kind: CommandKind


@dataclass(frozen=True)
class CommandsKept:
    """What is remembered of earlier runs: commands up to number `last` are used up for ever, `open` are those that were
    kept and not answered."""

    last: int = 0
    open: tuple[OpenCommand, ...] = ()


@dataclass(frozen=True)
class CommandUsed:
    """Note to the store: the command's number is used up; with `open` its answer comes later."""

    command: OpenCommand
    open: bool


@dataclass(frozen=True)
class CommandSettled:
    """Note to the store: command number `counter` is answered."""

    counter: int


@dataclass(frozen=True)
class HoldsKept:
    """Note to the store: the holds (name and reason) that forbid deleting `recording`; none: it is free again."""

    recording: RecordingId
    holds: Mapping[str, str]


@dataclass(frozen=True)
class KeepCommand:
    """Commit `drafts` and `notes` in one transaction: that the command's number is used up, and what it changes.
    Answered by `CommandStored`, before which nothing else of it is done, or by `CommandNotStored`."""

    command: OpenCommand
    drafts: tuple[EventDraft, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class RequestCertificate:
    """Make a new TLS key and a signing request (CSR) for it, filed under the number of `command`; with `look_only` only
    find out whether an earlier run has made them. Answered by `CommandCarriedOut`."""

    command: OpenCommand
    look_only: bool = False


@dataclass(frozen=True)
class Diagnose:
    """Collect what a technician wants to know, without secrets and within a bound. Answered by `CommandCarriedOut`."""

    command: OpenCommand


@dataclass(frozen=True)
class OffloadNow:
    """Bring sealed recordings to the store outside now, whatever the policy says of dock and network."""

    counter: int


@dataclass(frozen=True)
class CommandStored:
    """The command's number is used up; what it changed is on the disk with it."""

    command: OpenCommand


@dataclass(frozen=True)
class CommandNotStored:
    """The store refused: nothing of the command was done, and its number is free."""

    command: OpenCommand
    detail: str


@dataclass(frozen=True)
class CommandCarriedOut:
    """What the worker was asked for by a command has ended: `text` is one Chinese line, `result` JSON without secrets
    or personal data. `code` is empty when it was done, else why not."""

    command: OpenCommand
    text: str
    result: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""


CommandNote = CommandUsed | CommandSettled | HoldsKept
CommandEffect = KeepCommand | RequestCertificate | Diagnose | OffloadNow
CommandEvent = CommandStored | CommandNotStored | CommandCarriedOut
