"""What a kiosk host hears from its screen, and what it does about that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.control.effects import StoreEvent


@dataclass(frozen=True)
class OutgoingSettled:
    """The screen left something: a file in the folder `outgoing` is complete."""


@dataclass(frozen=True)
class OutgoingRead:
    """The files that wait, by name; they are still there."""

    files: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class ReadOutgoing:
    """Read what the screen left; answered by `OutgoingRead`."""


@dataclass(frozen=True)
class KeepFacts:
    """Commit `orders` in one transaction and then remove the files `names`, and put those of `refused` aside; a store
    that fails leaves every file where it is."""

    orders: tuple[StoreEvent, ...]
    names: tuple[str, ...]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShowHeard:
    """Write when the centre was last heard, where the screen reads it."""

    content: bytes


HallEvent = OutgoingSettled | OutgoingRead
HallEffect = ReadOutgoing | KeepFacts | ShowHeard
