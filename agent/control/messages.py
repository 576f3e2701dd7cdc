"""Everything that can happen to a device, in the past tense; what can be asked for is in `agent.control.effects`."""

from dataclasses import dataclass

from agent.control.acts import OfficerActed as OfficerActed
from agent.control.collecting import FileCollected as FileCollected
from agent.control.command_messages import CommandCarriedOut as CommandCarriedOut
from agent.control.command_messages import CommandEvent as CommandEvent
from agent.control.command_messages import CommandNotStored as CommandNotStored
from agent.control.command_messages import CommandStored as CommandStored
from agent.control.content_messages import ContentEvent as ContentEvent
from agent.control.effects import StoreEvent
from agent.control.hall_messages import HallEvent as HallEvent
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
from agent.control.link_messages import ReceiptNotKept as ReceiptNotKept
from agent.control.link_messages import SubscriptionAnswered as SubscriptionAnswered
from agent.control.offload_messages import OffloadEvent as OffloadEvent
from agent.control.paper_acts import PaperEvent as PaperEvent
from agent.control.recording_messages import FragmentStored as FragmentStored
from agent.control.recording_messages import GapOpened as GapOpened
from agent.control.recording_messages import PhotoTaken as PhotoTaken
from agent.control.recording_messages import RecordingFailed as RecordingFailed
from agent.control.recording_messages import RecordingFound as RecordingFound
from agent.control.recording_messages import RecordingReread as RecordingReread
from agent.control.recording_messages import RecordingSealed as RecordingSealed
from agent.control.recording_messages import WorkFailed as WorkFailed
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
class AsksSettled:
    """Somebody asked something of the agent: a file in the folder `asked` is complete."""


@dataclass(frozen=True)
class AsksRead:
    """What was asked, as it stood in one file, which is gone. There may be more: each is settled before the next is
    read, because it changes what the next one finds."""

    content: bytes


@dataclass(frozen=True)
class IdentitySigned:
    """The text of an officer's code, for the request `ask`; `slip`: it is to be printed."""

    ask: str
    certificate: str
    nonce: str
    text: str
    slip: bool = False


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
    | HallEvent
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
    | ReceiptNotKept
    | TrustListRead
    | FileSettled
    | WorkFailed
    | DutyEvent
    | CommandEvent
    | OffloadEvent
    | ContentEvent
    | TimePassed
    | StopRequested
    | CourierDied
    | StoreUnreadable
)
