"""What the device must tell its bearer of its own state; `agent.control.health_desk` says which hold."""

from collections.abc import Mapping
from enum import StrEnum

from agent.control.governor import Measure
from agent.control.storage_policy import Tier


class Alarm(StrEnum):
    """One thing that is wrong now. Shown by whatever indicates; each has a line for people in `ALARM_TEXTS`."""

    BATTERY_LOW = "battery-low"
    BATTERY_EMPTY = "battery-empty"
    HOT = "hot"
    TOO_HOT = "too-hot"
    STORAGE_LOW = "storage-low"
    STORAGE_SHORT = "storage-short"
    STORAGE_FULL = "storage-full"


ALARM_TEXTS: Mapping[Alarm, str] = {
    Alarm.BATTERY_LOW: "电量低，已暂停上传以保录制。请尽快充电或换电池。",
    Alarm.BATTERY_EMPTY: "电量将尽，录制已停止并封存。请立即充电，充电后可再录制。",
    Alarm.HOT: "设备温度高，已暂停上传并视需要降低码率，录制不停。请移到阴凉处。",
    Alarm.TOO_HOT: "设备过热，录制已停止并封存。请移到阴凉处，降温后可再录制。",
    Alarm.STORAGE_LOW: "存储空间偏少。请尽快回所导出录像。",
    Alarm.STORAGE_SHORT: "存储空间即将用尽。请立即导出录像或更换存储卡。",
    Alarm.STORAGE_FULL: "存储空间已用尽，录制中断，已录部分已封存，未有回执的不会删除。请导出录像，腾出空间。",
}
TIER_ALARMS: Mapping[Tier, Alarm] = {
    Tier.LOW: Alarm.STORAGE_LOW,
    Tier.SHORT: Alarm.STORAGE_SHORT,
    Tier.FULL: Alarm.STORAGE_FULL,
}


def strain_alarm(held: Measure, *, by_battery: bool) -> Alarm | None:
    """The alarm for what the governor holds."""
    if held is Measure.NONE:
        return None
    if held is Measure.RECORDING_STOPPED:
        return Alarm.BATTERY_EMPTY if by_battery else Alarm.TOO_HOT
    return Alarm.BATTERY_LOW if by_battery else Alarm.HOT
