"""The recorder's duty desk: what officers ask, by card and through the folder `asked`.

Decisions are made by `duty_officers` and `duty_tasks`, kept and shown by `duty_book`. Nothing here ever stops a
recording.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from agent.control import duty_identity, duty_officers, duty_papers, duty_sheets, duty_tasks
from agent.control.acts import Act
from agent.control.command_desk import CommandDesk
from agent.control.duty_book import DutyBook, task_refused
from agent.control.duty_situation import Outcome, Situation
from agent.control.effects import Effect, RaiseAlarm, ReadAsks, StartRecording, StopRecording
from agent.control.interruption_causes import causes_text, offered_causes, signed_cause
from agent.control.messages import (
    AsksRead,
    AsksSettled,
    CardShown,
    CommandNotStored,
    CommandStored,
    DeviceStarted,
    Event,
    FragmentStored,
    GapOpened,
    IdentitySigned,
    OfficerActed,
    RecordingSealed,
    TimePassed,
)
from agent.control.paper_acts import PaperEvent, PaperMade, PaperNotMade, PaperNotPrinted, PaperPrinted
from agent.duty.asks import Ask, What, parse_ask
from agent.duty.key_content import KeyContentSheet
from agent.errors import OperatorFault, SenderFault
from agent.wire.instant import Instant
from agent.wire.trust import TrustList

ENVELOPE = '"payloadType"'  # stands in every envelope, and in no task
ACTS: Mapping[str, Callable[[Situation, Ask], Outcome]] = {
    What.ENROL: duty_officers.enrol,
    What.TAKE_OUT: duty_officers.take_out_by_pin,
    What.HAND_IN: duty_officers.hand_in,
    What.PICK: duty_tasks.picked,
    What.END: duty_tasks.ended,
    What.STEP: duty_tasks.step,
    What.REASON: duty_tasks.explained,
    What.MEET: duty_tasks.met,
    What.SHOW_IDENTITY: duty_identity.show_identity,
    What.DOCUMENT: duty_papers.document,
    What.SERVE: duty_papers.serve,
    What.RECEIPT: duty_papers.receipt,
    What.CONFIRM: duty_papers.confirm,
    What.PRINT: duty_papers.print_paper,
    What.SHEET_DRAFT: duty_sheets.draft,
    What.SHEET_SIGN: duty_sheets.sign,
}


class DutyDesk:
    """Belongs to the controller. A command in a file goes through the door of `commands`, like one from the broker."""

    def __init__(self, book: DutyBook, commands: CommandDesk) -> None:
        self.book, self._commands = book, commands

    @property
    def step_due(self) -> bool:
        """Whether a recording runs for a task of which a step is still to be marked."""
        return self.book.step_due

    def heard(self, event: Event, trust: TrustList, now: Instant) -> list[Effect]:
        """What follows for the officers from whatever happened."""
        match event:
            case DeviceStarted():
                return self.book.keep(self.book.shift, (), now)
            case AsksSettled():
                return [ReadAsks()]
            case AsksRead():
                return [*self._asked(event, trust, now), ReadAsks()]
            case CardShown(card, at):
                return self.book.carry_out(duty_officers.card_shown(self.book.at(at), card), at)
            case CommandStored() | CommandNotStored():
                return self.book.keep(self.book.shift, (), now)  # an answer to whoever brought it in a file
            case IdentitySigned() | PaperMade() | PaperNotMade() | PaperPrinted() | PaperNotPrinted():
                return self._settled(event, now)
            case RecordingSealed():
                return self.book.keep(duty_tasks.sealed(self.book.at(now), event), (), now)
            case OfficerActed(act=Act.STEP):
                return self.book.carry_out(duty_tasks.pressed(self.book.at(event.at)), event.at)
            case FragmentStored():
                self.book.fragment(event)
            case GapOpened():
                self.book.broken_off(event)
            case TimePassed():
                return self.book.wake(now)
        return []

    def _asked(self, event: AsksRead, trust: TrustList, now: Instant) -> list[Effect]:
        """Carry out a request; it is answered, a refused one with the reason."""
        try:
            ask = parse_ask(event.content)
        except SenderFault as fault:
            return [RaiseAlarm(str(fault))]
        return self._answered(ask, trust, now)

    def _settled(self, event: IdentitySigned | PaperEvent, now: Instant) -> list[Effect]:
        """What was asked for is signed, made or printed, or is not: answer whoever asked."""
        outcome = _came_of(self.book.at(now), event)
        self.book.answer(event.ask, outcome)
        return self.book.carry_out(outcome, now)

    def caused(self, event: OfficerActed) -> tuple[OfficerActed, list[Effect]]:
        """`event` with its reason as it is signed. One that the list does not have is told and left out: what the
        officer did is done all the same."""
        reasons = self.book.at(event.at).guidance.interruptions
        cause = signed_cause(event.cause, event.listed, reasons)
        if cause is not None:
            return replace(event, cause=cause, listed=0), []
        offered = causes_text(offered_causes(reasons))
        text = f"清单中没有第 {event.listed} 号中断原因，已照做，未记原因。可用的有：{offered}。请补充说明。"
        return replace(event, listed=0), [RaiseAlarm(text)]

    def accompany(self, effects: Iterable[Effect], now: Instant) -> Iterator[Effect]:
        """`effects` with who records and for what, frozen at the start of every recording, and with the question about
        missing steps at its end."""
        for effect in effects:
            match effect:
                case StartRecording():
                    yield from self.book.opening(effect, now)
                case StopRecording():
                    yield from self.book.closing(effect, now)
                case _:
                    yield effect

    def _answered(self, ask: Ask, trust: TrustList, now: Instant) -> list[Effect]:
        if ask.what == What.PICK and ENVELOPE in ask.value("document"):
            return self._by_hand(ask, trust, now)
        try:
            outcome = self._act(ask, self.book.at(now))
        except (OperatorFault, SenderFault) as fault:
            outcome = Outcome(self.book.shift, str(fault), done=False)
            if isinstance(fault, SenderFault) and ask.what == What.PICK:
                outcome = replace(outcome, drafts=(task_refused(ask.value("document").encode(), fault, now),))
        self.book.answer(ask.ask, outcome)
        return self.book.carry_out(outcome, now)

    def _by_hand(self, ask: Ask, trust: TrustList, now: Instant) -> list[Effect]:
        """A command in a file: answered when it is stored, or at once when it is not let in."""
        payload = ask.value("document").encode()

        def tell(text: str, done: bool) -> None:
            self.book.answer(ask.ask, Outcome(self.book.shift, text, done=done))

        try:
            return self._commands.take(payload, trust, now, tell=tell)
        except SenderFault as fault:
            tell(str(fault), False)
            return [*self._commands.refused(payload, fault, now), *self.book.keep(self.book.shift, (), now)]

    def _act(self, ask: Ask, at: Situation) -> Outcome:
        act = ACTS.get(ask.what)
        if act is None:
            raise OperatorFault(f"不认识的请求“{ask.what[:40]}”。")
        return act(at, ask)


def _came_of(at: Situation, event: IdentitySigned | PaperEvent) -> Outcome:
    match event:
        case IdentitySigned():
            return duty_identity.identity_shown(at, event)
        case PaperMade(draft=KeyContentSheet() as sheet):
            return duty_sheets.signed(at, event, sheet)
        case PaperMade():
            return duty_papers.made(at, event)
        case PaperNotMade():
            return duty_papers.not_made(at, event)
        case PaperPrinted():
            return duty_papers.printed(at, event)
        case PaperNotPrinted():
            return duty_papers.not_printed(at, event)
