"""Time limits that begin on scene: reporting an emergency measure, registered preservation, handing the recorder in.

Wall time counts where both ends of it are trusted; else the time since boot, within one boot; else nobody can say, and
that is what is said. Nothing is ever ended or deleted because a limit ran out: it is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from agent.wire.instant import Instant, TimeState


class LimitKind(StrEnum):
    """What must be done in time."""

    EMERGENCY_REPORT = "emergency-report"
    PRESERVATION = "registered-preservation"
    HAND_IN = "hand-in"


LENGTHS: Mapping[LimitKind, timedelta] = {
    LimitKind.EMERGENCY_REPORT: timedelta(hours=24),  # 行政强制法 19: 二十四小时内向行政机关负责人报告
    LimitKind.PRESERVATION: timedelta(days=7),  # 行政处罚法 56: 七日内及时作出处理决定
    LimitKind.HAND_IN: timedelta(hours=24),  # reference REC-20: into unit storage within 24 h
}
LIMIT_WORDS: Mapping[LimitKind, str] = {
    LimitKind.EMERGENCY_REPORT: "当场实施行政强制措施，应在 24 小时内报告并补办批准手续",
    LimitKind.PRESERVATION: "先行登记保存，应在 7 日内作出处理决定",
    LimitKind.HAND_IN: "执法活动结束，应在 24 小时内交回记录仪",
}
MEETABLE: Mapping[str, LimitKind] = {
    "emergency": LimitKind.EMERGENCY_REPORT,
    "preservation": LimitKind.PRESERVATION,
}
"""What an officer says to have met, in short words; handing in is seen by itself."""
STEP_WORDS: Mapping[LimitKind, tuple[str, ...]] = {
    LimitKind.EMERGENCY_REPORT: ("当场强制措施", "当场实施行政强制措施", "紧急强制措施"),
    LimitKind.PRESERVATION: ("先行登记保存",),
}
"""Words of a step that begin a limit when it is marked."""


@dataclass(frozen=True)
class Limit:
    """A limit that runs since `began`; `told` once it was told that it had passed."""

    kind: LimitKind
    task: str
    began: Instant
    told: bool = False

    @property
    def due(self) -> datetime | None:
        """When it ends; None where the clock was not to be trusted when it began."""
        return None if self.began.state is TimeState.UNSET else self.began.wall + LENGTHS[self.kind]

    def left(self, now: Instant) -> timedelta | None:
        """What is left of it, negative when it has passed; None where no clock can say."""
        due = self.due
        if due is not None and now.state is not TimeState.UNSET:
            return due - now.wall
        if now.boot != self.began.boot:
            return None
        return LENGTHS[self.kind] - timedelta(microseconds=(now.monotonic_ns - self.began.monotonic_ns) // 1000)

    def chinese(self, now: Instant) -> str:
        """One line for the officer."""
        left = self.left(now)
        if left is None:
            return f"{LIMIT_WORDS[self.kind]}：时钟未校准，无法计算剩余时间，请人工核对。"
        if left <= timedelta(0):
            return f"{LIMIT_WORDS[self.kind]}：已超过时限，请立即办理并说明原因。"
        hours, minutes = divmod(int(left.total_seconds()) // 60, 60)
        return f"{LIMIT_WORDS[self.kind]}：还剩 {hours} 小时 {minutes} 分。"


def begun_by(step: str) -> tuple[LimitKind, ...]:
    """The limits that marking `step` begins."""
    return tuple(kind for kind, words in STEP_WORDS.items() if any(word in step for word in words))


def has_passed(limit: Limit, now: Instant) -> bool:
    """Whether `limit` is known to have passed."""
    left = limit.left(now)
    return left is not None and left <= timedelta(0)


def due_monotonic_ns(limit: Limit, now: Instant) -> int | None:
    """The monotonic nanosecond at which `limit` passes, as it is known now; None where it cannot be known."""
    left = limit.left(now)
    return None if left is None else now.monotonic_ns + int(max(left, timedelta(0)).total_seconds() * 1e9)
