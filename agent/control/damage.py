"""What the chain says of waiting events that are damaged."""

from agent.control.effects import EventDraft, EventsDamaged, StoreEvent
from agent.wire.device_events import OVERSIZE, DamagedRun, EventType
from agent.wire.instant import Instant


def declare_damage(run: DamagedRun, at: Instant) -> StoreEvent:
    """Declare `run` lost and put its rows aside, in one transaction."""
    draft = EventDraft(
        f"events-lost/{run.first}-{run.last}/{run.digest[:16]}", EventType.EVENTS_LOST, at, run.as_data()
    )
    return StoreEvent(draft, EventsDamaged(run))


def damage_alarm(run: DamagedRun) -> str:
    """One line for people."""
    if run.reason == OVERSIZE:
        return f"第 {run.first} 号事件超过消息服务器的大小上限，已另存并向中心申报，其余照常发送。请调高服务器上限。"
    numbers = f"第 {run.first} 号" if run.first == run.last else f"第 {run.first} 至 {run.last} 号"
    return f"{numbers}待发事件已损坏，已隔离并向中心申报，其余照常发送。请检查存储卡。"
