"""What the officer's page shows, from what stands on the disk: rows of words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.page.found import FoundRecording, Standing
from agent.page.found_duty import Duty
from agent.wire import canonical
from agent.wire.identifiers import RecordingId, recording_number
from agent.wire.instant import BEIJING

TONES = {"complete": "good", "explained-gap": "fair", "unexplained-gap": "poor", "missing": "poor"}
LEVELS = {"pass": ("合格", "good"), "attention": ("注意", "fair"), "fail": ("不合格", "bad")}
UNSEALED = {
    Standing.RUNNING: ("正在录制", "live", "停止录制并封存后检验。"),
    Standing.OPEN: ("未封存", "poor", "上次没有正常结束；设备下次启动时自动封存。"),
}
ENCRYPTED = ("已加密", "quiet", "封存后已加密，本机不能再读；送达中心后由中心检验、播放。")
WAITING = ("等待检验", "quiet", "空闲时自动检验，无需操作。")
NOT_EXAMINED, CALL = "未能检验", "未能检验，请找技术员。"
SYNTHETIC = "合成画面，不是摄像头拍摄。"
STOPPED = "记录仪程序没有运行，现在不能录制。请重新开机，仍不行请找技术员。"
STEPS_MISSING = "应录环节未标记"  # as `agent.evidence.duty_findings` begins that line
BROKER_LOST = "与消息服务器断开"  # as `agent.control.uplink` begins that alarm
SURE, UNSURE = "", "＊"  # as in the watermark: the clock was not set


@dataclass(frozen=True)
class GapLine:
    """An interruption that nobody has explained yet: the fragment before it, when it was, what the device says."""

    sequence: int
    at: str
    words: str


@dataclass(frozen=True)
class Row:
    """One recording. `tone` is a style's name; `picture` and `plays` say whether they can be had; `gaps` wait for an
    explanation."""

    recording: RecordingId
    number: str
    started: str
    length: str
    verdict: str
    tone: str
    notes: tuple[str, ...]
    task: str
    missing: tuple[str, ...]
    examined: str
    picture: bool
    plays: bool
    segments: tuple[str, ...]
    gaps: tuple[GapLine, ...] = ()


@dataclass(frozen=True)
class CheckLine:
    """One line of the self-check."""

    word: str
    tone: str
    text: str


def rows(found: Sequence[FoundRecording], told: Mapping[RecordingId, Mapping[str, Any]], duty: Duty) -> list[Row]:
    """One row for each recording; `told` are verdicts as `agent.page.examiner` prints them."""
    return [_row(it, told.get(it.recording), duty) for it in found]


def of_today(found: Sequence[FoundRecording], now: datetime) -> list[FoundRecording]:
    """Those of this day in Beijing, and whatever still runs: a clock that is not set knows no day."""
    today = now.astimezone(BEIJING).date()
    return [it for it in found if it.standing is Standing.RUNNING or it.started.astimezone(BEIJING).date() == today]


def check_lines(told: Any) -> list[CheckLine]:
    """The self-check as `liuhen-agent check --json` prints it, what fails first; empty when there is none."""
    items = told.get("items") if isinstance(told, dict) else None
    lines = [it for it in items if isinstance(it, dict)] if isinstance(items, list) else []
    ranks = {level: rank for rank, level in enumerate(reversed(LEVELS))}
    known = sorted((it for it in lines if it.get("level") in LEVELS), key=lambda it: ranks[it["level"]])
    return [CheckLine(*LEVELS[it["level"]], str(it.get("text", ""))[:120]) for it in known]


def status_lines(told: Any) -> list[str]:
    """What else `liuhen-agent status --json` says that an officer should know."""
    if not isinstance(told, dict):
        return []
    running = [] if told.get("running") is not False else [STOPPED]
    waiting = [f"{told['waiting']} 条事件等待中心回执。"] if isinstance(told.get("waiting"), int) else []
    fault = latest_fault(str(told.get("last_error") or ""))[:160]
    offload = [f"录像上传：{str(told['offload'])[:160]}。".replace("。。", "。")] if told.get("offload") else []
    return [*running, *waiting, *offload, *([f"最近的问题{fault}"] if fault else [])]


def latest_fault(stored: str) -> str:
    """The last error as `agent.adapters.store` keeps it (a moment in UTC, then a line), in Beijing time and in the
    words of an officer: （截至 11-22 23:15）：…; empty for none."""
    moment, _, text = stored.partition(" ")
    try:
        at = canonical.parse_timestamp(moment).astimezone(BEIJING)
    except SenderFault:
        return f"：{stored}" if stored else ""
    cause, stop, rest = text.partition("。")
    if cause.startswith(BROKER_LOST):
        text = f"连不上消息服务器{stop}{rest}"
    return f"（截至 {at:%m-%d %H:%M}）：{text}"


def _row(found: FoundRecording, told: Mapping[str, Any] | None, duty: Duty) -> Row:
    verdict, tone, note = _standing(found, told)
    own = duty.recordings.get(found.recording) or (duty if found.standing is Standing.RUNNING else Duty())
    plain = found.standing is Standing.SEALED and not found.encrypted
    return Row(
        found.recording,
        f"第 {recording_number(found.recording)} 次",
        f"{found.started.astimezone(BEIJING):%m-%d %H:%M}{SURE if found.sure else UNSURE}",
        _length(told, found.size),
        verdict,
        tone,
        tuple(filter(None, (note, own.early, *_lines(told, own.steps_missing)))),
        own.task,
        own.steps_missing,
        _examined(told),
        told is not None and told.get("picture") is True,
        plain,
        found.segments if plain else (),
        _gaps(told) if found.standing is Standing.SEALED else (),
    )


def _gaps(told: Mapping[str, Any] | None) -> tuple[GapLine, ...]:
    found = (told or {}).get("gaps")
    lines = [it for it in found if isinstance(it, dict)] if isinstance(found, list) else []
    return tuple(
        GapLine(it["sequence"], str(it.get("at", "")), str(it.get("words", "")))
        for it in lines
        if isinstance(it.get("sequence"), int)
    )


def not_examined(code: int, complaint: str) -> dict[str, Any]:
    """What is told of a recording whose examination ended with `code`: its own line where it is one of ours, never the
    words of a crash."""
    ours = code in {fault.exit_code for fault in (OperatorFault, SenderFault, EnvironmentFault)} and complaint
    return {"verdict": "", "chinese": NOT_EXAMINED, "lines": [complaint[:120] if ours else CALL]}


def _examined(told: Mapping[str, Any] | None) -> str:
    try:
        at = canonical.parse_timestamp((told or {})["examined"])
    except (KeyError, TypeError, SenderFault):
        return ""
    return f"检验于 {at.astimezone(BEIJING):%m-%d %H:%M}"


def _standing(found: FoundRecording, told: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if found.standing is not Standing.SEALED:
        return UNSEALED[found.standing]
    if found.encrypted:
        return ENCRYPTED
    if told is None:
        return WAITING
    return str(told.get("chinese", "")), TONES.get(str(told.get("verdict")), "bad"), ""


def _lines(told: Mapping[str, Any] | None, missing: Sequence[str]) -> list[str]:
    if told is None:
        return []
    synthetic = [SYNTHETIC] if told.get("synthetic") else []
    recovered = ["曾断电，由下次启动封存。"] if told.get("recovered") else []
    found = [str(line) for line in told.get("lines", [])]
    once = [line for line in found if not (missing and line.startswith(STEPS_MISSING))]  # the row names them itself
    return [*synthetic, *recovered, *once]


def _length(told: Mapping[str, Any] | None, size: int) -> str:
    mega = f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{max(1, size // 1000)} kB"
    if told is None or not isinstance(told.get("duration_s"), int):
        return mega
    minutes, seconds = divmod(told["duration_s"], 60)
    return f"{minutes} 分 {seconds:02d} 秒 · {mega}"
