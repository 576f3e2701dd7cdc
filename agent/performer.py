"""Carries out what the controller asks for, one effect at a time, on the loop's thread."""

import logging
import os
from functools import partial

from agent.adapters.counter_mirror import CounterMirror
from agent.adapters.database import UnreadableStore
from agent.adapters.kept_recordings import is_going
from agent.adapters.store import DeviceMemory, EventStore
from agent.control import command_messages as commanded
from agent.control import content_messages as filed
from agent.control import effects as asked
from agent.control import messages as happened
from agent.control.back_pressure import HINTED, Pressure
from agent.control.effects import Effect
from agent.control.hall_messages import KeepFacts, ReadOutgoing, ShowHeard
from agent.control.messages import Event
from agent.control.offload_messages import (
    CompareRecording,
    DeleteRecording,
    DirectOffload,
    OffloadAsked,
    TellReceipted,
)
from agent.control.paper_acts import MakePaper, PaperNotMade, PaperNotPrinted, PrintPaper
from agent.duty.identity_code import sign_code
from agent.errors import EnvironmentFault
from agent.post import Post
from agent.room import Room
from agent.wire import canonical

CHECKED_ROWS = 10_000  # ours: what a start looks through; the rest is looked at when it is sent

logger = logging.getLogger(__name__)
WITHOUT_FOLDER = asked.ShowDisclosure | asked.ShowDuty | ReadOutgoing | ShowHeard  # idle where there is none


class Performer:
    """One method for each kind of effect that needs more than a line."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._store = EventStore(room.database, room.identity.district, room.identity.device)
        self._memory = DeviceMemory(room.database)
        self._post = Post(room, self._store, self._memory)
        self._told = Pressure.NONE

    def perform(self, effect: Effect) -> list[Event]:
        """Carry out `effect`; what it led to at once. A full or failing disk is an event, never an exception: what runs
        goes on, and the next start finds out from what stands on the disk."""
        try:
            return self._carry_out(effect)
        except UnreadableStore as fault:
            return [*self._failed(effect, str(fault)), happened.StoreUnreadable(str(fault))]
        except EnvironmentFault as fault:
            logger.error("%s: %s", type(effect).__name__, fault)  # noqa: TRY400 - a traceback says no more
            return self._failed(effect, str(fault))

    def _failed(self, effect: Effect, detail: str) -> list[Event]:
        """The answer to an effect that the disk or a key's hardware refused: what its asker waits for, or an alarm."""
        match effect:
            case asked.StoreEvent():
                return [happened.EventNotStored(effect, detail), *self._pressure()]
            case asked.StoreEvents(orders):  # one bad one must not keep the others out
                return [event for order in orders for event in self.perform(order)]
            case asked.SendEvents(connection, after):
                return [happened.EventsSent(connection, None, after, after)]
            case asked.SendHint(connection):
                return [happened.PublishedAside(connection, None, hint=True), happened.WorkFailed(detail)]
            case asked.Acknowledge():
                return [happened.ReceiptNotKept(), happened.WorkFailed(detail)]
            case asked.PublishStatus(online=True):  # without its birth the centre would take the device for gone
                return [happened.LinkDown(self._post.session, detail), happened.WorkFailed(detail)]
            case asked.OpenConnection():  # a session number used twice would let an old last will win
                return [happened.LinkOpening(0), happened.LinkDown(0, detail)]
            case asked.StartRecording(recording):
                return [happened.RecordingFailed(recording, detail, self._room.clock.read())]
            case asked.ShowDisclosure(kind, name):
                return [happened.WorkFailed(detail, (kind, name))]
            case commanded.KeepCommand(command):
                return [happened.CommandNotStored(command, detail)]
            case commanded.RequestCertificate(command) | commanded.Diagnose(command):
                return [happened.CommandCarriedOut(command, detail, code="busy")]
            case MakePaper(ask, _, name):
                return [PaperNotMade(ask, f"没有出具：{detail}", name)]
            case PrintPaper(ask, number):
                return [PaperNotPrinted(ask, number, detail)]
            case asked.RaiseAlarm():
                return []  # an alarm about an alarm would never end
            case _:
                return [happened.WorkFailed(detail)]

    def _carry_out(self, effect: Effect) -> list[Event]:
        match effect:
            case asked.StoreEvent():
                return self._put((effect,))
            case asked.StoreEvents(orders):
                return self._put(orders)
            case asked.SendEvents():
                return self._post.send(effect)
            case asked.SendHint():
                return self._post.hint(effect)
            case asked.PublishStatus(online):
                return [self._post.publish_status(online=online)]
            case asked.Acknowledge(upto):
                self._store.acknowledge(upto, canonical.timestamp(self._room.clock.read().wall))
                return self._pressure()
            case asked.CheckEvents():
                return self._post.mend(self._room.database.integer("acked"), CHECKED_ROWS)
            case asked.CompareReceipt(receipt):
                return [happened.ReceiptCompared(receipt, self._store.hash_of(receipt.upto))]
            case asked.OpenConnection():
                return [self._post.open_connection()]
            case asked.StartRecording():
                return self._start_recording(effect)
            case asked.SignIdentity(ask, code, slip):
                text = sign_code(code, self._room.signer)
                return [happened.IdentitySigned(ask, code.certificate, code.nonce, text, slip)]
            case MakePaper() | PrintPaper() if self._room.papers is not None:
                return self._room.papers.carry_out(effect)
            case KeepFacts():
                return self._keep_facts(effect)
            case _ if isinstance(effect, commanded.CommandEffect):
                return self._command(effect)
            case _ if isinstance(effect, filed.ContentEffect):
                self._file(effect)
            case _ if not self._hand_on(effect):
                self._carry_out_silently(effect)
        return []

    def _hand_on(self, effect: Effect) -> bool:
        """Give what may be slow to the worker; whether `effect` is of that kind."""
        room = self._room
        match effect:
            case asked.ShowDisclosure(kind, name, envelope) if room.disclosed is not None:
                room.worker.ask(partial(room.disclosed.show, kind, name, envelope))
            case asked.HideDisclosure(kind, name) if room.disclosed is not None:
                room.worker.ask(partial(room.disclosed.hide, kind, name))
            case asked.ReadAsks() if room.asked is not None:
                room.worker.ask(room.asked.take)
            case asked.ReadTrustList():
                room.worker.ask(room.read_trust)
            case asked.ShowDuty(content) if room.asked is not None:
                room.worker.ask(partial(room.asked.show, content))
            case asked.SyncDisks():
                room.worker.ask(os.sync)
            case ReadOutgoing() if room.hall is not None:
                room.worker.ask(room.hall.read)
            case ShowHeard(content) if room.hall is not None:
                room.worker.ask(partial(room.hall.show, content))
            case _:
                return isinstance(effect, WITHOUT_FOLDER)  # a device without such a folder
        return True

    def _file(self, effect: filed.ContentEffect) -> None:
        content, bundles, worker = self._room.content, self._room.bundles, self._room.worker
        match effect:
            case filed.KeepPiece(attachment, number, piece) if content is not None:
                worker.ask(partial(content.keep, attachment, number, piece))
            case filed.DropContent(keep) if content is not None:
                worker.ask(partial(content.only, keep))
            case filed.ReadBundle() if bundles is not None:
                worker.ask(bundles.read)
            case filed.UnpackBundle(place, wanted) if bundles is not None:
                worker.ask(partial(bundles.unpack, place, wanted))

    def _carry_out_silently(self, effect: Effect) -> None:
        match effect:
            case asked.StoreNote(note):
                self._memory.remember(note)
            case asked.ReserveRecording(number):
                self._memory.reserve_recording(number)
            case asked.StopRecording(_, reason) if self._room.recorder is not None:
                self._room.recorder.stop(reason)
            case asked.MarkRecording() if self._room.recorder is not None:
                self._room.recorder.mark(effect)
            case asked.TakePhoto() if self._room.recorder is not None:
                self._room.recorder.photograph(effect)
            case asked.NoteHealth() | asked.NoteDuty() | asked.SetBitrate() | asked.Indicate() if (
                self._room.recorder is not None
            ):
                self._room.recorder.obey(effect)
            case DirectOffload() | TellReceipted():
                if self._room.offload is not None:
                    self._room.offload.follow(effect)
            case CompareRecording() | DeleteRecording():
                self._clear(effect)
            case asked.Subscribe(filters):
                self._room.link.subscribe(filters)
            case asked.CloseConnection(flush_by_ns):
                self._post.close_connection(flush_by_ns)
            case asked.RaiseAlarm(text):
                logger.warning("alarm: %s", text)
                self._memory.record_fault(text, self._room.clock.read().wall)
            case _:
                raise TypeError(f"unknown effect {type(effect).__name__}")

    def _put(self, orders: tuple[asked.StoreEvent, ...]) -> list[Event]:
        numbers = self._store.put_all(orders)
        for order, devseq in zip(orders, numbers, strict=True):
            logger.info("stored %s as %d", order.draft.event_id, devseq)
        urgent = tuple(it for order, it in zip(orders, numbers, strict=True) if order.draft.type in HINTED)
        return [happened.EventStored(max(numbers), urgent), *self._pressure()]

    def _keep_facts(self, effect: KeepFacts) -> list[Event]:
        stored = self._put(effect.orders) if effect.orders else []
        if self._room.hall is not None:
            self._room.worker.ask(partial(self._room.hall.clear, effect.names, effect.refused))
        return stored

    def _pressure(self) -> list[Event]:
        """How full the store is, when that has changed."""
        before, self._told = self._told, self._store.pressure()
        return [] if before is self._told else [happened.PressureChanged(self._told)]

    def _clear(self, effect: CompareRecording | DeleteRecording) -> None:
        removal = self._room.removal
        if removal is None:
            return
        if isinstance(effect, CompareRecording):
            self._room.worker.ask(partial(removal.compare, effect.recording, effect.manifest))
        elif is_going(self._room.database, effect.recording, effect.manifest):
            self._room.worker.ask(partial(removal.remove, effect.recording, effect.manifest))

    def _keep_command(self, effect: commanded.KeepCommand) -> list[Event]:
        numbers = self._store.put_all([asked.StoreEvent(draft) for draft in effect.drafts], effect.notes)
        logger.info("command %d (%s) is kept", effect.command.counter, effect.command.kind)
        stored = [happened.EventStored(max(numbers)), *self._pressure()] if numbers else []
        return [
            *_covered(self._room.database.mirror, effect.command.counter),
            *stored,
            happened.CommandStored(effect.command),
        ]

    def _command(self, effect: commanded.CommandEffect) -> list[Event]:
        room = self._room
        match effect:
            case commanded.KeepCommand():
                return self._keep_command(effect)
            case commanded.RequestCertificate(command, look_only) if room.keys is not None:
                room.worker.ask(partial(room.keys.look if look_only else room.keys.make, command))
            case commanded.Diagnose(command) if room.diagnose is not None:
                room.worker.ask(partial(room.diagnose, command))
            case commanded.RequestCertificate(command) | commanded.Diagnose(command):
                return [happened.CommandCarriedOut(command, "本机没有此项功能。", code="not-here")]
            case commanded.OffloadNow():
                return [OffloadAsked()]
        return []

    def _start_recording(self, effect: asked.StartRecording) -> list[Event]:
        if self._room.recorder is None:
            detail = "本机没有录像设备，不能录制。请改用执法记录仪，或检查配置 [capture]。"
            return [happened.RecordingFailed(None, detail, self._room.clock.read())]
        self._room.recorder.start(effect)
        return []


def _covered(mirror: CounterMirror, counter: int) -> list[Event]:
    """Tell the second memory of a number that is used up: behind the transaction, because a number that it has and the
    database has not would be a command that nobody ever carries out."""
    try:
        mirror.cover_command(counter)
    except EnvironmentFault as fault:
        return [happened.WorkFailed(str(fault))]
    return []
