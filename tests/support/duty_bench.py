"""The controller of a recorder with lists of an invented department, turned by hand."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from agent.control import messages as happened
from agent.control.command_messages import CommandsKept, Diagnose, HoldsKept, KeepCommand, RequestCertificate
from agent.control.controller import Controller, Identity, Memory
from agent.control.deletion import Kept
from agent.control.effects import DutyKept, Effect, NoteDuty, ShowDuty, SignIdentity, StoreEvent, StoreNote
from agent.control.paper_acts import MakePaper, PaperMade, PaperPrinted, PrintPaper
from agent.control.recording import RecordingMemory
from agent.duty.asks import Ask, What
from agent.duty.enrolment import pin_record
from agent.duty.identity_code import sign_code
from agent.duty.key_content import KeyContentSheet, sign_sheet
from agent.duty.papers import Paper, paper_of
from agent.duty.party_receipt import PartyReceipt, sign_receipt
from agent.duty.shift import Shift, parse_shift
from agent.wire.device_events import GENESIS, EventType
from agent.wire.disclosures import DUTY_AUDIENCE, Disclosure
from agent.wire.identifiers import RecordingId, recording_id
from agent.wire.instant import Instant, TimeState
from tests.support.clocks import SteppedClock
from tests.support.device import DistrictKeys
from tests.support.documents import signed
from tests.support.duty import UNIT, personnel, recording_list, task

KEYS = DistrictKeys()
COMMANDER = KEYS.commander
LISTS = (personnel(), recording_list())
PIN = "135790"


class DutyBench:
    """`told` are the events so far, `notes` what was signed into recordings, `state` the last `duty.json`, `papers`
    what was kept by the name of its file, `slips` what was printed: lines under the title, `seen` every effect. It
    stores commands at once (not with `refuse_commands`) and carries them out (not without `carries_out`)."""

    def __init__(
        self,
        lists: Iterable[Disclosure] = LISTS,
        shift: Shift | None = None,
        commands: CommandsKept | None = None,
        holds: Mapping[RecordingId, Mapping[str, str]] | None = None,
        kept: Mapping[RecordingId, Kept] | None = None,
    ) -> None:
        self.clock, self.state_of_clock = SteppedClock(), TimeState.NTP
        self.later = timedelta(0)
        identity = Identity(KEYS.authority.district, KEYS.device, UNIT, "0.1.0", DUTY_AUDIENCE, offloads=True)
        memory = Memory(
            0, 0, RecordingMemory(0, 0, GENESIS), shift=shift or Shift(),
            commands=commands or CommandsKept(), holds=holds or {}, kept=kept or {},
        )  # fmt: skip
        self.controller = Controller(identity, memory, KEYS.trust, lambda: 0.0)
        self.refuse_commands, self.carries_out = False, True
        self.seen: list[Effect] = []
        self.notes_kept: list[object] = []
        self.holds: dict[RecordingId, Mapping[str, str]] = {}
        sealed = [signed(document, KEYS.editor.signer, KEYS.reviewer.signer) for document in lists]
        self.faults = self.controller.restore(sealed, self.now())
        self.told: list[tuple[EventType, dict[str, Any]]] = []
        self.notes: list[tuple[str, str]] = []
        self.kept: list[Shift] = []
        self.state: dict[str, Any] = {}
        self.papers: dict[str, Paper] = {}
        self.slips: list[tuple[str, ...]] = []
        self.disk: Callable[[MakePaper], happened.Event | None] = lambda _: None
        self._asks = 0

    def now(self) -> Instant:
        now, ns = self.clock.read(), int(self.later.total_seconds() * 1e9)
        wall, monotonic_ns = now.wall + self.later, now.monotonic_ns + ns
        return replace(now, wall=wall, monotonic_ns=monotonic_ns, state=self.state_of_clock)

    def handle(self, event: happened.Event) -> list[Effect]:
        effects = self.controller.handle(event, self.now())
        self.seen += effects
        for effect in effects:
            self._see(effect)
        return effects

    def ask(self, what: str, **values: str) -> dict[str, Any]:
        self._asks += 1
        ask = Ask(f"{self._asks:032x}", what, values)
        self.handle(happened.AsksRead(ask.encode()))
        return dict(self.state["answers"].get(ask.ask, {}))

    def take_out(self, *certificates: str) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for certificate in certificates:
            self.ask(What.ENROL, certificate=certificate, pin=pin_record(PIN, b"salt"))
            answer = self.ask(What.TAKE_OUT, certificate=certificate, pin=PIN)
        return answer

    def pick(self, **changes: Any) -> dict[str, Any]:
        return self.ask(What.PICK, document=json.dumps(task(**changes), ensure_ascii=False))

    def press(self) -> None:
        self.handle(happened.ButtonPressed(self.now()))

    def record(self, number: int = 1) -> RecordingId:
        """A recording runs; two fragments are on the disk."""
        self.press()
        recording = recording_id(KEYS.device, number)
        for sequence in (1, 2):
            self.handle(happened.FragmentStored(recording, 1, sequence, GENESIS, self.now(), 500, 1000))
        return recording

    def seal(self, recording: RecordingId, fragments: int = 2) -> None:
        self.press()
        sealed = happened.RecordingSealed(recording, 1, fragments, GENESIS, 1000, 9, "stopped", False, 0, self.now())
        self.handle(sealed)

    def of(self, kind: EventType) -> list[dict[str, Any]]:
        return [data for seen, data in self.told if seen is kind]

    def _see(self, effect: Effect) -> None:
        match effect:
            case StoreEvent(draft, note):
                self.told.append((draft.type, dict(draft.data)))
                self._keep(note)
            case StoreNote(note):
                self._keep(note)
            case KeepCommand(command) if self.refuse_commands:
                self.handle(happened.CommandNotStored(command, "磁盘已满"))
            case KeepCommand(command, drafts, notes):
                self.told += [(draft.type, dict(draft.data)) for draft in drafts]
                for note in notes:
                    self._keep(note)
                self.handle(happened.CommandStored(command))
            case RequestCertificate(command) | Diagnose(command) if self.carries_out:
                self.handle(happened.CommandCarriedOut(command, "已完成"))
            case NoteDuty(kind, note, _):
                self.notes.append((kind, note))
            case ShowDuty(content):
                self.state = json.loads(content)
            case SignIdentity(ask, code, slip):
                text = sign_code(code, KEYS.evidence.signer)
                self.handle(happened.IdentitySigned(ask, code.certificate, code.nonce, text, slip))
            case MakePaper():
                self.handle(self.disk(effect) or self._made(effect))
            case PrintPaper(ask, number, name, _, reprint, paper):
                self.slips.append((paper or self.papers[name]).lines(reprint))
                self.handle(PaperPrinted(ask, number, reprint, ""))

    def _made(self, order: MakePaper) -> PaperMade:
        sealed = ""
        if isinstance(order.draft, PartyReceipt):
            sealed = sign_receipt(order.draft, KEYS.evidence.signer)
        if isinstance(order.draft, KeyContentSheet):
            sealed = sign_sheet(order.draft, KEYS.evidence.signer).decode()
        paper = paper_of(order.draft, sealed)
        assert self.papers.setdefault(order.name, paper) is paper
        return PaperMade(order.ask, order.draft, paper, order.name)

    def _keep(self, note: object) -> None:
        self.notes_kept.append(note)
        if isinstance(note, HoldsKept):
            self.holds[note.recording] = note.holds
        if isinstance(note, DutyKept):
            self.kept.append(parse_shift(note.shift.encode()))
