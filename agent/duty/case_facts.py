"""What is known of one task when it is over: the facts that documents, receipts, reviews and figures are made from.

Facts come from signed events and sealed recordings; who assembles them says from which. Nobody's name stands in here
beyond what the published personnel list names, and the party is a pseudonym (PIPL article 19).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent.wire.identifiers import DeviceId, Digest, RecordingId


class Label(StrEnum):
    """What is wrong with a recording in the eyes of the rules. A label never stops a recording (DESIGN section 4)."""

    NO_TASK = "no-task"
    SINGLE_OFFICER = "single-officer"
    NOT_ON_ROSTER = "not-on-roster"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CHECK_MISSING = "annual-check-missing"
    WRONG_CATEGORY = "wrong-category"
    WRONG_AREA = "wrong-area"
    STEPS_MISSING = "steps-missing"
    POLICY_MISSING = "policy-missing"
    POLICY_OUTDATED = "policy-outdated"
    CLOCK_UNSET = "clock-unset"
    HANDED_IN_LATE = "handed-in-late"
    EMERGENCY_LATE = "emergency-report-late"
    PRESERVATION_LATE = "preservation-late"
    TOLD_DIFFERENTLY = "task-told-differently"
    TASK_BY_FILE = "task-by-file"
    MAJOR_OPEN = "major-open"
    MATTER_UNLISTED = "matter-unlisted"
    OTHER_OFFICERS = "other-officers"
    LIST_INCOMPLETE = "list-incomplete"
    LIMIT_LOOSENED = "limit-loosened"
    STOPPED_EARLY = "stopped-early"


@dataclass(frozen=True)
class Span:
    """Fragments `first`..`last` of a recording; the wall times of their beginning and end as the device knew them."""

    recording: RecordingId
    first: int
    last: int
    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class OfficerFact:
    """An officer who was there, by the number of the certificate (证件编号), as the roster of version `roster_version`
    had it when the task began."""

    certificate: str
    unit: str
    roster_version: int
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class StepFact:
    """A step of the recording list (记录内容) that was marked; `repeated` counts further marks of the same step."""

    step: str
    span: Span
    repeated: int = 0


@dataclass(frozen=True)
class GapFact:
    """An interruption; `reason` is a code of `agent.evidence.reasons`, `explained` as the verifier judged it, `words`
    the reason in Chinese with the cause that an officer gave in brackets, such as 人为暂停（检查场所变化）."""

    span: Span
    reason: str
    explained: bool
    words: str = ""

    @property
    def told(self) -> str:
        """Why, for people."""
        return self.words or self.reason or "原因不明"


class Served(StrEnum):
    """What became of a document (送达): the words of the rules."""

    SIGNED = "当事人签收"
    REFUSED = "当事人拒签"
    ABSENT = "当事人不在场"
    NOT_SERVED = "未送达"


@dataclass(frozen=True)
class DocumentFact:
    """A document that was made out: its number (文号), template with version, SHA-256 of the exact bytes printed."""

    number: str
    template: str
    title: str
    digest: Digest
    served: Served
    span: Span | None


@dataclass(frozen=True)
class RecordingFact:
    """A recording of the task. `verdict` is a word of `liuhen-verify`; `policies` the versions of the policies in force
    by name `kind.id`; `head` the end of its chain."""

    recording: RecordingId
    device: DeviceId
    verdict: str
    begins: datetime
    ends: datetime
    fragments: int
    size: int
    head: Digest
    policies: Mapping[str, int]
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class EarlyStop:
    """A recording that had to go on to the end and was stopped before; `causes` by which that is known, in Chinese.
    `reason` is what an officer said, `code` where it is one of the department's; empty while nobody did."""

    recording: RecordingId
    causes: tuple[str, ...]
    reason: str = ""
    code: str = ""


@dataclass(frozen=True)
class CaseFacts:
    """All facts of one task. `required` are the steps that the recording list asked for, in its order; `reasons` why
    a missing one is missing, as the officer said; `major` the factors of the catalogue that made it a major decision,
    empty where it is none, `major_open` those that were not known on scene and may; `assigned` the officers that the
    task named, `holders` those who took a device out for it, by certificate; `confirmation` what the party did with the
    checksum; `transfer` why it was flagged that the conduct may be a crime (涉嫌犯罪), empty where nobody did; `early`
    are recordings from beginning to end that were stopped before it."""

    task: str
    unit: str
    category: str
    matter: str
    party: str
    began: datetime
    ended: datetime | None
    required: tuple[str, ...]
    officers: tuple[OfficerFact, ...] = ()
    recordings: tuple[RecordingFact, ...] = ()
    steps: tuple[StepFact, ...] = ()
    reasons: Mapping[str, str] | None = None
    gaps: tuple[GapFact, ...] = ()
    documents: tuple[DocumentFact, ...] = ()
    confirmation: Served | None = None
    retention: str = ""
    major: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    transfer: str = ""
    major_open: tuple[str, ...] = ()
    assigned: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    early: tuple[EarlyStop, ...] = ()

    @property
    def people(self) -> tuple[str, ...]:
        """The certificates of all who had to do with it: there, named by the task, or holding a device for it."""
        there = (officer.certificate for officer in self.officers)
        return tuple(dict.fromkeys((*there, *self.assigned, *self.holders)))

    @property
    def missing(self) -> tuple[str, ...]:
        """The required steps that nobody marked, in the list's order."""
        marked = {fact.step for fact in self.steps}
        return tuple(step for step in self.required if step not in marked)
