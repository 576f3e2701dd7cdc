"""What a decision of duty starts from and what comes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.control.effects import Effect, EventDraft
from agent.duty.case_facts import Label, OfficerFact
from agent.duty.documents import Template
from agent.duty.officers import NOT_LISTED, Demand, Listed, crew_labels, officer_fact
from agent.duty.reason_codes import ReasonCode
from agent.duty.shift import Shift
from agent.duty.task import Asked, Task
from agent.duty.time_limits import TimeLimits
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import DeviceId, Digest, District, RecordingId
from agent.wire.instant import BEIJING, Instant, TimeState

Requires = Callable[[Task], Asked]


@dataclass(frozen=True)
class Guidance:
    """The lists in force on this device: who may enforce, and `requires`, what they ask for a task; `templates` of
    documents by id, `reasons` the department's own for a step that is missing, `interruptions` those for a gap,
    `unrecorded` those for no recording at all; `time_limits` how long what begins on scene may take."""

    listed: Listed = NOT_LISTED
    requires: Requires = lambda _: Asked()
    templates: Mapping[str, Template] = field(default_factory=dict)
    reasons: tuple[ReasonCode, ...] = ()
    interruptions: tuple[ReasonCode, ...] = ()
    unrecorded: tuple[ReasonCode, ...] = ()
    time_limits: TimeLimits = field(default_factory=TimeLimits)


@dataclass(frozen=True)
class Situation:
    """`recording` is the one that runs, `sequence` the fragment that is being filled, `head` that of its chain so
    far; `filming` False: the disk takes nothing at the moment, though the recording is not over."""

    place: District
    device: DeviceId
    unit: str
    shift: Shift
    guidance: Guidance
    recording: RecordingId | None
    sequence: int
    now: Instant
    head: Digest = GENESIS
    filming: bool = True

    @property
    def task(self) -> str:
        """The number of the task in hand, empty without one."""
        return "" if self.shift.task is None else self.shift.task.task

    @property
    def offered_reasons(self) -> tuple[ReasonCode, ...]:
        """The department's reasons for what is missing now: of a task that ended without any recording, those for that
        (不予记录) too."""
        own = (self.task, self.shift.asking)
        recorded = self.recording is not None or any({it.task, it.recording} & {*own} for it in self.shift.stopped)
        return self.guidance.reasons if recorded else (*self.guidance.unrecorded, *self.guidance.reasons)

    @property
    def people(self) -> tuple[str, ...]:
        """Certificates of who has the device, then of who else stands in the task in hand."""
        named = () if self.shift.task is None else self.shift.task.officers
        return tuple(dict.fromkeys((*self.shift.certificates, *named)))

    @property
    def clock_set(self) -> bool:
        """Whether the wall clock may be believed."""
        return self.now.state is not TimeState.UNSET

    @property
    def crew(self) -> tuple[OfficerFact, ...]:
        """Who has the device, as the personnel list has them now, for the task in hand."""
        task = self.shift.task
        demand = Demand(
            self.now.wall.astimezone(BEIJING).date(), *(("", "") if task is None else (task.category, task.area))
        )
        return tuple(officer_fact(one, self.guidance.listed, demand) for one in self.shift.certificates)

    @property
    def labels(self) -> tuple[Label, ...]:
        """What is wrong with a recording made now."""
        task = self.shift.task
        found = crew_labels(self.crew, self.guidance.listed, has_task=task is not None, clock_set=self.clock_set)
        if task is None:
            return found
        others = bool(task.officers) and not {*self.shift.certificates} <= {*task.officers}
        wrong = {Label.MATTER_UNLISTED: not self.asked.listed, Label.OTHER_OFFICERS: others}
        return (*found, *(label for label, holds in wrong.items() if holds))

    @property
    def asked(self) -> Asked:
        """What the lists ask for the task in hand, nothing without one."""
        return Asked() if self.shift.task is None else self.guidance.requires(self.shift.task)


@dataclass(frozen=True)
class Outcome:
    """The new shift, one Chinese line for who asked, what is told of it, `notes` for the journal of the running
    recording (kind, text), and what else is to be done. `done` False: it was refused."""

    shift: Shift
    text: str
    drafts: tuple[EventDraft, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    done: bool = True
