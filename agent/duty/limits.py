"""Time limits that run: reporting an emergency measure, registered preservation, handing the recorder in.

How long each is comes from the department's signed list (`agent.duty.time_limits`) and is kept as it was when the limit
began. Wall time counts where both ends of it are trusted; else the time since boot, within one boot; else nobody can
say, and that is what is said. Nothing is ever ended or deleted because a limit ran out: it is told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.duty.terms import Term, Unit
from agent.duty.time_limits import LimitKind, TimeLimits
from agent.duty.working_days import WorkCalendar
from agent.wire.instant import Instant, TimeState

_WORDS: Mapping[LimitKind, str] = {
    LimitKind.EMERGENCY_REPORT: "当场实施行政强制措施，应在 {} 内报告并补办批准手续",
    LimitKind.PRESERVATION: "先行登记保存，应在 {} 内作出处理决定",
    LimitKind.HAND_IN: "执法活动结束，应在 {} 内交回记录仪",
}
MEETABLE: Mapping[str, LimitKind] = {
    "emergency": LimitKind.EMERGENCY_REPORT,
    "preservation": LimitKind.PRESERVATION,
}
"""What an officer says to have met, in short words; handing in is seen by itself."""


@dataclass(frozen=True)
class Limit:
    """A limit of `term` that runs since `began`; `due` when it ends, None where the clock was not to be trusted then;
    `told` once it was told that it had passed."""

    kind: LimitKind
    task: str
    began: Instant
    term: Term
    due: datetime | None
    told: bool = False

    @property
    def words(self) -> str:
        """What must be done in time, in Chinese."""
        return limit_words(self.kind, self.term.text)

    def left(self, now: Instant) -> timedelta | None:
        """What is left of it, negative when it has passed; None where no clock can say."""
        same_boot = now.boot == self.began.boot
        passed = timedelta(microseconds=(now.monotonic_ns - self.began.monotonic_ns) // 1000)
        if now.state is not TimeState.UNSET:
            due = self.due
            if due is None and same_boot:  # the clock was set meanwhile, and tells when it was that this began
                due = self.term.due(now.wall - passed, WorkCalendar())
            if due is not None:
                return due - now.wall
        length = self._length()
        return None if length is None or not same_boot else length - passed

    def chinese(self, now: Instant) -> str:
        """One line for the officer."""
        left = self.left(now)
        if left is None:
            return f"{self.words}：时钟未校准，无法计算剩余时间，请人工核对。"
        if left <= timedelta(0):
            return f"{self.words}：已超过时限，请立即办理并说明原因。"
        hours, minutes = divmod(int(left.total_seconds()) // 60, 60)
        return f"{self.words}：还剩 {hours} 小时 {minutes} 分。"

    def _length(self) -> timedelta | None:
        if self.due is not None:
            return self.due - self.began.wall
        return None if self.term.unit is Unit.WORKING_DAYS else timedelta(hours=self.term.hours or 0)


def begin(kind: LimitKind, task: str, now: Instant, limits: TimeLimits) -> Limit:
    """The limit of `kind` that runs from `now`, as long as `limits` say."""
    term = limits.of(kind).term
    due = None if now.state is TimeState.UNSET else term.due(now.wall, limits.calendar)
    return Limit(kind, task, now, term, due)


def limit_words(kind: LimitKind, term: str) -> str:
    """What must be done within `term` (in Chinese)."""
    return _WORDS[kind].format(term)


def has_passed(limit: Limit, now: Instant) -> bool:
    """Whether `limit` is known to have passed."""
    left = limit.left(now)
    return left is not None and left <= timedelta(0)


def due_monotonic_ns(limit: Limit, now: Instant) -> int | None:
    """The monotonic nanosecond at which `limit` passes, as it is known now; None where it cannot be known."""
    left = limit.left(now)
    return None if left is None else now.monotonic_ns + int(max(left, timedelta(0)).total_seconds() * 1e9)
