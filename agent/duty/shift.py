"""What a recorder remembers of its officers' duty across restarts: one value, kept in the same transaction as the event
that changed it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from agent.duty.case_facts import Label
from agent.duty.enrolment import Enrolled
from agent.duty.limits import Limit, begin
from agent.duty.papers import PaperShelf, parse_shelf
from agent.duty.steps import Mark, StepSheet
from agent.duty.task import Task, parse_task
from agent.duty.terms import parse_term
from agent.duty.time_limits import LimitKind, TimeLimits
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.identifiers import Digest, RecordingId, digest, parse_recording_id
from agent.wire.instant import Instant, TimeState

REMEMBERED_TASKS = 512  # ours: numbers of ended tasks, so that a file or a command is taken once; 10 KB
MAX_MARKS = 500  # ours: repeated marks before these are events only
MAX_STOPPED, MAX_WAITING = 32, 16  # ours


@dataclass(frozen=True)
class Out:
    """An officer who has the device: by card or by PIN, since when (UTC)."""

    certificate: str
    by: str
    since: str


@dataclass(frozen=True)
class Closed:
    """A recording that is over: the task it was for, its first and last moment (UTC as told), and its chain's end;
    `officers` had the device then, or stood in the task."""

    recording: RecordingId
    task: str
    began: str
    ended: str
    fragments: int
    head: Digest
    officers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stopped:
    """A recording that was told to stop: the task it was for (empty for none), the steps that were missing, and the
    officers, as in `Closed`; `early` are the causes by which it ended too early, `reason` why, as an officer said."""

    recording: str
    task: str
    missing: tuple[str, ...]
    officers: tuple[str, ...] = ()
    early: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Shift:
    """`asking` is the recording, or the task, whose end left steps missing until somebody says why; `waiting` are tasks
    that came while another was in hand; `stopped` are recordings as they were when they stopped, `closed` those that
    are sealed; `papers` were made here; `wrong_pins` counts wrong PINs
    in a row by certificate, with the monotonic time and boot of the last; `message` is the last line that the centre
    had shown, `message_at` when (UTC)."""

    enrolled: tuple[Enrolled, ...] = ()
    out: tuple[Out, ...] = ()
    task: Task | None = None
    source: str = ""
    sheet: StepSheet = field(default_factory=StepSheet)
    limits: tuple[Limit, ...] = ()
    asking: str = ""
    ended: tuple[str, ...] = ()
    wrong_pins: tuple[tuple[str, int, int, str], ...] = ()
    waiting: tuple[Task, ...] = ()
    stopped: tuple[Stopped, ...] = ()
    closed: tuple[Closed, ...] = ()
    papers: PaperShelf = field(default_factory=lambda: PaperShelf({}))
    message: str = ""
    message_at: str = ""

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical.encode(
            {
                "asking": self.asking,
                "closed": [asdict(one) for one in self.closed[-MAX_STOPPED:]],
                "ended": list(self.ended),
                "enrolled": [asdict(one) for one in self.enrolled],
                "limits": [_limit_json(limit) for limit in self.limits],
                "message": [self.message, self.message_at],
                "out": [asdict(one) for one in self.out],
                "papers": self.papers.as_json(),
                "sheet": {
                    "marks": [asdict(mark) for mark in _kept_marks(self.sheet)],
                    "reasons": [list(pair) for pair in self.sheet.reasons],
                    "required": list(self.sheet.required),
                },
                "source": self.source,
                "stopped": [_stopped_json(one) for one in self.stopped[-MAX_STOPPED:]],
                "task": None if self.task is None else self.task.as_json(),
                "waiting": [task.as_json() for task in self.waiting],
                "wrong_pins": [[who, wrong, str(at), boot] for who, wrong, at, boot in self.wrong_pins],
            }
        )

    def entry(self, certificate: str) -> Enrolled | None:
        """What is kept of that officer."""
        return next((one for one in self.enrolled if one.certificate == certificate), None)

    @property
    def certificates(self) -> tuple[str, ...]:
        """Who has the device, in the order of taking it."""
        return tuple(one.certificate for one in self.out)


def parse_shift(data: bytes) -> Shift:
    """The inverse of `Shift.encode`; raises `SenderFault` for anything else."""
    try:
        value = canonical.decode_object(data)
        sheet = value["sheet"]
        return Shift(
            tuple(Enrolled(**one) for one in value["enrolled"]),
            tuple(Out(**one) for one in value["out"]),
            None if value["task"] is None else parse_task(value["task"]),
            value["source"],
            StepSheet(
                tuple(sheet["required"]),
                tuple(_mark(one) for one in sheet["marks"]),
                tuple((step, reason) for step, reason in sheet["reasons"]),
            ),
            tuple(_limit(one) for one in value["limits"]),
            value["asking"],
            tuple(value["ended"]),
            tuple((who, wrong, int(at), boot) for who, wrong, at, boot in value["wrong_pins"]),
            tuple(parse_task(one) for one in value["waiting"]),
            tuple(_stopped(*one) for one in value["stopped"]),
            # A shift that was kept before there were papers has neither.
            tuple(_closed(one) for one in value.get("closed", ())),
            parse_shelf(value.get("papers", {"notes": (), "used": {}})),
            *value.get("message", ("", "")),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SenderFault("本机保存的值勤状态无法读取，已从空白开始。请重新领用本机、领取任务。") from error


def label_words(labels: tuple[Label, ...]) -> list[str]:
    """Labels as an event carries them."""
    return [label.value for label in labels]


def _kept_marks(sheet: StepSheet) -> list[Mark]:
    """The first mark of every step that is asked for, whatever came after it, and the newest."""
    newest = len(sheet.marks) - MAX_MARKS
    asked = set(sheet.required)
    return [it for at, it in enumerate(sheet.marks) if at >= newest or (not it.repeated and it.step in asked)]


def _mark(value: Mapping[str, Any]) -> Mark:
    return Mark(**{**value, "recording": parse_recording_id(value["recording"])})


def _stopped_json(one: Stopped) -> list[Any]:
    return [one.recording, one.task, list(one.missing), list(one.officers), list(one.early), one.reason]


def _stopped(
    recording: str,
    task: str,
    missing: Iterable[str],
    officers: Iterable[str] = (),
    early: Iterable[str] = (),
    reason: str = "",
) -> Stopped:
    return Stopped(recording, task, tuple(missing), tuple(officers), tuple(early), reason)


def _closed(value: Mapping[str, Any]) -> Closed:
    checked = {"recording": parse_recording_id(value["recording"]), "head": digest(value["head"])}
    return Closed(**{**value, **checked, "officers": tuple(value.get("officers", ()))})


def _limit_json(limit: Limit) -> dict[str, Any]:
    began = limit.began
    return {
        "at": canonical.timestamp(began.wall),
        "boot": began.boot,
        "due": None if limit.due is None else canonical.timestamp(limit.due),
        "error_ms": began.error_ms,
        "kind": limit.kind.value,
        "ns": str(began.monotonic_ns),
        "state": began.state.value,
        "task": limit.task,
        "term": limit.term.text,
        "told": limit.told,
    }


def _limit(value: Mapping[str, Any]) -> Limit:
    wall, state = canonical.parse_timestamp(value["at"]), TimeState(value["state"])
    began = Instant(wall, int(value["ns"]), value["boot"], state, value["error_ms"])
    kind, task = LimitKind(value["kind"]), value["task"]
    if "term" not in value:  # it was kept before there were lists of them
        return replace(begin(kind, task, began, TimeLimits()), told=value["told"])
    due = None if value["due"] is None else canonical.parse_timestamp(value["due"])
    return Limit(kind, task, began, parse_term(value["term"], "时限"), due, value["told"])
