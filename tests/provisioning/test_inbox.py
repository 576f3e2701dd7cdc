"""A flood from the broker and a receiver that is busy; the signal that must always get through."""

import threading

import pytest

from agent.errors import EnvironmentFault
from provisioning.center.mqtt import Arrived, Connected, Delivered, Disconnected, Inbox, LinkDied, Message, StopAsked

NOTE = Arrived("gov/xinghe/v1/rec/REC-0001/evt", b"{}", 1, 1)


def test_a_flood_waits_for_room_instead_of_filling_the_memory() -> None:
    inbox = Inbox(capacity=3, patience_s=20.0)
    flood = threading.Thread(target=lambda: [inbox.put(NOTE) for _ in range(100)])
    flood.start()
    found = 0
    while found < 100:
        taken = len(inbox.take(50, 5.0))
        assert 0 < taken <= 50
        found += taken
    flood.join(60)
    assert inbox.take(50, 0) == []


def test_a_loop_that_takes_nothing_ends_the_link() -> None:
    inbox = Inbox(capacity=1, patience_s=0.01)
    inbox.put(NOTE)
    with pytest.raises(EnvironmentFault, match="没有响应"):
        inbox.put(NOTE)


def test_stop_and_the_death_of_the_link_are_heard_though_the_queue_is_full() -> None:
    inbox = Inbox(capacity=1)
    inbox.put(Connected())
    inbox.ask_stop()
    inbox.link_died("示例")
    assert inbox.take(1, 60.0) == [Connected(), StopAsked(), LinkDied("示例")]


@pytest.mark.parametrize("told", [Delivered(7, refused=False), Disconnected("示例"), Connected()])
def test_what_paho_tells_under_its_lock_finds_room_in_a_full_inbox(told: Message) -> None:
    """The loop needs the same lock to send: 2 000 births at once stopped a receiver so."""
    inbox = Inbox(capacity=1, patience_s=0.01)
    inbox.put(NOTE)
    inbox.put(told)
    assert inbox.take(5, 0) == [NOTE, told]
