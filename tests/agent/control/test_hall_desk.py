"""The kiosk host's desk for its screen: nothing is lost, nothing twice, nothing strange gets into the chain."""

import json

from agent.control.effects import RaiseAlarm
from agent.control.hall_desk import TELL_EVERY_NS, HallDesk
from agent.control.hall_messages import KeepFacts, OutgoingRead, OutgoingSettled, ReadOutgoing, ShowHeard
from agent.control.messages import LinkDown, LinkUp, TimePassed
from agent.wire.device_events import EventType
from agent.wire.hall_facts import MAX_FACT_BYTES, FactKind, HallFact
from tests.support.clocks import SteppedClock

HEAD = HallFact("display-00000001", FactKind.DISPLAY_HEAD, {"at": "x", "head": "y", "seq": 1, "state": "normal"})
UP, DOWN = LinkUp(1, 10, 1000), LinkDown(1, "gone")


def test_a_fact_becomes_an_event_under_its_own_id_and_its_file_goes_only_with_it() -> None:
    desk, now = HallDesk(), SteppedClock().read()
    [kept] = desk.heard(OutgoingRead((("a.json", HEAD.encode()),)), now)
    assert isinstance(kept, KeepFacts)
    [order] = kept.orders
    assert (order.draft.event_id, order.draft.type) == ("hall/display-00000001", EventType.DISPLAY_HEAD_ADVANCED)
    assert kept.names == ("a.json",)


def test_strange_files_are_put_aside_with_one_alarm_and_stop_nobody_else() -> None:
    extra = json.loads(HEAD.encode())
    extra["data"]["name"] = "somebody"
    strange = [b"", b"{}", b"x" * (MAX_FACT_BYTES + 1), HEAD.encode().replace(b"display-head", b"door-opened"),
               json.dumps(extra, sort_keys=True, separators=(",", ":")).encode()]  # fmt: skip
    files = (*((f"{n}.json", content) for n, content in enumerate(strange)), ("ok.json", HEAD.encode()))
    kept, alarm = HallDesk().heard(OutgoingRead(files), SteppedClock().read())
    assert isinstance(kept, KeepFacts)
    assert (len(kept.orders), kept.names, len(kept.refused)) == (1, ("ok.json",), len(strange))
    assert isinstance(alarm, RaiseAlarm)


def test_the_screen_is_told_while_the_centre_is_heard_and_no_longer() -> None:
    desk, clock = HallDesk(), SteppedClock()
    assert desk.deadline() is None
    told, _ = desk.heard(UP, clock.read())
    assert isinstance(told, ShowHeard)
    assert desk.deadline() == clock.read().monotonic_ns + TELL_EVERY_NS
    assert desk.heard(TimePassed(), clock.read()) == []
    [again] = desk.heard(TimePassed(), clock.step(601))
    assert isinstance(again, ShowHeard)
    [last] = desk.heard(DOWN, clock.step(5))
    assert isinstance(last, ShowHeard)
    assert desk.deadline() is None
    assert desk.heard(DOWN, clock.step(5)) == desk.heard(TimePassed(), clock.step(9000)) == []


def test_what_waited_while_the_store_was_full_is_read_again_when_the_link_is_up() -> None:
    desk, now = HallDesk(), SteppedClock().read()
    assert desk.heard(OutgoingSettled(), now) == [ReadOutgoing()]
    assert ReadOutgoing() in desk.heard(UP, now)
