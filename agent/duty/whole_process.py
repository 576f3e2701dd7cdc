"""Recording from beginning to end (全过程记录): when such a recording was stopped too early.

A device can tell two things: steps that the list wants recorded without a break were not marked, or the list names the
end as a time of day and it has not come. That the officers had left (离开现场) only people can say. It is a label with
its causes, and a reason is asked for; nothing stops a stop.
"""

import re
from collections.abc import Sequence
from datetime import datetime, time

from agent.duty.case_facts import EarlyStop, Label
from agent.duty.labels import LABEL_WORDS
from agent.duty.task import Manner
from agent.wire.instant import BEIJING

_CLOCK = re.compile(r"(\d{1,2})[:：](\d{2})")
HOURS, MINUTES = 24, 60
SHOWN_STEPS = 60  # characters of them in a cause, ours: with the label it fits a note of the journal


def early_causes(
    manner: Manner, missing: Sequence[str], began: datetime | None, ended: datetime | None
) -> tuple[str, ...]:
    """Why a recording in that `manner` ended too early, one Chinese line each, empty for none. `missing` steps of the
    task; `began` and `ended` are None where no clock could say."""
    if not manner.whole:
        return ()
    lacking = [step for step in missing if step in manner.whole_steps]
    words = "、".join(lacking)
    shown = words if len(words) <= SHOWN_STEPS else f"{words[: SHOWN_STEPS - 1]}…"
    causes = [f"还有 {len(lacking)} 个环节未录（{shown}）"] if lacking else []
    if began is not None and ended is not None and (due := _end(manner.ends)) is not None:
        first, last = began.astimezone(BEIJING), ended.astimezone(BEIJING)
        if first.date() == last.date() and first.time() < due and last.time() < due:
            causes.append(f"未到清单的结束时间 {due:%H:%M}")
    return tuple(causes)


def early_words(stop: EarlyStop) -> str:
    """An early stop in one line, with its reason."""
    return f"{early_label(stop)}；{f'原因：{stop.reason}' if stop.reason else '没有说明原因'}"


def early_label(stop: EarlyStop) -> str:
    """An early stop with the causes by which it is known."""
    return f"{LABEL_WORDS[Label.STOPPED_EARLY]}：{'；'.join(stop.causes)}"


def _end(words: str) -> time | None:
    """The latest time of day that the list names as the end, where it is one."""
    found = (_CLOCK.fullmatch(part.strip()) for part in words.split("；"))
    times = [(int(clock[1]), int(clock[2])) for clock in found if clock]
    return max((time(hour, minute) for hour, minute in times if hour < HOURS and minute < MINUTES), default=None)
