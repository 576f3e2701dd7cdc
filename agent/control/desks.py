"""Who a device is, what it remembers, and the desks that follow from both."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from agent.control.command_desk import CommandDesk
from agent.control.command_messages import CommandsKept
from agent.control.command_verbs import Hands
from agent.control.deletion import NOT_FILED, Kept
from agent.control.disclosure_desk import DisclosureDesk, Key
from agent.control.duty_book import DutyBook, Whose
from agent.control.duty_guidance import guidance_of
from agent.control.effects import Effect
from agent.control.health_desk import HealthDesk
from agent.control.kept_shelf import KeptShelf
from agent.control.offload_desk import OffloadDesk
from agent.control.recording import RecordingMachine, RecordingMemory
from agent.control.witness_desk import WitnessDesk, WitnessFloor
from agent.duty.floors import Floor
from agent.duty.policies import PolicyShelf
from agent.duty.shift import Shift
from agent.wire.disclosures import DUTY_AUDIENCE
from agent.wire.identifiers import DeviceId, District, RecordingId


@dataclass(frozen=True)
class Identity:
    """Who this device is. `audience` is `DUTY_AUDIENCE` on recorders, which follow policies, a hall on kiosk hosts;
    `partner` is the recorder whose heads it countersigns; `sound_only` ones have no camera,
    and `offloads` says that recordings go out."""

    district: District
    device: DeviceId
    unit: str
    version: str
    audience: str | None = None
    partner: DeviceId | None = None
    sound_only: bool = False
    offloads: bool = False

    @property
    def shows_nothing(self) -> bool:
        """Whether this is a recorder, which has a lamp and no screen."""
        return self.audience in (None, DUTY_AUDIENCE)


@dataclass(frozen=True)
class Memory:
    """What the device remembers from earlier runs, as its store holds it."""

    stored: int
    acked: int
    recordings: RecordingMemory
    floors: Mapping[Key, Floor] = field(default_factory=dict)
    witnessed: Mapping[DeviceId, WitnessFloor] = field(default_factory=dict)
    shift: Shift = field(default_factory=Shift)
    kept: Mapping[RecordingId, Kept] = field(default_factory=dict)
    commands: CommandsKept = field(default_factory=CommandsKept)
    holds: Mapping[RecordingId, Mapping[str, str]] = field(default_factory=dict)
    offload_wanted: bool = False


def disclosure_desk(identity: Identity, memory: Memory, shelf: PolicyShelf) -> DisclosureDesk | None:
    """Takes publications over: those for a hall, or the policies that a recorder follows, which fill `shelf`."""
    audience = identity.audience
    if audience is None:
        return None
    policies = shelf if audience == DUTY_AUDIENCE else None
    return DisclosureDesk(identity.district, audience, memory.floors, policies)


def witness_desk(identity: Identity, memory: Memory) -> WitnessDesk | None:
    """Countersigns the heads of the partner, where there is one."""
    partner = identity.partner
    if partner is None or partner == identity.device:
        return None
    return WitnessDesk(identity.district, partner, memory.witnessed.get(partner, WitnessFloor()))


def duty_book(identity: Identity, memory: Memory, recordings: RecordingMachine, shelf: PolicyShelf) -> DutyBook | None:
    """What the officers of a recorder do; kiosk hosts have none."""
    if not identity.shows_nothing:
        return None
    whose = Whose(identity.district, identity.device, identity.unit)
    return DutyBook(whose, recordings, memory.shift, guidance_of(shelf))


def command_desk(
    identity: Identity,
    memory: Memory,
    book: DutyBook | None,
    shelf: PolicyShelf,
    hear_again: Callable[[], list[Effect]],
    kept: Callable[[RecordingId], Kept | None],
) -> CommandDesk:
    """Takes the centre's commands, on every device."""
    hands = Hands(identity.device, dict(memory.holds), book, shelf, hear_again, identity.offloads, kept)
    return CommandDesk(identity.district, identity.device, memory.commands, hands)


def offload_desk(
    identity: Identity,
    memory: Memory,
    recordings: RecordingMachine,
    health: HealthDesk,
    book: DutyBook | None,
    holds: Mapping[RecordingId, Iterable[str]],
) -> OffloadDesk | None:
    """Follows a recorder's recordings out and to their end; kiosk hosts have none."""
    if book is None:
        return None

    def term() -> str:
        task = book.shift.task
        return NOT_FILED if task is None else task.retention

    shelf = KeptShelf(memory.kept, holds)
    wanted = memory.offload_wanted
    return OffloadDesk(identity.device, recordings, health, shelf, term, directs=identity.offloads, asked=wanted)
