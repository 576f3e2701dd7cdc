"""The device's mind: every event goes in, every decision comes out as effects. No thread, clock, file or socket."""

from collections.abc import Callable, Iterable

from agent.control import hook_desk
from agent.control import messages as happened
from agent.control.acts import Act
from agent.control.back_pressure import STEPS, Pressure
from agent.control.backoff import NANOSECONDS
from agent.control.clock_watch import ClockWatch
from agent.control.collecting import file_collected
from agent.control.deletion import Kept
from agent.control.desks import Identity as Identity
from agent.control.desks import Memory as Memory
from agent.control.desks import command_desk, disclosure_desk, duty_book, offload_desk, witness_desk
from agent.control.duty_desk import DutyDesk
from agent.control.effects import (
    DETAIL_LENGTH,
    CheckEvents,
    CloseConnection,
    Effect,
    EventDraft,
    Finish,
    PublishStatus,
    RaiseAlarm,
    ReadTrustList,
    StoreEvent,
    StoreNote,
    TrustSeen,
    moment_name,
)
from agent.control.frame_watch import FrameWatch
from agent.control.hall_desk import HallDesk
from agent.control.health_desk import HealthDesk
from agent.control.indication import Indicator
from agent.control.messages import Event
from agent.control.offload_desk import OffloadDesk
from agent.control.outbox import Outbox
from agent.control.recording import RecordingMachine, State, gap_opened, photo_taken
from agent.control.reread import told_again
from agent.control.storage_policy import StoragePolicy
from agent.control.unstored import Unstored
from agent.control.uplink import Uplink, compare_receipt
from agent.duty.policies import PolicyShelf
from agent.errors import EnvironmentFault
from agent.evidence.statements import CONTEXT_VERSION
from agent.wire.device_events import EventType
from agent.wire.identifiers import Digest, RecordingId
from agent.wire.instant import Instant
from agent.wire.recording_receipts import is_recording_receipt
from agent.wire.topics import RECEIPT, device_topic
from agent.wire.trust import TrustList

STOP_NS = 9 * NANOSECONDS // 2  # ours: a stop takes 5 s at most; the rest is for the end of the process
STOP_GRACE_NS = 3 * NANOSECONDS  # ours, out of them: for the last fragment and the seal
FLUSH_NS = NANOSECONDS // 2  # ours, out of them: for the last events; the other parts share what is left
OWN_DESK_EVENTS = happened.OffloadEvent | happened.HallEvent


class Controller:
    """Decides; `handle` is called with one event at a time, `deadline` says when it wants `TimePassed`. `health` tells
    the alarms that hold, `frames` whether what should be recorded is recorded; `policies` are those accepted so far."""

    def __init__(
        self,
        identity: Identity,
        memory: Memory,
        trust: TrustList,
        random: Callable[[], float],
        storage: StoragePolicy | None = None,
    ) -> None:
        self._identity, self._trust = identity, trust
        context = {CONTEXT_VERSION: identity.version}
        self.policies = PolicyShelf(identity.unit)
        in_force = self.policies.in_force
        self._recording = RecordingMachine(identity.device, identity.unit, memory.recordings, context, in_force)
        self.health, self.frames = HealthDesk(self._recording, storage), FrameWatch()
        self._desk = disclosure_desk(identity, memory, self.policies)
        self._receipts = device_topic(identity.district, identity.device, RECEIPT)
        self._witness = witness_desk(identity, memory)
        book = duty_book(identity, memory, self._recording, self.policies)
        again = lambda: self._uplink.subscribe_again()  # noqa: E731 - it is made below
        self._commands = command_desk(identity, memory, book, self.policies, again, self._kept)
        self._duty = None if book is None else DutyDesk(book, self._commands)
        holds = self._commands.holds
        self._hall = None if identity.shows_nothing else HallDesk()
        self._offload: OffloadDesk | None = offload_desk(identity, memory, self._recording, self.health, book, holds)
        filters = (self._receipts, *(self._desk.filters() if self._desk else ()))
        extra = (*self._commands.filters, *((self._witness.topic,) if self._witness else ()))
        self._uplink: Uplink = Uplink(filters, extra, Outbox(memory.stored, memory.acked, random), random)
        self._unstored = Unstored()
        self._indicator = Indicator(sound_only=identity.sound_only) if identity.shows_nothing else None
        self._pressure, self._clock = Pressure.NONE, ClockWatch()
        self._sealed_by_ns: int | None = None
        self._end_by_ns = 0
        self._exit_code: int | None = None
        self._unreadable = False

    def restore(self, envelopes: Iterable[bytes], now: Instant, files: Iterable[Digest] = ()) -> list[str]:
        """Take over the disclosures that an earlier run accepted, and the hashes of their `files`; returns one Chinese
        line for each refused."""
        return [] if self._desk is None else self._desk.restore(envelopes, self._trust, now.wall, files)

    def deadline(self) -> int | None:
        """The monotonic nanosecond at which `TimePassed` is due, None for never."""
        reminder = None if self._indicator is None else self._indicator.deadline()
        limit = None if self._duty is None else self._duty.book.deadline()
        sent = (self._uplink.deadline(), self._unstored.deadline(), self._commands.refusals.deadline())
        hall = None if self._hall is None else self._hall.deadline()
        times = (*sent, self._sealed_by_ns, reminder, limit, hall)
        return min((time for time in times if time is not None), default=None)

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """What is to be done about `event`, in this order."""
        before = self._recording.state
        event = hook_desk.meant(event, step_due=self._duty is not None and self._duty.step_due)
        self.health.count(event)
        decisions: Iterable[Effect] = [*self._decide(event, now), *self._commands.heard(event, self._trust, now)]
        if self._offload is not None:
            decisions = [*self._offload.classed(), *decisions, *self._offload.heard(event, self._trust, now)]
        if self._duty is not None:
            decisions = self._duty.accompany([*decisions, *self._duty.heard(event, self._trust, now)], now)
        if self._hall is not None:
            decisions = [*decisions, *self._hall.heard(event, now)]
        if self._clock.was_set(now):
            decisions = [*decisions, *self._clock_set()]
        decided = [*self.health.accompany(decisions, now)]
        self.frames.see(event, self._recording.state, now)
        paused = self.health.uploads_paused(now) and self._exit_code is None
        sent = [] if paused else self._uplink.next(now)
        shown: list[Effect] = []
        if self._indicator is not None:
            self._indicator.hear(event, before)
            shown = self._indicator.next(self._recording.state, self.health.alarms, now)
        return self._unstored.pass_on([*decided, *sent, *shown, *self._finish_when_quiet(now)])

    def _decide(self, event: Event, now: Instant) -> list[Effect]:
        match event:
            case happened.ButtonPressed(at):
                return self._recording.pressed(at)
            case happened.OfficerActed(act=Act.STEP):
                return []  # the duty desk hears it
            case happened.OfficerActed():
                acted, wrong = (event, list[Effect]()) if self._duty is None else self._duty.caused(event)
                return [*hook_desk.key_marks(self._recording.acted(acted)), *wrong]
            case happened.CasingChanged() | happened.DockChanged() | happened.CardShown() | happened.ClockDisputed():
                return hook_desk.told(event)
            case happened.PhotoTaken():
                return photo_taken(event)
            case happened.FileCollected():
                return file_collected(event)
            case happened.FragmentStored():
                return self._recording.fragment_stored(event)
            case happened.GapOpened():
                return gap_opened(event)
            case happened.HealthRead():
                return self.health.read(event, now)
            case happened.RecordingFound():
                return self._recording.found(event)
            case happened.RecordingReread():
                return told_again(event)
            case happened.RecordingSealed():
                return self._recording.sealed(event)
            case happened.RecordingFailed():
                return self._recording.failed(event)
            case happened.DeviceStarted():
                rolled_back = [] if self._desk is None else self._desk.started(now)
                commands = self._commands.started(now)
                return [*self._started(event), *rolled_back, *commands, *self._uplink.open(now)]
            case happened.EventNotStored():
                return self._unstored.keep(event, now.monotonic_ns)
            case happened.MessageArrived():
                return self._arrived(event, now)
            case happened.TrustListRead(trust):
                return self._take_trust(trust)
            case _ if isinstance(event, happened.ContentEvent):
                return [] if self._desk is None else self._desk.heard(event, self._trust, now)
            case happened.LinkUp():
                return self._came_up(event, now)
            case happened.FileSettled():
                return [ReadTrustList()]
            case happened.WorkFailed():
                return self._work_failed(event)
            case _ if isinstance(event, happened.DutyEvent | happened.CommandEvent | OWN_DESK_EVENTS):
                return []  # their own desks hear them
            case happened.TimePassed():
                return [*self._uplink.wake(now), *self._unstored.wake(now)]
            case happened.StopRequested():
                return self._stop(0, now)
            case happened.CourierDied(name, detail):
                alarm = RaiseAlarm(f"内部线程 {name} 意外终止（{detail}），程序将重新启动。")
                return [alarm, *self._stop(EnvironmentFault.exit_code, now)]
            case happened.StoreUnreadable(detail):
                told, self._unreadable = self._unreadable, True
                return [] if told else [RaiseAlarm(f"{detail}。不录制时将重新启动并重建，请勿取下存储卡。")]
            case happened.PressureChanged(level):
                return self._pressed_hard(level)
            case happened.EventStored():
                return [*self._uplink.handle(event, now), *self._unstored.again(now)]
            case happened.ReceiptCompared():
                acknowledged = self._uplink.handle(event, now)
                return [*acknowledged, *self._unstored.again(now)] if acknowledged else []
            case _:
                return self._uplink.handle(event, now)

    def _kept(self, recording: RecordingId) -> Kept | None:
        return None if self._offload is None else self._offload.shelf.get(recording)

    def _started(self, event: happened.DeviceStarted) -> list[Effect]:
        moment, version = moment_name(event.at), {"version": self._identity.version}
        drafts = [EventDraft(f"started/{moment}", EventType.DEVICE_STARTED, event.at, version)]
        loss = event.loss
        if loss is not None:
            data = {"skipped_to": loss.skipped_to, "kept_as": loss.kept_as, "detail": loss.detail[:DETAIL_LENGTH]}
            drafts.insert(0, EventDraft(f"store-lost/{moment}", EventType.STORAGE_FAILED, event.at, data))
        # The list found at the start counts as seen, too: an older one may not follow it at the next start.
        told: list[Effect] = [StoreEvent(draft) for draft in drafts]
        return [*told, CheckEvents(), StoreNote(TrustSeen(self._trust.version))]

    def _came_up(self, event: happened.LinkUp, now: Instant) -> list[Effect]:
        effects = self._uplink.handle(event, now)
        if effects and self._desk is not None:
            self._desk.connected()
        return effects

    def _arrived(self, event: happened.MessageArrived, now: Instant) -> list[Effect]:
        if self._commands.is_for(event.topic):
            return []  # the command desk hears it
        if event.topic == self._receipts and is_recording_receipt(event.payload):
            return []  # the offload desk hears it
        if event.topic == self._receipts:
            return compare_receipt(self._identity.device, event.payload, self._trust, now)
        if self._witness is not None and event.topic == self._witness.topic:
            return self._witness.arrived(event.payload, self._trust, now)
        if self._desk is None:
            return [RaiseAlarm(f"收到未订阅主题 {event.topic[:120]} 的消息，已忽略。")]
        return self._desk.arrived(event.topic, event.payload, self._trust, now)

    def _take_trust(self, trust: TrustList) -> list[Effect]:
        if trust.version <= self._trust.version or trust.district != self._trust.district:
            return []
        self._trust = trust
        seen = StoreNote(TrustSeen(trust.version))
        # A publication that came before the list that trusts its signers was refused, and is retained at the broker.
        return [seen] if self._desk is None else [seen, *self._hear_again()]

    def _clock_set(self) -> list[Effect]:
        """What was refused for its date may hold now: the broker sends what it retains, the centre what it owes to a
        device that has come up."""
        asked = self._hear_again()
        return [*asked, PublishStatus(online=True)] if asked else []

    def _hear_again(self) -> list[Effect]:
        if self._desk is not None:
            self._desk.connected()
        return self._uplink.subscribe_again()

    def _pressed_hard(self, level: Pressure) -> list[Effect]:
        rises, self._pressure = level > self._pressure, level
        self.health.report_every(STEPS[level].health_every)
        return [RaiseAlarm(STEPS[level].text)] if rises else []

    def _work_failed(self, event: happened.WorkFailed) -> list[Effect]:
        if event.disclosure is not None and self._desk is not None:
            self._desk.forget(event.disclosure)
        return [RaiseAlarm(event.detail)]

    def _stop(self, exit_code: int, now: Instant) -> list[Effect]:
        if self._exit_code is not None:
            return []
        self._exit_code, self._end_by_ns = exit_code, now.monotonic_ns + STOP_NS
        self._sealed_by_ns = now.monotonic_ns + STOP_GRACE_NS
        return [*self._commands.refusals.sum_up(now), *self._recording.shut_down(now)]

    def _finish_when_quiet(self, now: Instant) -> list[Effect]:
        if self._unreadable and self._recording.state is State.IDLE:  # a recording is worth more than its events
            self._stop(EnvironmentFault.exit_code, now)
        if self._exit_code is None or self._sealed_by_ns is None:
            return []
        if self._recording.state is not State.IDLE and now.monotonic_ns < self._sealed_by_ns:
            return []
        self._sealed_by_ns = None
        data = {"exit_code": self._exit_code}
        stopped = EventDraft(f"stopped/{moment_name(now)}", EventType.DEVICE_STOPPED, now, data)
        status: list[Effect] = [PublishStatus(online=False)] if self._uplink.up else []
        flushed = CloseConnection(min(now.monotonic_ns + FLUSH_NS, self._end_by_ns))
        off = [] if self._indicator is None else self._indicator.switch_off()
        # What waits is tried once more, and with it everything behind it: nobody remembers it after this process.
        return [
            *self._unstored.again(now),
            StoreEvent(stopped),
            *status,
            *off,
            flushed,
            Finish(self._exit_code, self._end_by_ns),
        ]
