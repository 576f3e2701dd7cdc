"""The device's health trail: readings of its own state, signed in the journal, and what a report says of them.

The rules of evidence ask whether a device ran normally and was watched for errors (民事诉讼证据规定 2019, article 93).
A reading is the note of a `health` journal event, words `name=value` with spaces between, of which only what was
measured is there:

    why   start, interval, change or end      bat  battery, percent         chg   1: on external power
    tmp   hottest sensor, millidegrees C      free storage left, MiB        clk   where the clock got its time
    gap   interruptions so far                flt  faults so far            cut   what the device had given up (0 to 3)

`gap` and `flt` count since the program started. What a sensor says is signed, not proved.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.evidence.journal import HEALTH, JournalEvent
from agent.evidence.places import Examined
from agent.wire.instant import TimeState

MAX_NUMBER = 10**9  # ours; a larger one in a note is no reading of ours
HOT_MC = 80_000  # reference/reliability.md, fault 25: from here on the device gives things up
LOW_PERCENT = 10  # likewise, fault 26


@dataclass(frozen=True)
class HealthReading:
    """One reading; None for what nothing measured. `given_up` is `agent.control.governor.Measure` as a number."""

    why: str
    clock: TimeState
    gaps: int
    faults: int
    given_up: int
    battery_percent: int | None = None
    charging: bool | None = None
    temperature_mc: int | None = None
    free_mib: int | None = None

    def encode(self) -> str:
        """The note of its journal event, at most 100 characters."""
        values = {
            "why": self.why,
            "bat": self.battery_percent,
            "chg": None if self.charging is None else int(self.charging),
            "tmp": self.temperature_mc,
            "free": self.free_mib,
            "clk": self.clock.value,
            "gap": self.gaps,
            "flt": self.faults,
            "cut": self.given_up,
        }
        return " ".join(f"{name}={value}" for name, value in values.items() if value is not None)

    @property
    def chinese(self) -> str:
        """The reading in words."""
        words = [
            _WHY.get(self.why, self.why),
            "" if self.battery_percent is None else f"电量 {self.battery_percent}%",
            "外接电源" if self.charging else "",
            "" if self.temperature_mc is None else f"温度 {self.temperature_mc / 1000:.1f} ℃",
            "" if self.free_mib is None else f"存储剩余 {self.free_mib} MiB",
            f"时钟 {self.clock.chinese}",
            f"开机以来中断 {self.gaps} 次、故障 {self.faults} 次",
            _GIVEN_UP.get(self.given_up, ""),
        ]
        return "，".join(word for word in words if word)


_WHY = {"start": "开始", "interval": "定时", "change": "变化", "end": "结束"}
_GIVEN_UP = {1: "已停上传", 2: "已停上传、降码率", 3: "已停止录制"}


def parse_reading(note: str) -> HealthReading | None:
    """The reading in a note; None when it is not exactly one that `encode` writes."""
    words = dict(word.split("=", 1) for word in note.split(" ") if "=" in word)
    numbers = {name: _number(words.get(name)) for name in ("bat", "chg", "tmp", "free", "gap", "flt", "cut")}
    try:
        reading = HealthReading(
            words["why"],
            TimeState(words["clk"]),
            numbers["gap"] or 0,
            numbers["flt"] or 0,
            numbers["cut"] or 0,
            numbers["bat"],
            None if numbers["chg"] is None else bool(numbers["chg"]),
            numbers["tmp"],
            numbers["free"],
        )
    except (KeyError, ValueError):
        return None
    return reading if reading.encode() == note else None


def readings(segments: Sequence[Examined]) -> list[tuple[JournalEvent, HealthReading]]:
    """Every reading that was signed into a recording, in order."""
    events = [event for segment in segments for _, event in segment.events if event.kind == HEALTH]
    found = [(event, parse_reading(event.note)) for event in events]
    return [(event, reading) for event, reading in found if reading is not None]


def health_lines(segments: Sequence[Examined]) -> list[str]:
    """What the device measured of itself while it recorded, in Chinese; last, whether anything speaks against its
    having run normally. A quantity without a sensor is named as not measured."""
    found = [reading for _, reading in readings(segments)]
    if not found:
        return ["录制中没有设备状况读数，设备是否正常运行无从说明。"]
    states = "、".join(sorted({reading.clock.chinese for reading in found}))
    gaps, faults = found[-1].gaps - found[0].gaps, found[-1].faults - found[0].faults
    return [
        f"设备状况读数 {len(found)} 次：{_battery(found)}；{_heat(found)}；{_storage(found)}；时钟状态 {states}；"
        f"期间中断 {max(0, gaps)} 次，故障 {max(0, faults)} 次。",
        _conclusion(found),
    ]


def _conclusion(found: Sequence[HealthReading]) -> str:
    against = [
        text
        for text, holds in (
            ("温度过高", any((it.temperature_mc or 0) >= HOT_MC for it in found)),
            ("电量过低", any(it.battery_percent is not None and it.battery_percent <= LOW_PERCENT for it in found)),
            ("设备降级运行", any(it.given_up for it in found)),
            ("有中断", found[-1].gaps > found[0].gaps),
            ("有故障", found[-1].faults > found[0].faults),
            ("时钟未校准", any(it.clock is TimeState.UNSET for it in found)),
        )
        if holds
    ]
    if against:
        return f"设备运行中有异常：{'、'.join(against)}。以上为设备自测并签名，不是第三方检测。"
    return "就所测各项而言，设备录制期间运行正常。以上为设备自测并签名，不是第三方检测。"


def _battery(found: Sequence[HealthReading]) -> str:
    values = [it.battery_percent for it in found if it.battery_percent is not None]
    if not values:
        return "电量未测"
    powered = "，曾接外部电源" if any(it.charging for it in found) else ""
    return f"电量 {values[0]}% 至 {values[-1]}%，最低 {min(values)}%{powered}"


def _heat(found: Sequence[HealthReading]) -> str:
    values = [it.temperature_mc for it in found if it.temperature_mc is not None]
    return f"温度最高 {max(values) / 1000:.1f} ℃" if values else "温度未测"


def _storage(found: Sequence[HealthReading]) -> str:
    values = [it.free_mib for it in found if it.free_mib is not None]
    return f"存储最少剩余 {min(values)} MiB" if values else "存储余量未测"


def _number(text: str | None) -> int | None:
    if text is None or not text.lstrip("-").isascii() or not text.lstrip("-").isdigit() or len(text) > 10:
        return None
    return int(text) if abs(int(text)) <= MAX_NUMBER else None
