"""What `duty.json` says of officers, task and steps, as far as it says it: anything else in it costs nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from agent.errors import SenderFault
from agent.page.found import read_json
from agent.wire import canonical
from agent.wire.instant import BEIJING

MAX_DUTY_BYTES = 1024 * 1024  # ours; with a draft of 500 lines among the answers
MAX_STEPS, MAX_TEXT, MAX_MESSAGE = 40, 60, 100  # ours; for the eye
MEET = {"emergency-report": "emergency", "registered-preservation": "preservation"}  # agent.duty.limits.MEETABLE
NAMES = ("title", "name", "text", "id")  # under which an object in duty.json may carry what people read
_T = TypeVar("_T")


@dataclass(frozen=True)
class RunningLimit:
    """A time limit in words; `meet` is what an officer says to have met it by, empty where that is seen by itself."""

    text: str
    meet: str


@dataclass(frozen=True)
class Holder:
    """An officer who has the device; `wrong` is what the personnel list says against him."""

    certificate: str
    name: str
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class Waiting:
    """A task that can be taken."""

    task: str
    title: str


@dataclass(frozen=True)
class StepLine:
    """A step of the task; `reason` why it is missing, as far as somebody said."""

    number: int
    text: str
    marked: bool
    reason: str


@dataclass(frozen=True)
class Duty:
    """What is said of the task in hand (`number`; `major` the factors that make it one, `major_open` those not known
    yet), and of single recordings; `steps_missing` are those for which nobody gave a reason; `asked` says how to
    record, `asking` that a reason is waited for, `reasons` which are offered; `labels` are what is wrong now,
    `recording` what runs; `early` that one was stopped too early; `causes` are codes and words for
    an interruption; `message` is the last line that the centre had shown, with its time; `limits` run on the device,
    whatever its task."""

    task: str = ""
    steps_missing: tuple[str, ...] = ()
    recordings: Mapping[str, "Duty"] = field(default_factory=dict)
    message: str = ""
    limits: tuple[RunningLimit, ...] = ()
    number: str = ""
    major: tuple[str, ...] = ()
    major_open: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    officers: tuple[Holder, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    steps: tuple[StepLine, ...] = ()
    asked: tuple[str, ...] = ()
    asking: bool = False
    reasons: tuple[str, ...] = ()
    recording: str = ""
    early: str = ""
    causes: tuple[tuple[str, str], ...] = ()


def read_duty(path: Path) -> Duty:
    """`duty.json`; empty where there is none or it is something else than expected."""
    told = read_json(path, MAX_DUTY_BYTES)
    if not isinstance(told, dict):
        return Duty()
    task = _object(told, "task")
    return Duty(
        _name(told.get("task")),
        _missing(told),
        {str(name): _of_recording(it) for name, it in _objects_of(told.get("recordings"))},
        _message(told),
        tuple(filter(lambda it: it.text, _each(told, "limits", _limit))),
        _name(task.get("id")),
        _texts(task, "major"),
        _texts(task, "major_open"),
        _texts(told, "labels"),
        _each(told, "officers", _holder),
        _each(told, "waiting", lambda it: Waiting(_name(it.get("id")), _name(it.get("title")))),
        _steps(told),
        _asked(_object(told, "asked")),
        bool(_name(told.get("asking_reason"))),
        _texts(told, "reasons"),
        _name(told.get("recording")),
        causes=_each(told, "interruptions", lambda it: (_name(it.get("code")), _name(it.get("text")))),
    )


def _of_recording(told: Mapping[str, Any]) -> Duty:
    early = told.get("early")
    return Duty(_name(told.get("task")), _missing(told), early=_shown(early) if isinstance(early, str) else "")


def _missing(told: Mapping[str, Any]) -> tuple[str, ...]:
    given = _object(told, "reasons_given")
    return tuple(step for step in _texts(told, "steps_missing") if step not in given)


def _steps(told: Mapping[str, Any]) -> tuple[StepLine, ...]:
    given, marked = _object(told, "reasons_given"), {_name(it.get("step")) for it in _rows(told, "steps_marked", None)}
    found = enumerate(_texts(told, "steps_required"), 1)
    return tuple(StepLine(number, text, text in marked, _name(given.get(text))) for number, text in found)


def _asked(told: Mapping[str, Any]) -> tuple[str, ...]:
    """When to begin and end and how to record, a line each."""
    methods = [*_texts(told, "methods"), *(["全过程不间断"] if told.get("whole") is True else [])]
    lines = {"开始": _name(told.get("starts")), "停止": _name(told.get("ends")), "方式": "；".join(methods)}
    lines["载体"] = "；".join(_texts(told, "carriers"))
    return tuple(f"{name}：{words}" for name, words in lines.items() if words)


def _holder(told: Mapping[str, Any]) -> Holder:
    return Holder(_name(told.get("certificate")), _name(told.get("name", "")), _texts(told, "texts"))


def _limit(told: Mapping[str, Any]) -> RunningLimit:
    return RunningLimit(_name(told.get("text")), MEET.get(_name(told.get("limit")), ""))


def _message(told: Mapping[str, Any]) -> str:
    message: Any = told.get("message")
    try:
        at, text = canonical.parse_timestamp(message["at"]).astimezone(BEIJING), message["text"]
    except (KeyError, TypeError, SenderFault):
        return ""
    shown = _shown(str(text))[:MAX_MESSAGE]
    return f"{at:%m-%d %H:%M} {shown}" if shown else ""


def _each(told: Mapping[str, Any], name: str, read: Callable[[Mapping[str, Any]], _T]) -> tuple[_T, ...]:
    return tuple(read(it) for it in _rows(told, name, MAX_STEPS))


def _rows(told: Mapping[str, Any], name: str, most: int | None) -> list[dict[str, Any]]:
    found = told.get(name)
    return [it for it in found[:most] if isinstance(it, dict)] if isinstance(found, list) else []


def _texts(told: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = told.get(name)
    words = [_name(it) for it in found[:MAX_STEPS]] if isinstance(found, list) else []
    return tuple(word for word in words if word)


def _object(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _objects_of(value: Any) -> list[tuple[Any, dict[str, Any]]]:
    return [(name, it) for name, it in value.items() if isinstance(it, dict)] if isinstance(value, dict) else []


def _name(value: Any) -> str:
    """A text, or what an object calls itself."""
    if isinstance(value, dict):
        value = next((value[key] for key in NAMES if isinstance(value.get(key), str)), "")
    return _shown(value)[:MAX_TEXT] if isinstance(value, str) else ""


def _shown(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
