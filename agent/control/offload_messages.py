"""What bringing recordings out and deleting them leads to, asks for, and leaves in the device's memory."""

from dataclasses import dataclass

from agent.control.deletion import Kept
from agent.control.offload_policy import OffloadOrders
from agent.wire.identifiers import Digest, RecordingId
from agent.wire.instant import Instant


@dataclass(frozen=True)
class RecordingOffloaded:
    """Every file of `recording` stands in the store outside, as the manifest with this hash lists them."""

    recording: RecordingId
    manifest: Digest
    files: int
    size: int
    at: Instant


@dataclass(frozen=True)
class OffloadAsked:
    """Somebody who may wants recordings to go out now."""


@dataclass(frozen=True)
class OffloadRested:
    """What was asked for is done: nothing is left to go out."""


@dataclass(frozen=True)
class RecordingUnchanged:
    """What stands here of `recording` are the very files that the manifest with this hash lists, no more."""

    recording: RecordingId
    manifest: str


@dataclass(frozen=True)
class RecordingRemoved:
    """The files of `recording` are gone."""

    recording: RecordingId


@dataclass(frozen=True)
class RecordingChanged:
    """The files of `recording` are not those that were to be removed: nothing of them was."""

    recording: RecordingId


@dataclass(frozen=True)
class KeptSeen:
    """Note to the store: what is remembered of a recording from now on."""

    kept: Kept


@dataclass(frozen=True)
class KeptGone:
    """Note to the store: nothing of `recording` is left."""

    recording: RecordingId


@dataclass(frozen=True)
class OffloadWanted:
    """Note to the store: somebody who may wants recordings to go out, until nothing is left."""

    wanted: bool


@dataclass(frozen=True)
class DirectOffload:
    """Let the process that uploads follow `orders`."""

    orders: OffloadOrders


@dataclass(frozen=True)
class TellReceipted:
    """Let the process that uploads know that the centre has signed for `recording`."""

    recording: RecordingId


@dataclass(frozen=True)
class CompareRecording:
    """Look whether nothing has come to `recording` since it was brought out; answered by `RecordingUnchanged`, or by
    nothing: then it goes out again first."""

    recording: RecordingId
    manifest: str


@dataclass(frozen=True)
class DeleteRecording:
    """Remove the files of `recording`, if the store says that its deletion is on the chain, and if they are still those
    that the manifest with this hash lists; answered by `RecordingRemoved`, `RecordingChanged` or `WorkFailed`."""

    recording: RecordingId
    manifest: str


OffloadEvent = (
    RecordingOffloaded | OffloadAsked | OffloadRested | RecordingUnchanged | RecordingRemoved | RecordingChanged
)
OffloadEffect = DirectOffload | TellReceipted | CompareRecording | DeleteRecording
OffloadNote = KeptSeen | KeptGone | OffloadWanted
