"""A kiosk host's desk for its screen: facts from `outgoing/` become events of the chain, and the screen is told
whether the centre is heard."""

from agent.control.effects import Effect, EventDraft, RaiseAlarm, StoreEvent
from agent.control.hall_messages import KeepFacts, OutgoingRead, OutgoingSettled, ReadOutgoing, ShowHeard
from agent.control.messages import DeviceStarted, Event, LinkDown, LinkUp
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.hall_facts import EVENTS, HallFact, parse_fact
from agent.wire.instant import Instant

NANOSECONDS = 1_000_000_000
TELL_EVERY_NS = 600 * NANOSECONDS  # ours: the screen calls itself offline after an hour of silence


class HallDesk:
    """`deadline` says when it wants to be woken while the centre is heard."""

    def __init__(self) -> None:
        self._up, self._due_ns = False, 0

    def deadline(self) -> int | None:
        """The monotonic nanosecond at which the screen is told again."""
        return self._due_ns if self._up else None

    def heard(self, event: Event, now: Instant) -> list[Effect]:
        """What follows from whatever happened."""
        match event:
            case OutgoingSettled() | DeviceStarted():
                return [ReadOutgoing()]
            case OutgoingRead():
                return _kept(event, now)
            case LinkUp():
                self._up = True
                return [*self._tell(now), ReadOutgoing()]
            case LinkDown() if self._up:
                effects = self._tell(now)
                self._up = False
                return effects
        return self._tell(now) if self._up and now.monotonic_ns >= self._due_ns else []

    def _tell(self, now: Instant) -> list[Effect]:
        self._due_ns = now.monotonic_ns + TELL_EVERY_NS
        return [ShowHeard(canonical.encode({"heard": canonical.timestamp(now.wall)}))]


def _kept(event: OutgoingRead, now: Instant) -> list[Effect]:
    """Every fact as an event under its own id; a file that is none is put aside and told of once."""
    orders, names, refused = [], [], []
    for name, content in event.files:
        try:
            orders.append(StoreEvent(_draft(parse_fact(content), now)))
        except SenderFault:
            refused.append(name)
        else:
            names.append(name)
    alarms = [RaiseAlarm(f"公示屏留下的 {len(refused)} 个文件不合规定，已移到一旁，未上报。请技术人员核对。")]
    return [KeepFacts(tuple(orders), tuple(names), tuple(refused)), *(alarms if refused else [])]


def _draft(fact: HallFact, now: Instant) -> EventDraft:
    return EventDraft(f"hall/{fact.fact}", EVENTS[fact.kind], now, dict(fact.data))
