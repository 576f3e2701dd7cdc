"""Who had which device when, and which limits ran: the account of taking out and handing in (领用台账)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from agent.duty.case_facts import Label
from agent.duty.takings import is_task
from agent.duty.time_limits import KNOWN, LimitKind
from agent.duty.told_facts import labels
from agent.errors import SenderFault
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, EventType
from agent.wire.identifiers import DeviceId


@dataclass(frozen=True)
class Holding:
    """An officer had `device` from `since` to `until` (None: has it still); `by` card or pin, `tasks` what was taken
    meanwhile."""

    device: DeviceId
    certificate: str
    by: str
    since: datetime
    tasks: tuple[str, ...] = ()
    until: datetime | None = None
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class RunLimit:
    """A limit of `task` that began at `begun`; `due` None where the clock was not set; `met` None until somebody says
    with `note` that it was done; `term` how long it is, in words."""

    device: DeviceId
    kind: LimitKind
    task: str
    begun: datetime
    due: datetime | None
    met: datetime | None = None
    passed: bool = False
    note: str = ""
    term: str = ""


def holdings(events: Iterable[DeviceEvent]) -> tuple[Holding, ...]:
    """Every taking out, by device and time; `events` of each device in the order of its chain."""
    ended: list[Holding] = []
    out: dict[tuple[DeviceId, str], Holding] = {}
    for event in events:
        key, task = (event.device, str(event.data.get("certificate"))), event.data.get("task")
        told = labels(found if isinstance(found := event.data.get("labels"), list) else ())
        if event.type is EventType.OFFICER_TOOK_OUT:
            tasks = (str(task),) if is_task(task) else ()
            out[key] = Holding(*key, str(event.data.get("by")), event.time, tasks, labels=told)
        elif event.type is EventType.OFFICER_HANDED_IN and key in out:
            held = out.pop(key)
            ended.append(replace(held, until=event.time, labels=tuple(dict.fromkeys((*held.labels, *told)))))
        elif event.type is EventType.TASK_TAKEN and is_task(task):
            out |= {of: _with_task(held, str(task)) for of, held in out.items() if held.device == event.device}
    return tuple(sorted([*ended, *out.values()], key=lambda it: (it.device, it.since, it.certificate)))


def run_limits(events: Iterable[DeviceEvent]) -> tuple[RunLimit, ...]:
    """Every limit, by device and beginning; `events` of each device in the order of its chain."""
    found: list[RunLimit] = []
    running: dict[tuple[DeviceId, str, str], int] = {}
    for event in events:
        key = event.device, str(event.data.get("limit")), str(event.data.get("task"))
        if event.type is EventType.LIMIT_STARTED and key[1] in set(LimitKind):
            running[key] = len(found)
            kind = LimitKind(key[1])
            found.append(RunLimit(event.device, kind, key[2], event.time, _due(event), term=_term(event, kind)))
        elif event.type is EventType.LIMIT_MET and key in running:
            note = str(event.data.get("note", ""))
            found[running[key]] = replace(found[running[key]], met=event.time, note=note)
        elif event.type is EventType.LIMIT_PASSED and key in running:
            found[running[key]] = replace(found[running[key]], passed=True)
    return tuple(sorted(found, key=lambda it: (it.device, it.begun, it.kind)))


def _with_task(held: Holding, task: str) -> Holding:
    return replace(held, tasks=tuple(dict.fromkeys((*held.tasks, task))))


def _term(event: DeviceEvent, kind: LimitKind) -> str:
    """How long it is; events of before there were lists say nothing, or only hours."""
    told = event.data.get("term")
    return told if isinstance(told, str) else KNOWN[kind].term.text


def _due(event: DeviceEvent) -> datetime | None:
    try:
        return Fields("时限", dict(event.data)).optional_moment("due")
    except SenderFault:
        return None
