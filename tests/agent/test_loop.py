"""The loop: order of effects, a full inbox, a dead courier."""

import threading
from collections.abc import Iterator

import pytest

from agent.control.controller import STOP_NS, Controller, Identity, Memory
from agent.control.effects import Effect, Finish, SendEvents, StoreEvent
from agent.control.messages import (
    CourierDied,
    DeviceStarted,
    Event,
    EventsSent,
    EventStored,
    LinkOpening,
    LinkUp,
    StopRequested,
    TimePassed,
)
from agent.control.recording import RecordingMemory
from agent.errors import EnvironmentFault
from agent.loop import Inbox, Loop, watch_couriers
from agent.wire.device_events import GENESIS
from tests.support.center import until
from tests.support.clocks import SteppedClock
from tests.support.device import DistrictKeys

KEYS = DistrictKeys()


class Stage:
    """A loop whose effects are written down instead of carried out."""

    def __init__(self) -> None:
        self.clock, self.inbox = SteppedClock(), Inbox()
        self.done: list[Effect] = []
        self.stored = 0
        identity = Identity(KEYS.authority.district, KEYS.device, "星河区综合行政执法局", "0.1.0")
        memory = Memory(0, 0, RecordingMemory(0, 0, GENESIS))
        controller = Controller(identity, memory, KEYS.trust, lambda: 0.0)
        self.loop = Loop(self.inbox, controller, self.perform, self.clock, lambda: None)

    def perform(self, effect: Effect) -> list[Event]:
        self.done.append(effect)
        if isinstance(effect, StoreEvent):
            self.stored += 1
            return [EventStored(self.stored)]
        if isinstance(effect, SendEvents):
            return [EventsSent(effect.connection, effect.after + 1, effect.after + 1, effect.after + 1)]
        return []


def test_the_last_event_is_handed_to_the_link_before_the_link_closes() -> None:
    stage = Stage()
    for event in (DeviceStarted(stage.clock.read()), LinkOpening(1), LinkUp(1, 10, 10**6)):
        stage.loop.dispatch(event)
    stage.done.clear()
    by_ns = stage.clock.read().monotonic_ns + STOP_NS
    assert stage.loop.dispatch(StopRequested()) == Finish(0, by_ns)
    assert [type(effect).__name__ for effect in stage.done] == [
        "StoreEvent",
        "SendEvents",
        "PublishStatus",
        "Indicate",
        "CloseConnection",
    ]


def test_run_ends_with_the_exit_code_of_the_controller() -> None:
    stage = Stage()
    stage.inbox.put(StopRequested())
    assert stage.loop.run([DeviceStarted(stage.clock.read())]).exit_code == 0
    assert not any(isinstance(effect, Finish) for effect in stage.done)


def test_a_stuck_loop_ends_the_courier_and_not_its_event_in_silence() -> None:
    inbox = Inbox(capacity=1, patience_s=0.05)
    inbox.put(TimePassed())
    with pytest.raises(EnvironmentFault, match="主循环没有响应"):
        inbox.put(StopRequested())


@pytest.fixture
def watched() -> Iterator[Inbox]:
    inbox, before = Inbox(1), threading.excepthook
    watch_couriers(inbox)
    yield inbox
    threading.excepthook = before


def test_a_dead_courier_is_heard_even_when_the_inbox_is_full(watched: Inbox) -> None:
    watched.put(TimePassed())
    courier = threading.Thread(target=lambda: [][0], name="hook-courier")
    courier.start()
    courier.join()
    died = until(lambda: watched.get(0), "the death is told")
    assert isinstance(died, CourierDied)
    assert (died.name, died.detail) == ("hook-courier", "IndexError: list index out of range")
