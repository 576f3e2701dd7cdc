"""Everything that can happen to a device, in the past tense; what can be asked for is in `agent.control.effects`."""

from dataclasses import dataclass

from agent.control.acts import OfficerActed as OfficerActed
from agent.control.collecting import FileCollected as FileCollected
from agent.control.command_messages import CommandCarriedOut as CommandCarriedOut
from agent.control.command_messages import CommandEvent as CommandEvent
from agent.control.command_messages import CommandNotStored as CommandNotStored
from agent.control.command_messages import CommandStored as CommandStored
from agent.control.effects import StoreEvent
from agent.control.health import HealthRead as HealthRead
from agent.control.link_messages import EventsSent as EventsSent
from agent.control.link_messages import EventStored as EventStored
from agent.control.link_messages import LinkDown as LinkDown
from agent.control.link_messages import LinkOpening as LinkOpening
from agent.control.link_messages import LinkUp as LinkUp
from agent.control.link_messages import PressureChanged as PressureChanged
from agent.control.link_messages import PublishAnswered as PublishAnswered
from agent.control.link_messages import PublishedAside as PublishedAside
from agent.control.link_messages import ReceiptCompared as ReceiptCompared
from agent.control.link_messages import SubscriptionAnswered as SubscriptionAnswered
from agent.control.offload_messages import OffloadEvent as OffloadEvent
from agent.control.paper_acts import PaperEvent as PaperEvent
from agent.control.reread import RecordingReread as RecordingReread
from agent.wire.identifiers import Digest, RecordingId
from agent.wire.instant import Instant
from agent.wire.trust import TrustList


@dataclass(frozen=True)
class ButtonPressed:
    """A short press of the record button."""

    at: Instant


@dataclass(frozen=True)
class CasingChanged:
    """The casing was opened, or closed again."""

    opened: bool
    at: Instant


@dataclass(frozen=True)
class DockChanged:
    """The device was put into its docking station, or taken out."""

    docked: bool
    at: Instant


@dataclass(frozen=True)
class CardShown:
    """An officer held a card to the reader; `card` is its number in hexadecimal capitals."""

    card: str
    at: Instant


@dataclass(frozen=True)
class ClockDisputed:
    """GNSS and NTP tell times that are `apart_ms` apart, more than both admit; 0 when they agree again."""

    apart_ms: int
    at: Instant


HookEvent = ButtonPressed | OfficerActed | HealthRead | CasingChanged | DockChanged | CardShown | ClockDisputed


@dataclass(frozen=True)
class FragmentStored:
    """A signed fragment is on the disk. `sequence` counts from 1 over the whole recording; `head` is the hash of its
    journal entry, the end of the recording's chain; `captured` is the moment of its first frame."""

    recording: RecordingId
    segment: int
    sequence: int
    head: Digest
    captured: Instant
    duration_ms: int
    size: int


@dataclass(frozen=True)
class GapOpened:
    """Capture broke off inside a recording that goes on; `reason` is a code of `agent.evidence.journal`."""

    recording: RecordingId
    reason: str
    at: Instant


@dataclass(frozen=True)
class PhotoTaken:
    """A signed photo is on the disk: `digest` is the SHA-256 of its file, `recording` the one it was taken in."""

    digest: Digest
    size: int
    recording: RecordingId | None
    at: Instant


@dataclass(frozen=True)
class RecordingFound:
    """A recording of an earlier run stands sealed on the disk, up to `head`; how it ended is told later."""

    recording: RecordingId
    head: Digest


@dataclass(frozen=True)
class RecordingSealed:
    """A recording is closed and its seal is on the disk; `reason` says why it ended, `recovered` that a later start
    of the device closed it, after trimming `discarded_bytes` of torn tail."""

    recording: RecordingId
    segments: int
    fragments: int
    head: Digest
    duration_ms: int
    size: int
    reason: str
    recovered: bool
    discarded_bytes: int
    at: Instant


@dataclass(frozen=True)
class RecordingFailed:
    """A recording could not be opened or went on no longer; what is on the disk stays and is recovered later.
    `recording` is None when not even its folder could be made; `detail` is one Chinese line."""

    recording: RecordingId | None
    detail: str
    at: Instant


@dataclass(frozen=True)
class StoreLoss:
    """The store of a device could not be read and was kept under `kept_as`. Numbers up to `skipped_to` may have been
    used, so the chain goes on after it. `forgotten`: events are gone, and not only the mirror of their numbers."""

    kept_as: str
    skipped_to: int
    detail: str
    forgotten: bool = True


@dataclass(frozen=True)
class DeviceStarted:
    """The process is up. `loss` tells of a store that had to be put aside and what that cost."""

    at: Instant
    loss: StoreLoss | None = None


@dataclass(frozen=True)
class EventNotStored:
    """The store refused an event (quota, disk); `effect` is what must be tried again."""

    effect: StoreEvent
    detail: str


@dataclass(frozen=True)
class MessageArrived:
    """Bytes from the broker, nobody has looked into them yet. `retained`: the broker had kept them."""

    connection: int
    topic: str
    payload: bytes
    retained: bool = False


@dataclass(frozen=True)
class TrustListRead:
    """A trust list that the pinned root signed was read from the disk."""

    trust: TrustList


@dataclass(frozen=True)
class FileSettled:
    """A watched file has a complete content: it was closed after writing or moved into its place."""

    path: str


@dataclass(frozen=True)
class WorkFailed:
    """Something the worker thread was asked for did not succeed; `detail` is one Chinese line. `disclosure` names
    the document (kind, id) that could not be written."""

    detail: str
    disclosure: tuple[str, str] | None = None


@dataclass(frozen=True)
class AsksSettled:
    """Somebody asked something of the agent: a file in the folder `asked` is complete."""


@dataclass(frozen=True)
class AsksRead:
    """What was asked, as it stood in the files, which are gone."""

    files: tuple[bytes, ...]


@dataclass(frozen=True)
class IdentitySigned:
    """The text of an officer's code, for the request `ask`."""

    ask: str
    certificate: str
    nonce: str
    text: str


@dataclass(frozen=True)
class TimePassed:
    """A deadline of the controller has come."""


@dataclass(frozen=True)
class StopRequested:
    """The operator or systemd asks the process to end."""


@dataclass(frozen=True)
class CourierDied:
    """A thread ended that must not; the process can no longer be trusted to hear everything."""

    name: str
    detail: str


@dataclass(frozen=True)
class StoreUnreadable:
    """The database cannot be read any more; the next start puts it aside and tells its recordings again."""

    detail: str


DutyEvent = AsksSettled | AsksRead | IdentitySigned | PaperEvent
Event = (
    HookEvent
    | FragmentStored
    | GapOpened
    | PhotoTaken
    | FileCollected
    | RecordingFound
    | RecordingReread
    | RecordingSealed
    | RecordingFailed
    | DeviceStarted
    | EventStored
    | EventNotStored
    | LinkOpening
    | LinkUp
    | LinkDown
    | SubscriptionAnswered
    | EventsSent
    | PublishAnswered
    | PublishedAside
    | PressureChanged
    | MessageArrived
    | ReceiptCompared
    | TrustListRead
    | FileSettled
    | WorkFailed
    | DutyEvent
    | CommandEvent
    | OffloadEvent
    | TimePassed
    | StopRequested
    | CourierDied
    | StoreUnreadable
)
