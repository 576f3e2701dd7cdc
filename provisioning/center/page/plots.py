"""The plots of the fleet's page: who lags, is silent, whose card fills, whose certificate ends, what alarms (pure)."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from agent.wire.canonical import parse_timestamp
from provisioning.center.report_plots import WIDTH, Bar, Part, Plot
from provisioning.center.summary import DeviceSummary

MOST_BARS = 20  # ours


def fleet_plots(
    devices: Iterable[DeviceSummary],
    days: Mapping[str, int],
    free_mib: Mapping[str, int],
    alarms: Iterable[Mapping[str, Any]],
    now: datetime,
) -> tuple[Plot, ...]:
    """The five plots; each shows the worst devices first."""
    rows = list(devices)
    hours = {row.device: (now - parse_timestamp(row.last_seen)).total_seconds() / 3600 for row in rows if row.last_seen}
    kinds = Counter(str(row["种类"]) for row in alarms)
    few = f"最多 {MOST_BARS} 台。"
    return (
        Plot("最久没有联系", f"距上次联系的小时数，{few}", _most(hours, lambda it: f"{it:.1f} 小时")),
        Plot("积压", f"已收而未回执、已到而待补的事件，{few}", _lags(rows)),
        Plot("存储剩余", f"设备自报，最少的在前，{few}", _least(free_mib, lambda it: f"{it / 1024:.1f} GiB")),
        Plot("证书余天", f"最先到期的在前，{few}", _least(days, lambda it: f"{it:.0f} 天")),
        Plot("告警", "各种告警的设备次数。", _most(kinds, lambda it: f"{it:.0f}")),
    )


def _lags(rows: Iterable[DeviceSummary]) -> tuple[Bar, ...]:
    lags = sorted(((row.upto - row.receipted, row.parked, row.device) for row in rows), reverse=True)
    shown = [it for it in lags if it[0] + it[1]][:MOST_BARS]
    unit = WIDTH / max((first + second for first, second, _ in shown), default=1)
    return tuple(
        Bar(name, (Part(0, first * unit, "known"), Part(first * unit, second * unit, "bad")), f"{first}，待补 {second}")
        for first, second, name in shown
    )


def _most(values: Mapping[str, float], told: Callable[[float], str]) -> tuple[Bar, ...]:
    return _bars(sorted(values.items(), key=lambda it: (-it[1], it[0])), told)


def _least(values: Mapping[str, float], told: Callable[[float], str]) -> tuple[Bar, ...]:
    return _bars(sorted(values.items(), key=lambda it: (it[1], it[0])), told)


def _bars(ordered: list[tuple[str, float]], told: Callable[[float], str]) -> tuple[Bar, ...]:
    shown = ordered[:MOST_BARS]
    unit = WIDTH / (max((it for _, it in shown), default=0.0) or 1.0)
    return tuple(Bar(name, (Part(0, unit * max(it, 0), "known"),), told(it)) for name, it in shown)
