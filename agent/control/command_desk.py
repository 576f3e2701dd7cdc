"""The one door for commands: each is opened, judged by its number, kept, and only then carried out, once.

A command's number, everything that it changes in the store and its answer are one transaction; what follows outside
(a sound, a subscription) comes after it. A command whose work needs the worker is kept as open first and answered when
the work has ended; after a power cut in between the next start finds out whether it was done and says so. So every
number leads to no execution or to one, and the chain tells which.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.control.command_messages import (
    CommandCarriedOut,
    CommandNotStored,
    CommandSettled,
    CommandsKept,
    CommandStored,
    CommandUsed,
    KeepCommand,
    OpenCommand,
    RequestCertificate,
)
from agent.control.command_refusals import CommandRefusals
from agent.control.command_verbs import VERBS, Hands, Ruling
from agent.control.effects import Effect, EventDraft, RaiseAlarm, StoreEvent
from agent.control.messages import Event, MessageArrived, TimePassed
from agent.errors import OperatorFault, SenderFault
from agent.wire.commands import Command, CommandKind, Refusal, open_command
from agent.wire.device_events import EventType
from agent.wire.identifiers import DeviceId, District, RecordingId
from agent.wire.instant import Instant, TimeState
from agent.wire.topics import COMMAND, device_topic
from agent.wire.trust import TrustList

MAX_OPEN = 8  # ours: commands that wait for the worker
INTERRUPTED = "interrupted"
Told = Callable[[str, bool], None]


@dataclass(frozen=True)
class _Underway:
    """A command that is being stored, and who waits for its answer at the device itself."""

    ruling: Ruling
    tell: Told | None


class CommandDesk:
    """Belongs to the controller. `kept` is what earlier runs used up, `hands` what verbs work with; subscribe to
    `filters`."""

    def __init__(self, place: District, device: DeviceId, kept: CommandsKept, hands: Hands) -> None:
        self._place, self._device, self._kept, self._hands = place, device, kept, hands
        self._topics = f"{device_topic(place, device, COMMAND)}/"
        self.filters = (f"{self._topics}+",)
        self.refusals = CommandRefusals()
        self._underway: dict[int, _Underway] = {}

    @property
    def holds(self) -> Mapping[RecordingId, Mapping[str, str]]:
        """The holds in force, by recording; follows them."""
        return self._hands.holds

    def is_for(self, topic: str) -> bool:
        """Whether `topic` carries a command for this device."""
        return topic.startswith(self._topics)

    def started(self, now: Instant) -> list[Effect]:
        """Answer what an earlier run has left open: look for a request that it may have made, say of the rest that it
        was not done."""
        effects: list[Effect] = []
        for command in self._kept.open:
            if command.kind is CommandKind.ROTATE_CERTIFICATE:
                effects.append(RequestCertificate(command, look_only=True))
            else:
                effects += self._ended(not_done(command), now)
        return effects

    def heard(self, event: Event, trust: TrustList, now: Instant) -> list[Effect]:
        """What follows for commands from whatever happened."""
        match event:
            case MessageArrived(_, topic, payload) if self.is_for(topic):
                return self._arrived(event, payload, trust, now)
            case CommandStored(command):
                return self._stored(command, now)
            case CommandNotStored():
                return self._not_stored(event)
            case CommandCarriedOut():
                return self._ended(event, now)
            case TimePassed():
                return self.refusals.wake(now)
        return []

    def take(
        self, payload: bytes, trust: TrustList, now: Instant, topic: str | None = None, tell: Told | None = None
    ) -> list[Effect]:
        """Judge the command in `payload` and keep it; raises `SenderFault` when it never reaches its verb. It came on
        `topic`, or by hand. `tell` hears the answer's text, and whether it was done."""
        clock_set = now.state is not TimeState.UNSET
        command = open_command(payload, trust, self._place, self._device, now.wall, clock_set=clock_set)
        if topic not in (None, self._topics + command.command_id):
            raise SenderFault("命令的编号与其主题不符，已拒绝。", Refusal.TOPIC)
        self._admit(command, clock_set=clock_set)
        ruling = decided(self._hands, command, payload, now)
        opened = OpenCommand(command.counter, command.command_id, command.kind)
        later = ruling.later is not None
        drafts = ruling.drafts if later else (*ruling.drafts, answer(opened, ruling, now))
        self._underway[command.counter] = _Underway(ruling, tell)
        return [KeepCommand(opened, drafts, (CommandUsed(opened, later), *ruling.notes))]

    def refused(self, payload: bytes, fault: SenderFault, now: Instant) -> list[Effect]:
        """Tell of a command that was not let in."""
        return self.refusals.refused(payload, fault, self._kept.last, now)

    def _arrived(self, event: MessageArrived, payload: bytes, trust: TrustList, now: Instant) -> list[Effect]:
        if event.retained:
            fault = SenderFault("命令是服务器保留的旧消息，已拒绝。请清除该主题的保留消息。", Refusal.RETAINED)
            return self.refused(payload, fault, now)
        try:
            return self.take(payload, trust, now, event.topic)
        except SenderFault as fault:
            return self.refused(payload, fault, now)

    def _admit(self, command: Command, *, clock_set: bool) -> None:
        if self._underway:
            raise SenderFault("另一条命令正在入库，未采用。请重新签发。", Refusal.BUSY)
        last = self._kept.last
        if command.counter <= last:
            raise SenderFault(
                f"命令 {command.command_id} 的序号 {command.counter} 已用过（本机至 {last}），未再执行。",
                Refusal.REPLAYED,
            )
        if not clock_set and not VERBS[command.kind].undated:
            raise SenderFault("本机时间未校准，不能判断命令是否过期，此类命令未执行。请先校时。", Refusal.UNDATED)
        if len(self._kept.open) >= MAX_OPEN:
            raise SenderFault(f"已有 {MAX_OPEN} 条命令正在执行，未采用。请稍后重新签发。", Refusal.BUSY)

    def _stored(self, command: OpenCommand, now: Instant) -> list[Effect]:
        underway = self._underway.pop(command.counter, None)
        if underway is None:
            return []
        ruling = underway.ruling
        still = () if ruling.later is None else (command,)
        self._kept = CommandsKept(max(command.counter, self._kept.last), (*self._kept.open, *still))
        if underway.tell is not None:
            underway.tell(ruling.text, not ruling.code)
        effects = [] if ruling.then is None else ruling.then(now)
        return effects if ruling.later is None else [*effects, ruling.later(command)]

    def _not_stored(self, event: CommandNotStored) -> list[Effect]:
        underway = self._underway.pop(event.command.counter, None)
        text = f"命令 {event.command.command_id} 未能入库，未执行（{event.detail}）。中心将再次发送。"
        if underway is not None and underway.tell is not None:
            underway.tell(text, False)
        return [RaiseAlarm(text)]

    def _ended(self, event: CommandCarriedOut, now: Instant) -> list[Effect]:
        """The work of an open command is over: its answer and that it is open no more are one transaction."""
        if event.command not in self._kept.open:
            return []
        self._kept = replace(self._kept, open=tuple(one for one in self._kept.open if one != event.command))
        ruling = Ruling(event.text, code=event.code, result=event.result)
        return [StoreEvent(answer(event.command, ruling, now), CommandSettled(event.command.counter))]


def decided(hands: Hands, command: Command, payload: bytes, now: Instant) -> Ruling:
    """What the command's verb says; a refusal of its own is a ruling, too."""
    try:
        return VERBS[command.kind].decide(hands, command, payload, now)
    except (SenderFault, OperatorFault) as fault:
        return Ruling(str(fault), fault.code if isinstance(fault, SenderFault) else "not-possible")


def answer(command: OpenCommand, ruling: Ruling, now: Instant) -> EventDraft:
    """What the chain tells of a command that was let in."""
    data: dict[str, Any] = {
        "code": ruling.code,
        "counter": command.counter,
        "done": not ruling.code,
        "id": command.command_id,
        "kind": command.kind.value,
        "result": dict(ruling.result),
        "text": ruling.text,
    }
    return EventDraft(f"command/{command.counter}/answered", EventType.COMMAND_ANSWERED, now, data)


def not_done(command: OpenCommand) -> CommandCarriedOut:
    """The answer to a command that an earlier run has begun and left no trace of."""
    text = f"命令 {command.command_id} 执行前本机断电或重启，未执行。需要时请重新签发。"
    return CommandCarriedOut(command, text, code=INTERRUPTED)
