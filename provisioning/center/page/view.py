"""What the centre's page shows of the fleet and of recordings, as rows and plots of plain words (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.duty.record_use import moment
from agent.evidence.health import HealthReading, parse_reading
from agent.evidence.told import ToldRecording
from agent.wire import canonical
from agent.wire.canonical import parse_timestamp
from agent.wire.device_events import parse_event
from agent.wire.identifiers import RecordingId
from agent.wire.trust import TrustList
from provisioning.center.page.plots import fleet_plots
from provisioning.center.report_plots import Plot
from provisioning.center.summary import SOON_DAYS, DeviceSummary, certificate_days

SHORT_MIB = 8 * 1024  # ours: some four hours at 4 Mbit/s
FLEET = (
    "设备", "在线", "最近联系", "连续至", "未回执", "待补", "缺口", "丢失", "告警", "证书余天", "存储剩余", "电量",
    "状况于", "版本",
)  # fmt: skip
RECORDINGS = ("录制", "开始", "结束", "片段", "链头", "见证")


@dataclass(frozen=True)
class Reading:
    """What a device last told of itself, and when by its own clock."""

    told: HealthReading
    at: datetime


@dataclass(frozen=True)
class Fleet:
    """The fleet's page: counts by name, a row for each device, and plots."""

    counts: Mapping[str, int]
    rows: tuple[Mapping[str, Any], ...]
    plots: tuple[Plot, ...]


def readings(newest: Mapping[str, bytes | None]) -> Mapping[str, Reading]:
    """The readings in the newest health events of devices; one that says nothing readable is left out."""
    found = {}
    for device, body in newest.items():
        event = None if body is None else parse_event(canonical.decode(body))
        told = None if event is None else parse_reading(str(event.data.get("reading", "")))
        if event is not None and told is not None:
            found[device] = Reading(told, event.time)
    return found


def fleet(
    devices: Iterable[DeviceSummary],
    trust: TrustList,
    health: Mapping[str, Reading],
    alarms: Iterable[Mapping[str, Any]],
    now: datetime,
) -> Fleet:
    """Every device that was heard of or is on the trust list, at `now`."""
    known = {row.device: row for row in devices}
    days = certificate_days(trust, now)
    names = sorted({*known, *days})
    rows = tuple(_device(name, known.get(name), days.get(name), health.get(name)) for name in names)
    heard = list(known.values())
    counts = {
        "设备": len(names),
        "在线": sum(row.online for row in heard),
        "有告警": sum(row.alarms > 0 for row in heard),
        "有缺口待补": sum(row.parked > 0 for row in heard),
        "证书将到期": sum(left <= SOON_DAYS for left in days.values()),
        "存储偏少": sum(_is_short(it) for it in health.values()),
    }
    return Fleet(counts, rows, fleet_plots(heard, days, _free(health), alarms, now))


def _free(health: Mapping[str, Reading]) -> dict[str, int]:
    return {name: it.told.free_mib for name, it in health.items() if it.told.free_mib is not None}


def _is_short(reading: Reading) -> bool:
    return reading.told.free_mib is not None and reading.told.free_mib < SHORT_MIB


def recordings(found: Mapping[RecordingId, ToldRecording]) -> tuple[Mapping[str, Any], ...]:
    """A row for each recording that a device told of."""
    return tuple(_recording(name, told) for name, told in sorted(found.items()))


def _device(name: str, row: DeviceSummary | None, days: int | None, health: Reading | None) -> Mapping[str, Any]:
    left = "已吊销或不在清单" if days is None else days
    told = _health(health)
    if row is None:
        return dict(zip(FLEET, (name, "从未联系", "—", 0, 0, 0, 0, 0, 0, left, *told, "—"), strict=True))
    seen = "—" if row.last_seen is None else moment(parse_timestamp(row.last_seen))
    numbers = (row.upto, row.upto - row.receipted, row.parked, row.gaps, row.losses, row.alarms)
    return dict(
        zip(FLEET, (name, "是" if row.online else "否", seen, *numbers, left, *told, row.version or "—"), strict=True)
    )


def _health(health: Reading | None) -> tuple[str, str, str]:
    if health is None:
        return "—", "—", "—"
    told = health.told
    free = "—" if told.free_mib is None else f"{told.free_mib / 1024:.1f} GiB"
    battery = "—" if told.battery_percent is None else f"{told.battery_percent} %"
    return free, battery, moment(health.at)


def _recording(name: RecordingId, told: ToldRecording) -> Mapping[str, Any]:
    last = told.heads[-1] if told.heads else None
    witnesses = sorted({it.witness for it in told.heads if it.witness is not None})
    end = "设备称未能录成" if told.failed else "—" if told.end is None else moment(told.end.at)
    values = (
        name,
        "—" if told.started is None else moment(told.started),
        end,
        0 if last is None else last.sequence,
        "—" if last is None else f"{last.head[:16]}…",
        "、".join(witnesses) or "—",
    )
    return dict(zip(RECORDINGS, values, strict=True))
