"""What the centre's page shows of the fleet and of recordings, as rows and plots of plain words (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.duty.record_use import moment
from agent.evidence.told import ToldRecording
from agent.wire.canonical import parse_timestamp
from agent.wire.identifiers import RecordingId
from agent.wire.trust import TrustList
from provisioning.center.report_plots import WIDTH, Bar, Part, Plot
from provisioning.center.summary import DeviceSummary

SOON_DAYS = 30  # ours: a certificate is renewed in its last month
MOST_BARS = 20
FLEET = ("设备", "在线", "最近联系", "连续至", "未回执", "待补", "缺口", "丢失", "告警", "证书余天")
RECORDINGS = ("录制", "开始", "结束", "片段", "链头", "见证")


@dataclass(frozen=True)
class Fleet:
    """The fleet's page: counts by name, a row for each device, one plot."""

    counts: Mapping[str, int]
    rows: tuple[Mapping[str, Any], ...]
    plots: tuple[Plot, ...]


def fleet(devices: Iterable[DeviceSummary], trust: TrustList, now: datetime) -> Fleet:
    """Every device that was heard of or is on the trust list, at `now`."""
    known = {row.device: row for row in devices}
    days = _certificate_days(trust, now)
    names = sorted({*known, *days})
    rows = tuple(_device(name, known.get(name), days.get(name)) for name in names)
    heard = list(known.values())
    counts = {
        "设备": len(names),
        "在线": sum(row.online for row in heard),
        "有告警": sum(row.alarms > 0 for row in heard),
        "有缺口待补": sum(row.parked > 0 for row in heard),
        "证书将到期": sum(left <= SOON_DAYS for left in days.values()),
    }
    return Fleet(counts, rows, (_silence(heard, now),))


def recordings(found: Mapping[RecordingId, ToldRecording]) -> tuple[Mapping[str, Any], ...]:
    """A row for each recording that a device told of."""
    return tuple(_recording(name, told) for name, told in sorted(found.items()))


def _certificate_days(trust: TrustList, now: datetime) -> dict[str, int]:
    """Days that each device's newest certificate still holds; a revoked one does not."""
    days: dict[str, int] = {}
    for credential in trust.credentials.values():
        if credential.role.value in ("recorder", "kiosk") and credential.revoked_at is None:
            left = (credential.certificate.not_valid_after_utc - now).days
            days[credential.subject] = max(left, days.get(credential.subject, left))
    return days


def _device(name: str, row: DeviceSummary | None, days: int | None) -> Mapping[str, Any]:
    left = "已吊销或不在清单" if days is None else days
    if row is None:
        return dict(zip(FLEET, (name, "从未联系", "—", 0, 0, 0, 0, 0, 0, left), strict=True))
    seen = "—" if row.last_seen is None else moment(parse_timestamp(row.last_seen))
    numbers = (row.upto, row.upto - row.receipted, row.parked, row.gaps, row.losses, row.alarms)
    return dict(zip(FLEET, (name, "是" if row.online else "否", seen, *numbers, left), strict=True))


def _silence(rows: Iterable[DeviceSummary], now: datetime) -> Plot:
    hours = {row.device: (now - parse_timestamp(row.last_seen)).total_seconds() / 3600 for row in rows if row.last_seen}
    longest = sorted(hours.items(), key=lambda it: -it[1])[:MOST_BARS]
    most = max((it for _, it in longest), default=0.0) or 1.0
    bars = tuple(Bar(name, (Part(0, WIDTH * max(it, 0) / most, "known"),), f"{it:.1f} 小时") for name, it in longest)
    return Plot("最久没有联系", f"距上次联系的小时数，最多 {MOST_BARS} 台。", bars)


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
