"""Everything that the controller can ask for, in the imperative, and the notes that the store keeps beside events."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.control.command_messages import CommandEffect, CommandNote
from agent.control.content_messages import ContentEffect
from agent.control.hall_messages import HallEffect
from agent.control.lights import Cue, Light
from agent.control.link_effects import Acknowledge as Acknowledge
from agent.control.link_effects import CheckEvents as CheckEvents
from agent.control.link_effects import CloseConnection as CloseConnection
from agent.control.link_effects import CompareReceipt as CompareReceipt
from agent.control.link_effects import OpenConnection as OpenConnection
from agent.control.link_effects import PublishStatus as PublishStatus
from agent.control.link_effects import SendEvents as SendEvents
from agent.control.link_effects import SendHint as SendHint
from agent.control.link_effects import Subscribe as Subscribe
from agent.control.offload_messages import OffloadEffect, OffloadNote
from agent.control.paper_acts import PaperEffect
from agent.control.recording_effects import MarkRecording as MarkRecording
from agent.control.recording_effects import StartRecording as StartRecording
from agent.control.recording_effects import StopRecording as StopRecording
from agent.control.recording_effects import TakePhoto as TakePhoto
from agent.duty.identity_code import IdentityCode
from agent.wire.device_events import DamagedRun, EventType
from agent.wire.identifiers import DeviceId, Digest
from agent.wire.instant import Instant


@dataclass(frozen=True)
class EventDraft:
    """A device event before it has a number. `event_id` names the fact: storing it twice is storing it once."""

    event_id: str
    type: EventType
    at: Instant
    data: Mapping[str, Any]


DETAIL_LENGTH = 200  # ours: characters of a text in an event; the whole stands in the device's log


def moment_name(at: Instant) -> str:
    """A short name of a moment of this device, for the id of a fact that has no number of its own."""
    return f"{at.boot[:8]}-{at.monotonic_ns // 1_000_000}"


@dataclass(frozen=True)
class RecordingEnded:
    """Note to the store: recording `number` needs no more report and `head` is where its chain ends."""

    number: int
    head: Digest | None


@dataclass(frozen=True)
class DisclosureSeen:
    """Note to the store: nothing older than `version` with `digest` may replace the document `kind`/`disclosure_id`;
    once `withdrawn`, nothing but a further withdrawal."""

    kind: str
    disclosure_id: str
    version: int
    digest: Digest
    withdrawn: bool = False


@dataclass(frozen=True)
class TrustSeen:
    """Note to the store: no older trust list may be taken again."""

    version: int


@dataclass(frozen=True)
class EventsDamaged:
    """Note to the store: the waiting events of `run` are damaged and are put aside; the event beside this says so."""

    run: DamagedRun


@dataclass(frozen=True)
class HeadSeen:
    """Note to the store: up to event `devseq`, and fragment `sequence` of `recording`, `partner` is countersigned."""

    partner: DeviceId
    devseq: int
    recording: int
    sequence: int


@dataclass(frozen=True)
class HealthSeen:
    """Note to the store: the last reading of the device's own state, as `agent.evidence.health` writes it."""

    reading: str


@dataclass(frozen=True)
class CollectedTold:
    """Note to the store: the collected file `number`, and those before it, are events."""

    number: int


@dataclass(frozen=True)
class DutyKept:
    """Note to the store: officers, task and steps as `agent.duty.shift` writes them."""

    shift: str


StateNote = DutyKept | CollectedTold | DisclosureSeen | TrustSeen | HeadSeen | HealthSeen
Note = StateNote | RecordingEnded | EventsDamaged | OffloadNote | CommandNote


@dataclass(frozen=True)
class StoreEvent:
    """Commit `draft` and `note` in one transaction; answered by `EventStored` or `EventNotStored`."""

    draft: EventDraft
    note: Note | None = None


@dataclass(frozen=True)
class StoreEvents:
    """Commit all of `orders` in one transaction (made by the loop of orders that stand together); answered by one
    `EventStored`, or as each of them alone."""

    orders: tuple[StoreEvent, ...]


@dataclass(frozen=True)
class StoreNote:
    """Commit `note` alone."""

    note: Note


@dataclass(frozen=True)
class ReserveRecording:
    """Make recording `number` used for ever, before anything carries it."""

    number: int


@dataclass(frozen=True)
class Indicate:
    """Show `light` from now on, and let `cue` be heard and felt once."""

    light: Light
    cue: Cue


@dataclass(frozen=True)
class NoteHealth:
    """Sign `reading` (`agent.evidence.health`) into the running recording."""

    reading: str
    at: Instant


@dataclass(frozen=True)
class NoteDuty:
    """Sign something of duty into the running recording: `kind` is one of `agent.evidence.journal.DUTY_KINDS`."""

    kind: str
    note: str
    at: Instant


@dataclass(frozen=True)
class ReadAsks:
    """Take the first request out of the folder `asked`; answered by `AsksRead`, or by nothing when there is none."""


@dataclass(frozen=True)
class ShowDuty:
    """Write `content` as `duty.json`, where the officer's command and page read it."""

    content: bytes


@dataclass(frozen=True)
class SignIdentity:
    """Sign `code` for the request `ask`; answered by `IdentitySigned` or `WorkFailed`. `slip`: it is to be printed."""

    ask: str
    code: IdentityCode
    slip: bool = False


@dataclass(frozen=True)
class SetBitrate:
    """Code pictures at `percent` of the configured rate from now on."""

    percent: int


@dataclass(frozen=True)
class SyncDisks:
    """Bring everything that any program wrote to the disks: the power may end."""


@dataclass(frozen=True)
class ShowDisclosure:
    """Put the accepted `envelope` where the kiosk finds it, as `disclosed/{kind}.{disclosure_id}.dsse`."""

    kind: str
    disclosure_id: str
    envelope: bytes


@dataclass(frozen=True)
class HideDisclosure:
    """Take a file out of the kiosk's folder that is older than what was accepted."""

    kind: str
    disclosure_id: str


@dataclass(frozen=True)
class ReadTrustList:
    """Read and verify the trust list file again; answered by `TrustListRead` or `WorkFailed`."""


@dataclass(frozen=True)
class RaiseAlarm:
    """Tell people: log it and keep it as the device's last error. `text` is one Chinese line."""

    text: str


@dataclass(frozen=True)
class Finish:
    """Leave the loop with this exit code; every thread must have ended at the monotonic nanosecond `by_ns`."""

    exit_code: int
    by_ns: int


Effect = (
    StoreEvent
    | StoreEvents
    | StoreNote
    | ReserveRecording
    | StartRecording
    | StopRecording
    | MarkRecording
    | TakePhoto
    | Indicate
    | NoteHealth
    | NoteDuty
    | ReadAsks
    | ShowDuty
    | SignIdentity
    | PaperEffect
    | SetBitrate
    | SyncDisks
    | OpenConnection
    | CloseConnection
    | Subscribe
    | PublishStatus
    | SendEvents
    | SendHint
    | CheckEvents
    | CompareReceipt
    | Acknowledge
    | ShowDisclosure
    | HideDisclosure
    | ReadTrustList
    | OffloadEffect
    | RaiseAlarm
    | Finish
    | CommandEffect
    | HallEffect
    | ContentEffect
)
