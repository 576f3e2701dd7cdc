"""Follows a recorder's recordings from their end to their deletion: what went out, what the centre has signed for, what
may go. Belongs to the controller.

Events it drafts (`data` in brackets), with ids that name the fact: `R000001/offloaded/{manifest}` (recording, manifest,
files, size), `R000001/receipted/{receipt}` (recording, manifest, receiver, opened, retention, signed_at),
`R000001/deleted/{manifest}` (recording, manifest, retention, receipted_at).
"""

from collections.abc import Callable
from dataclasses import replace

from agent.control.acts import Act
from agent.control.deletion import TRUSTED, with_term
from agent.control.effects import Effect, EventDraft, RaiseAlarm, StoreEvent, StoreNote
from agent.control.health import HealthRead
from agent.control.health_desk import HealthDesk
from agent.control.kept_shelf import KeptShelf, fact_of
from agent.control.messages import (
    DeviceStarted,
    DockChanged,
    Event,
    EventNotStored,
    MessageArrived,
    OfficerActed,
    ReceiptCompared,
    RecordingSealed,
)
from agent.control.offload_messages import (
    DirectOffload,
    OffloadAsked,
    OffloadRested,
    OffloadWanted,
    RecordingChanged,
    RecordingOffloaded,
    RecordingRemoved,
    RecordingUnchanged,
    TellReceipted,
)
from agent.control.offload_policy import OffloadOrders
from agent.control.recording import RecordingMachine
from agent.errors import SenderFault
from agent.wire.canonical import timestamp
from agent.wire.device_events import EventType, event_hash
from agent.wire.envelope import open_envelope
from agent.wire.identifiers import DeviceId, RecordingId, recording_device
from agent.wire.instant import Instant
from agent.wire.recording_receipts import (
    RECORDING_RECEIPT_TYPE,
    RecordingReceipt,
    is_recording_receipt,
    parse_recording_receipt,
)
from agent.wire.trust import Role, TrustList


class OffloadDesk:
    """`shelf` is what is remembered of recordings, `term` the class of the task in hand, `NOT_FILED` without one;
    `directs`: there is a process that uploads, `asked`: an earlier run was told to bring everything out."""

    def __init__(
        self,
        device: DeviceId,
        recordings: RecordingMachine,
        health: HealthDesk,
        shelf: KeptShelf,
        term: Callable[[], str],
        *,
        directs: bool = False,
        asked: bool = False,
    ) -> None:
        self._device, self._recordings, self._health = device, recordings, health
        self.shelf, self._term, self._directs = shelf, term, directs
        self._orders, self._docked, self._asked = OffloadOrders(), False, asked

    def heard(self, event: Event, trust: TrustList, now: Instant) -> list[Effect]:
        """What follows for recordings on this device from whatever happened."""
        return [*self._follow(event, trust, now), *self._directed(now)]

    def classed(self) -> list[Effect]:
        """The class of the task in hand, stored before the running recording has its first fragment: a power cut
        leaves it in its class."""
        current = self._recordings.current
        if current is None:
            return []
        kept = with_term(self.shelf.of(current), self._term())
        return [] if kept == self.shelf.get(current) else [StoreNote(self.shelf.remember(kept))]

    def _follow(self, event: Event, trust: TrustList, now: Instant) -> list[Effect]:
        match event:
            case DeviceStarted():
                return self._started()
            case RecordingSealed():
                return self._sealed(event)
            case OfficerActed(act=Act.MARK):
                return self._marked()
            case DockChanged(docked):
                self._docked = docked
            case OffloadAsked():
                self._asked = True
            case OffloadRested():
                return self._rested()
            case RecordingOffloaded():
                return self._offloaded(event)
            case MessageArrived(payload=payload) if is_recording_receipt(payload):
                return self._receipt(payload, trust, now)
            case ReceiptCompared(receipt):
                self.shelf.hear_centre(receipt, now)
            case HealthRead():
                return self.shelf.check(now)
            case RecordingUnchanged(recording, manifest):
                return self.shelf.unchanged(recording, manifest, now)
            case RecordingRemoved(recording):
                return self.shelf.removed(recording)
            case RecordingChanged(recording):
                return _changed(recording, self.shelf)
            case EventNotStored(effect) if effect.draft.type is EventType.RECORDING_DELETED:
                self.shelf.take_back(RecordingId(effect.draft.data["recording"]))
        return []

    def _directed(self, now: Instant) -> list[Effect]:
        paused = self._health.uploads_paused(now)
        orders = OffloadOrders(self._docked, paused, self._asked, self._recordings.current or "")
        if not self._directs or orders == self._orders:
            return []
        self._orders = orders
        return [DirectOffload(orders)]

    def _started(self) -> list[Effect]:
        settled = self.shelf.receipted() if self._directs else []
        return [*map(TellReceipted, settled), *self.shelf.removals()]

    def _rested(self) -> list[Effect]:
        if not self._asked:
            return []
        self._asked = False
        return [StoreNote(OffloadWanted(False))]

    def _sealed(self, event: RecordingSealed) -> list[Effect]:
        ended = event.at.wall if event.at.state in TRUSTED and not event.recovered else None
        return [StoreNote(self.shelf.remember(replace(self.shelf.of(event.recording), ended=ended)))]

    def _marked(self) -> list[Effect]:
        current = self._recordings.current
        return [] if current is None else [StoreNote(self.shelf.remember(replace(self.shelf.of(current), marked=True)))]

    def _offloaded(self, event: RecordingOffloaded) -> list[Effect]:
        kept = self.shelf.of(event.recording)
        if kept.manifest == event.manifest:
            return []
        data = {"recording": event.recording, "manifest": event.manifest, "files": event.files, "size": event.size}
        name = f"{fact_of(event.recording)}/offloaded/{event.manifest}"
        draft = EventDraft(name, EventType.RECORDING_OFFLOADED, event.at, data)
        return [StoreEvent(draft, self.shelf.remember(replace(kept, manifest=event.manifest, going=False)))]

    def _receipt(self, payload: bytes, trust: TrustList, now: Instant) -> list[Effect]:
        try:
            opened = open_envelope(payload, RECORDING_RECEIPT_TYPE, trust, now.wall)
            signer, receipt = opened.signer(Role.RECEIVER), parse_recording_receipt(opened.payload)
            _check_address(receipt, self._device, signer.subject)
        except SenderFault as fault:
            return [RaiseAlarm(f"收到的录像回执未采用：{fault}")]
        return self._receipted(receipt, now)

    def _receipted(self, receipt: RecordingReceipt, now: Instant) -> list[Effect]:
        before = self.shelf.of(receipt.recording)
        if before.signed_at is not None and receipt.signed_at < before.signed_at:
            return [RaiseAlarm(f"{receipt.recording} 的录像回执比已采用的早，未采用。请检查消息服务器是否重放旧消息。")]
        data = {
            "manifest": receipt.manifest,
            "opened": receipt.opened,
            "receiver": receipt.receiver,
            "recording": receipt.recording,
            "retention": receipt.retention,
            "signed_at": timestamp(receipt.signed_at),
        }
        name = f"{fact_of(receipt.recording)}/receipted/{event_hash(receipt.encode())}"
        draft = EventDraft(name, EventType.RECORDING_RECEIPTED, now, data)
        if before.manifest != receipt.manifest:  # signed for what stood outside before: told, and nothing follows
            return [StoreEvent(draft)]
        kept = replace(before, receipted=receipt.manifest, receipted_at=receipt.received_at)
        kept = replace(kept, filed=receipt.retention, signed_at=receipt.signed_at)
        return [StoreEvent(draft, self.shelf.remember(kept)), TellReceipted(receipt.recording)]


def _changed(recording: RecordingId, shelf: KeptShelf) -> list[Effect]:
    """What was to be removed is not what the centre has signed for: it stays, and goes out again first."""
    if shelf.get(recording) is None:
        return []
    alarm = RaiseAlarm(f"{recording} 在删除前有变化，未删除；将重新上传，待中心签收。")
    return [alarm, StoreNote(shelf.take_back(recording))]


def _check_address(receipt: RecordingReceipt, device: DeviceId, signer: str) -> None:
    if recording_device(receipt.recording) != device or receipt.receiver != signer:
        raise SenderFault("录像回执不是给本机的，或签名者不是它所称的接收方，已拒绝。")
