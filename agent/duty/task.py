"""A task: what the officers are to do, for whom, and what must be recorded of it.

It comes as the body of a signed command or from a file that the officer picks; the same words in both. The party is a
pseudonym; no name, number or address stands in a task (个人信息保护法 19).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent.duty.entries import Entry
from agent.duty.major_catalogue import MajorMatter
from agent.duty.masking import check_masked
from agent.duty.retention import longest, parse_retention
from agent.duty.steps import MAX_STEP
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import parse_loose
from agent.wire.identifiers import DeviceId, device_id

OTHER_DEVICE, OTHER_UNIT, MALFORMED = "other-device", "other-unit", "malformed"
OUTDATED, TAKEN, TOO_MANY = "outdated", "already-taken", "too-many-waiting"
NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")  # ours: task numbers and pseudonyms
MAX_OFFICERS, MAX_STAGES = 8, 32  # ours
MAX_STEPS = 200  # ours: the longest published list has 13 for one matter


@dataclass(frozen=True)
class Manner:
    """How it is to be recorded, in the words of the list: when to begin and to end, by what methods and on what
    carriers; `whole`: from beginning to end without a break, with `whole_steps` in it."""

    starts: str = ""
    ends: str = ""
    methods: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    whole: bool = False
    whole_steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What the signed lists ask for a task: `steps` in the list's order, `retention` in its words (empty: no list has
    the matter), the factors that make it a major decision, and those that are not known yet and may. `listed` False:
    the list on the device has no such matter; `unknown_stages` of the task stand in no list either."""

    steps: tuple[str, ...] = ()
    retention: str = ""
    major: tuple[str, ...] = ()
    major_open: tuple[str, ...] = ()
    listed: bool = True
    unknown_stages: tuple[str, ...] = ()
    manner: Manner = Manner()


@dataclass(frozen=True)
class Task:
    """`officers` are certificate numbers, empty where the task leaves it open; `required` the steps in the words of the
    recording list, empty until the list on the device is asked; `about` is what the catalogue of major decisions asks
    for, `major` the factors that make it a major one, `major_open` those that are not known yet and may. `stages` are
    the 记录环节 that are to be recorded, in the words of the list; empty: all of the matter's."""

    task: str
    device: DeviceId
    unit: str
    category: str
    matter: str
    area: str
    party: str
    officers: tuple[str, ...]
    required: tuple[str, ...]
    retention: str
    major: tuple[str, ...]
    not_after: datetime | None
    about: MajorMatter
    major_open: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The task as it stands in a command, a file and the device's memory."""
        until = self.not_after
        about = self.about
        return {
            "amount": about.amount,
            "area": self.area,
            "category": self.category,
            "device": self.device,
            "domain": about.domain,
            "impact": about.impact,
            "level": about.level,
            "major": list(self.major),
            "major_open": list(self.major_open),
            "matter": self.matter,
            "not_after": None if until is None else canonical.timestamp(until),
            "officers": list(self.officers),
            "party": self.party,
            "required": list(self.required),
            "retention": self.retention,
            "stages": list(self.stages),
            "task": self.task,
            "unit": self.unit,
        }


def parse_task(value: Any) -> Task:
    """A task from its decoded JSON; raises `SenderFault` naming the field."""
    if not isinstance(value, Mapping):
        raise SenderFault("任务应为一个 JSON 对象，未采用。", MALFORMED)
    entry = Entry("任务", 1, check_masked("任务", value))
    until = value.get("not_after")
    _check_printable(value)
    try:
        return Task(
            _name(entry, "task"),
            device_id(entry.text("device")),
            entry.text("unit"),
            entry.text("category"),
            entry.text("matter"),
            _optional(entry, value, "area"),
            _name(entry, "party"),
            _several(entry, value, "officers", MAX_OFFICERS),
            checked_steps(_several(entry, value, "required", MAX_STEPS)),
            _term(entry, value),
            _several(entry, value, "major", MAX_STEPS),
            None if until is None else canonical.parse_timestamp(until),
            _about(entry, value),
            _several(entry, value, "major_open", MAX_STEPS),
            _several(entry, value, "stages", MAX_STAGES),
        )
    except SenderFault as fault:
        raise SenderFault(f"{fault}任务未采用，录制不受影响。", MALFORMED) from fault


def read_task(text: str) -> Any:
    """The JSON of a task file as somebody wrote it, not canonical; raises `SenderFault`."""
    try:
        return parse_loose(text)
    except ValueError as error:
        raise SenderFault(f"任务文件不是有效的 JSON（{str(error)[:60]}），未采用。", MALFORMED) from error


def for_this(task: Task, device: DeviceId, unit: str, now: datetime | None) -> Task:
    """Return `task` when it is this device's, of its own `unit` (which decides who reviews it) and in time (`now` None:
    the clock cannot tell); raises `SenderFault`."""
    if task.device != device:
        text = f"任务 {task.task} 派给设备 {task.device}，本机是 {device}，未采用。请在该设备上领取，或请派单人改派。"
        raise SenderFault(text, OTHER_DEVICE)
    if task.unit != unit:
        text = f"任务 {task.task} 属于 {task.unit}，本机属于 {unit}，未采用。请在该单位的设备上领取，或请派单人改派。"
        raise SenderFault(text, OTHER_UNIT)
    if now is not None and task.not_after is not None and now > task.not_after:
        raise SenderFault(f"任务 {task.task} 已过期，未采用。请派单人重新派发。", OUTDATED)
    return task


def with_list(task: Task, asked: Asked) -> Task:
    """`task` with what the lists on the device ask for its matter. A task may ask for more steps and for a longer term,
    never for less than the signed lists: it may be a file that anybody wrote."""
    steps = (_printable(step)[:MAX_STEP] for step in (*asked.steps, *task.required))
    terms = [parse_retention(words) for words in (asked.retention, task.retention) if words]
    term = longest(terms)
    return replace(
        task,
        required=tuple(dict.fromkeys(steps))[: 2 * MAX_STEPS],
        retention="" if term is None else term.text,
        major=tuple(dict.fromkeys((*asked.major, *task.major))),
        major_open=tuple(dict.fromkeys((*asked.major_open, *task.major_open))),
    )


def checked_steps(steps: tuple[str, ...]) -> tuple[str, ...]:
    """Return `steps` when each fits a note and stands once; raises `SenderFault`."""
    if len(set(steps)) != len(steps):
        raise SenderFault("应录环节有重复。", MALFORMED)
    if any(len(step) > MAX_STEP for step in steps):
        raise SenderFault(f"应录环节每项不超过 {MAX_STEP} 字。", MALFORMED)
    return steps


def _printable(words: str) -> str:
    return "".join(letter for letter in words if letter.isprintable())


def _check_printable(value: Mapping[str, Any]) -> None:
    """Raise `SenderFault` for words that could steer a terminal or turn the text beside them around."""
    for name, words in value.items():
        texts = words if isinstance(words, list) else [words]
        if any(isinstance(text, str) and not text.isprintable() for text in texts):
            raise SenderFault(f"任务的“{name[:40]}”含有不可显示的字符，任务未采用，录制不受影响。请改正。", MALFORMED)


def _name(entry: Entry, field: str) -> str:
    text = entry.text(field)
    if not NAME.fullmatch(text):
        raise SenderFault(f"任务的“{field}”应为字母、数字和短横，不写姓名。", MALFORMED)
    return text


def _about(entry: Entry, value: Mapping[str, Any]) -> MajorMatter:
    amount = value.get("amount")
    if amount is not None and (type(amount) is not int or not 0 <= amount <= canonical.MAX_INTEGER):
        raise SenderFault("任务的“amount”应为整数元。", MALFORMED)
    level, domain, impact = (_optional(entry, value, name) for name in ("level", "domain", "impact"))
    return MajorMatter(entry.text("category"), level, domain, amount, impact)


def _term(entry: Entry, value: Mapping[str, Any]) -> str:
    words = _optional(entry, value, "retention")
    return words and parse_retention(words, "任务的“retention”").text


def _optional(entry: Entry, value: Mapping[str, Any], field: str) -> str:
    return entry.text(field) if value.get(field) else ""


def _several(entry: Entry, value: Mapping[str, Any], field: str, limit: int) -> tuple[str, ...]:
    found = entry.texts(field) if value.get(field) else ()
    if len(found) > limit:
        raise SenderFault(f"任务的“{field}”超过 {limit} 项。请派单人拆分后重新派发。", MALFORMED)
    return found
