"""What the pages about recordings say, as rows and plain words (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent.duty.case_papers import FoundPaper
from agent.duty.record_use import moment
from agent.duty.review_elements import VERDICT_WORDS
from agent.wire.device_events import DeviceEvent, EventType
from agent.wire.identifiers import RecordingId
from agent.wire.recording_receipts import RecordingReceipt

COLUMNS = ("录像", "设备", "任务", "开始", "结束", "片段", "中心", "检验", "回执")
ENDS = (EventType.RECORDING_SEALED, EventType.RECORDING_RECOVERED)
NOT_SEEN = "尚未检验"


def rows(told: Iterable[DeviceEvent]) -> list[dict[str, Any]]:
    """A row for each recording that one device told of, in its order, without what only the centre knows."""
    by_name: dict[str, list[DeviceEvent]] = {}
    for event in told:
        by_name.setdefault(str(event.data.get("recording", "")), []).append(event)
    return [_row(name, events) for name, events in sorted(by_name.items()) if name]


def one(
    recording: RecordingId, told: Sequence[DeviceEvent], verdict: str, receipt: RecordingReceipt | None
) -> Mapping[str, Any]:
    """One recording's facts as name and value, its marked steps, and the event whose proof is offered."""
    row = _row(recording, told)
    end = next((event for event in reversed(told) if event.type in ENDS), None)
    facts = {name: row[name] for name in ("设备", "任务", "开始", "结束", "片段")}
    facts |= {"链头": "—" if end is None else str(end.data.get("head", "—")), "检验结论": verdict_words(verdict)}
    facts |= _receipt_facts(receipt)
    steps = [
        {"环节": str(it.data.get("step", "")), "片段": it.data.get("sequence", ""), "时间": moment(it.time)}
        for it in told if it.type is EventType.STEP_MARKED
    ]  # fmt: skip
    number = (end or told[-1]).devseq
    return {"facts": facts, "steps": steps, "proof": number, "good": verdict in ("complete", "explained-gap")}


def verdict_words(verdict: str) -> str:
    """A verdict for people; `NOT_SEEN` for none."""
    return VERDICT_WORDS.get(verdict, verdict) if verdict else NOT_SEEN


def paper_lines(found: Iterable[FoundPaper]) -> list[str]:
    """What lies beside it, by title and number where it could be read."""
    return [_paper_line(it) for it in found]


def _paper_line(it: FoundPaper) -> str:
    if it.paper is not None:
        return f"《{it.paper.title}》{it.paper.number}"
    return f"{it.name}（已加密，未用存档密钥打开）" if it.sealed else f"{it.name}（损坏，无法读取）"


def _receipt_facts(receipt: RecordingReceipt | None) -> Mapping[str, str]:
    if receipt is None:
        return {"录像回执": "中心没有签发"}
    opened = "已打开检验" if receipt.opened else "未打开，只核对了字节"
    signed = f"{receipt.receiver} 于 {moment(receipt.received_at)} 签发，{receipt.size} 字节，{opened}"
    return {"录像回执": signed, "存储期限": receipt.retention or "尚未归类"}


def _row(name: str, told: Sequence[DeviceEvent]) -> dict[str, Any]:
    kinds = {event.type: event for event in told}
    started = kinds.get(EventType.RECORDING_STARTED)
    end = next((kinds[kind] for kind in ENDS if kind in kinds), None)
    tasks = dict.fromkeys(str(event.data["task"]) for event in told if event.data.get("task"))
    ended = "设备称未能录成" if EventType.RECORDING_REFUSED in kinds else "—" if end is None else moment(end.time)
    if EventType.RECORDING_DELETED in kinds:
        ended = f"{ended}，设备已按期限删除"
    values = (
        name, told[0].device, "、".join(tasks) or "—", "—" if started is None else moment(started.time), ended,
        "—" if end is None else end.data.get("fragments", "—"),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=False))
