"""Before duty: may this recorder be taken out? One table of rules over what was observed.

Each item passes, asks for attention or fails, in one Chinese line that names the next step. What could not be measured
asks for attention and never passes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from agent.control.governor import LADDER
from agent.control.storage_policy import StoragePolicy
from agent.wire.instant import BEIJING, Instant, TimeState

CERTIFICATE_SOON = timedelta(days=30)  # ours: time for the bench to issue another
SYNC_SOON, SYNC_LATE = timedelta(hours=24), timedelta(days=7)  # REC-20: handed over within 24 h
CLOCK_ERROR_MS = 1000  # ours: what is burned into the picture is told to the second


class Level(StrEnum):
    """How an item stands."""

    PASS = "pass"  # noqa: S105 - a level, no word of entry
    ATTENTION = "attention"
    FAIL = "fail"


class Presence(StrEnum):
    """Whether a camera or a microphone is there."""

    THERE = "there"
    MISSING = "missing"
    SYNTHETIC = "synthetic"
    """A test scene or tone takes its place."""
    FILE = "file"
    """A film from a file takes its place."""
    UNKNOWN = "unknown"
    """Cannot be said without using it, as of a camera on the network."""
    UNWANTED = "unwanted"
    """The configuration asks for none."""


NO_SOUND = (Presence.MISSING, Presence.SYNTHETIC, Presence.UNWANTED)


@dataclass(frozen=True)
class Board:
    """What the board says against itself; False also where it says nothing. `clock_lost`: its battery-backed clock is
    there and has no time."""

    under_voltage: bool = False
    throttled: bool = False
    clock_lost: bool = False


@dataclass(frozen=True)
class Observed:
    """What was seen just now; `now` as the agent knows it, where it runs. `valid_until` is the earliest end of the
    device's certificates; `last_sync` the last receipt of the centre, `waiting` how many events have none."""

    now: Instant
    battery_percent: int | None
    charging: bool | None
    free_bytes: int | None
    temperature_mc: int | None
    camera: Presence
    microphone: Presence
    valid_from: datetime
    valid_until: datetime
    last_sync: datetime | None
    waiting: int
    planned_hours: float
    battery_hours: float
    storage: StoragePolicy
    board: Board = Board()
    accepted: bool | None = None  # None: nobody asks, its folder was made at the bench
    revoked_at: datetime | None = None  # of its evidence key, by the trust list that it has


@dataclass(frozen=True)
class Item:
    """One line of the list; `name` is stable for programs."""

    name: str
    level: Level
    text: str


Verdict = tuple[Level, str]


def self_check(seen: Observed) -> list[Item]:
    """Every item, in the order of the table."""
    return [Item(name, *rule(seen)) for name, rule in RULES]


def worst(items: list[Item]) -> Level:
    """Fail before attention before pass."""
    return max((item.level for item in items), key=list(Level).index, default=Level.PASS)


def _battery(seen: Observed) -> Verdict:
    if seen.battery_percent is None:
        return Level.ATTENTION, "电量读不到。请看设备电量灯，或检查电池与电量计。"
    hours = seen.battery_percent / 100 * seen.battery_hours
    told = f"电量 {seen.battery_percent}%，约可录 {hours:.1f} 小时，计划 {seen.planned_hours:g} 小时"
    if seen.charging or hours >= seen.planned_hours:
        return Level.PASS, f"{told}。"
    if seen.battery_percent <= LADDER[0].low_percent:
        return Level.FAIL, f"{told}。请充电后再出勤。"
    return Level.ATTENTION, f"{told}。请充电或带备用电池。"


def _storage(seen: Observed) -> Verdict:
    if seen.free_bytes is None:
        return Level.FAIL, "存储读不到。请检查存储卡。"
    hours = seen.storage.hours_left(seen.free_bytes)
    told = f"存储还可录 {hours:.1f} 小时，计划 {seen.planned_hours:g} 小时"
    if hours >= seen.planned_hours:
        return Level.PASS, f"{told}。"
    short = hours <= seen.storage.short_hours
    return Level.FAIL if short else Level.ATTENTION, f"{told}。请先导出已回执的录像或更换存储卡。"


def _heat(seen: Observed) -> Verdict:
    if seen.temperature_mc is None:
        return Level.ATTENTION, "温度读不到，高温时不能自动降级。请检查配置 [duty] sensors，并避免暴晒。"
    told = f"温度 {seen.temperature_mc / 1000:.1f} ℃"
    hot = seen.temperature_mc >= LADDER[0].hot_mc
    return (Level.ATTENTION, f"{told}，过高。请降温后再出勤。") if hot else (Level.PASS, f"{told}。")


def _board(seen: Observed) -> Verdict:
    board = seen.board
    if board.under_voltage:
        return Level.FAIL, "供电电压不足，可能突然断电。请更换电源、电池或供电线后再出勤。"
    if board.throttled:
        return Level.ATTENTION, "处理器已被降频，录像可能丢帧。请降温并检查供电。"
    if board.clock_lost:
        return Level.ATTENTION, "后备时钟没有时间，断网开机后时钟将未校准。请更换时钟电池并联网校时。"
    return Level.PASS, "主板没有报告欠压、降频或后备时钟失效。"


def _clock(seen: Observed) -> Verdict:
    now = seen.now
    if not seen.valid_from <= now.wall:
        return Level.FAIL, "时钟早于本机证书的签发时间，明显不对。请联网或在空旷处校时后再出勤。"
    if now.state is TimeState.UNSET:
        return Level.ATTENTION, "时钟未校准，录像时间将标为不可信。请联网或在空旷处校时。"
    if now.error_ms is None or now.error_ms > CLOCK_ERROR_MS:
        return Level.ATTENTION, f"时钟来源为{now.state.chinese}，误差可能超过 1 秒。请联网校时。"
    return Level.PASS, f"时钟已校准（{now.state.chinese}），误差不超过 {now.error_ms} 毫秒。"


def _camera(seen: Observed) -> Verdict:
    return {
        Presence.THERE: (Level.PASS, "摄像头在。"),
        Presence.MISSING: (Level.FAIL, "找不到摄像头。请检查排线、USB 与配置 [capture] camera。"),
        Presence.SYNTHETIC: (Level.FAIL, "没有摄像头，只会录合成画面。请检查摄像头与配置 [capture] camera。"),
        Presence.FILE: (Level.ATTENTION, "画面来源是文件，非摄像头，只供演示。上岗前请改正配置 [capture] camera。"),
        Presence.UNKNOWN: (Level.ATTENTION, "网络摄像头未在此连接。请试录一段后用 liuhen-verify 查看。"),
        Presence.UNWANTED: (Level.ATTENTION, "配置为只录音，不录画面。"),
    }[seen.camera]


def _microphone(seen: Observed) -> Verdict:
    if seen.camera is Presence.UNWANTED and seen.microphone in NO_SOUND:
        return Level.FAIL, "不录画面，也没有声音可录：什么也录不下来。请检查配置 [capture] camera 与 audio。"
    return {
        Presence.THERE: (Level.PASS, "麦克风在。"),
        Presence.MISSING: (Level.ATTENTION, "找不到麦克风，将只录画面。请检查声卡与配置 [capture] audio。"),
        Presence.SYNTHETIC: (Level.ATTENTION, "没有麦克风，只会录测试音。请检查配置 [capture] audio。"),
        Presence.UNKNOWN: (Level.ATTENTION, "声音随网络摄像头或文件而来，未在此检查。"),
        Presence.UNWANTED: (Level.ATTENTION, "配置为不录音。"),
    }[seen.microphone]


def _certificate(seen: Observed) -> Verdict:
    if seen.revoked_at is not None:
        since = seen.revoked_at.astimezone(BEIJING)
        return Level.FAIL, f"证书已于 {since:%Y-%m-%d %H:%M} 吊销，本机的签名不再被接受。请交技术员。"
    left = seen.valid_until - seen.now.wall
    if left <= timedelta(0):
        return Level.FAIL, f"证书已于 {seen.valid_until:%Y-%m-%d} 过期。请交技术员重新发证。"
    told = f"证书还有 {left.days} 天（至 {seen.valid_until:%Y-%m-%d}）"
    return (Level.ATTENTION, f"{told}。请交技术员换证。") if left < CERTIFICATE_SOON else (Level.PASS, f"{told}。")


def _sync(seen: Observed) -> Verdict:
    if seen.last_sync is None:
        return Level.ATTENTION, f"还没有收到过中心回执，{seen.waiting} 条事件待发。请先联网同步一次。"
    since = seen.now.wall - seen.last_sync
    told = f"上次回执 {max(0, int(since.total_seconds() // 3600))} 小时前，{seen.waiting} 条事件待发"
    if seen.waiting == 0 or since <= SYNC_SOON:
        return Level.PASS, f"{told}。"
    return Level.FAIL if since > SYNC_LATE else Level.ATTENTION, f"{told}。请联网或放入采集站同步。"


def _acceptance(seen: Observed) -> Verdict:
    if seen.accepted is False:
        return Level.ATTENTION, "未验收：可以录制，证据有效；请交技术员验收后再配备使用。"
    return Level.PASS, "已由发证机构验收。" if seen.accepted else "由工作台发放，无须验收。"


RULES: tuple[tuple[str, Callable[[Observed], Verdict]], ...] = (
    ("battery", _battery),
    ("storage", _storage),
    ("heat", _heat),
    ("board", _board),
    ("clock", _clock),
    ("camera", _camera),
    ("microphone", _microphone),
    ("certificate", _certificate),
    ("sync", _sync),
    ("acceptance", _acceptance),
)
"""The one table."""
