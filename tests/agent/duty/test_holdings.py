"""The account of taking out and handing in: who, when, for what, and what was late."""

from datetime import timedelta
from typing import Any

from agent.duty.case_facts import Label
from agent.duty.holdings import holdings, run_limits
from agent.duty.limits import LimitKind
from agent.wire.canonical import timestamp
from agent.wire.device_events import EventType
from tests.agent.duty.facts import BEGAN, OFFICERS
from tests.agent.duty.test_case_assembly import TAKEN, TASK, event

FIRST, SECOND = OFFICERS


def at(second: int) -> Any:
    return BEGAN + timedelta(seconds=second)


def test_who_took_a_device_out_stands_there_until_it_is_handed_in() -> None:
    told = [
        event(EventType.OFFICER_TOOK_OUT, 0, certificate=FIRST, by="card", labels=[], task=""),
        event(EventType.OFFICER_TOOK_OUT, 1, certificate=SECOND, by="pin", labels=["certificate-expired"], task=""),
        event(EventType.TASK_TAKEN, 2, **TAKEN),
        event(EventType.OFFICER_HANDED_IN, 9, certificate=FIRST, labels=["handed-in-late"], task=TASK),
        event(EventType.OFFICER_HANDED_IN, 10, certificate="示例-000099", labels=[], task=TASK),
        event(EventType.TASK_TAKEN, 11, **{**TAKEN, "task": "T-2026-0002"}),
    ]
    first, second = holdings(told)
    assert (first.certificate, first.by, first.tasks, first.until, first.labels) == (
        FIRST, "card", (TASK,), at(9), (Label.HANDED_IN_LATE,),
    )  # fmt: skip
    assert (second.since, second.tasks, second.until) == (at(1), (TASK, "T-2026-0002"), None)


def test_a_limit_that_passed_is_told_even_when_it_was_met_later() -> None:
    limit = {"limit": LimitKind.EMERGENCY_REPORT.value, "task": TASK, "hours": 24}
    told = [
        event(EventType.LIMIT_STARTED, 0, **limit, due=timestamp(at(86_400))),
        event(EventType.LIMIT_PASSED, 5, **limit),
        event(EventType.LIMIT_MET, 6, **limit, note="已补办"),
        event(EventType.LIMIT_STARTED, 7, **{**limit, "task": "T-2026-0002"}, due=None),
        event(EventType.LIMIT_STARTED, 8, **{**limit, "limit": "unheard-of"}, due=None),
    ]
    first, second = run_limits(told)
    assert (first.due, first.met, first.passed, first.note) == (at(86_400), at(6), True, "已补办")
    assert (second.task, second.due, second.met, second.passed) == ("T-2026-0002", None, None, False)


def test_odd_events_take_nothing_from_the_account() -> None:
    odd: list[Any] = [None, 7, ["x"], {"a": 1}]
    told = [
        event(kind, number, certificate=value, labels=value, task=value, limit=value, due=value, by=value)
        for number, value in enumerate(odd)
        for kind in (EventType.OFFICER_TOOK_OUT, EventType.OFFICER_HANDED_IN, EventType.LIMIT_STARTED)
    ]
    assert (len(holdings(told)), run_limits(told)) == (len(odd), ())
