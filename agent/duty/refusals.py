"""What devices refused, for whoever oversees: forged or outdated rules, tasks for another device, wrong cards.

A refusal stops nothing and names nobody; it stands here so that somebody asks.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.wire.device_events import DeviceEvent, EventType
from agent.wire.identifiers import DeviceId

WHAT: Mapping[EventType, tuple[str, str]] = {
    EventType.DISCLOSURE_REFUSED: ("公示、执法规则", "code"),
    EventType.TASK_REFUSED: ("任务", "code"),
    EventType.OFFICER_REFUSED: ("领用", "reason"),
}
"""What was refused, and the field that says why."""
WHY: Mapping[str, str] = {
    "signature": "签名不可信",
    "two-people": "编辑与审核是同一人",
    "content": "内容不合规则",
    "topic": "与主题不符",
    "district": "不是本区的",
    "audience": "不是发给本机的",
    "expired": "已过有效期",
    "older-version": "比已采用的旧",
    "same-version": "同一版本内容不同",
    "withdrawn": "已撤回",
    "other-device": "派给其他设备",
    "malformed": "内容不全或格式不对",
    "outdated": "已过期",
    "already-taken": "已经领取过",
    "kind": "本机不执行的命令",
    "unknown-card": "未登记的卡",
    "wrong-pin": "PIN 不对",
    "locked": "PIN 多次不对，暂不受理",
}
"""A code that is not here is shown as it is."""


@dataclass(frozen=True)
class Refused:
    """`what` was refused by `device`, and why, in words."""

    at: datetime
    device: DeviceId
    what: str
    why: str


def refusals(events: Iterable[DeviceEvent]) -> Iterator[Refused]:
    """Every refusal that `events` tell of, in their order."""
    for event in events:
        if event.type in WHAT:
            what, field = WHAT[event.type]
            code = str(event.data.get(field, ""))
            yield Refused(event.time, event.device, what, WHY.get(code, code))
