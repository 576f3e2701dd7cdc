"""The controller as a whole: stopping, storing again, dying couriers, receipts for others, trust lists."""

from typing import Any

import pytest

from agent.control import messages as happened
from agent.control.acts import Act
from agent.control.controller import STOP_GRACE_NS, STOP_NS, Controller, Identity, Memory
from agent.control.disclosure_desk import REFUSALS_TOLD
from agent.control.effects import (
    DETAIL_LENGTH,
    Acknowledge,
    CheckEvents,
    CloseConnection,
    CompareReceipt,
    Effect,
    EventDraft,
    Finish,
    Indicate,
    MarkRecording,
    NoteHealth,
    OpenConnection,
    PublishStatus,
    RaiseAlarm,
    ShowDuty,
    StartRecording,
    StopRecording,
    StoreEvent,
    StoreNote,
    Subscribe,
    TrustSeen,
)
from agent.control.recording import RecordingMemory
from agent.control.unstored import LIMIT, RETRY_NS
from agent.evidence.statements import CONTEXT_VERSION
from agent.wire.device_events import GENESIS, EventType
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId, device_id, recording_id
from agent.wire.instant import TimeState
from agent.wire.receipts import RECEIPT_TYPE, Receipt
from agent.wire.trust import Role
from tests.support.clocks import SteppedClock
from tests.support.device import DistrictKeys

KEYS = DistrictKeys()
ACK = "gov/xinghe/v1/rec/REC-0001/ack"


class Bench:
    def __init__(self, audience: str | None = None) -> None:
        self.clock = SteppedClock()
        identity = Identity(KEYS.authority.district, KEYS.device, "星河区综合行政执法局", "0.1.0", audience)
        memory = Memory(0, 0, RecordingMemory(0, 0, GENESIS))
        self.controller = Controller(identity, memory, KEYS.trust, lambda: 0.0)

    def handle(self, event: happened.Event) -> list[Effect]:
        """What is decided; what is shown about it is in test_indication.py."""
        effects = self.controller.handle(event, self.clock.read())
        return [effect for effect in effects if not isinstance(effect, Indicate)]

    def stored(self, effects: list[Effect]) -> list[str]:
        return [effect.draft.event_id for effect in effects if isinstance(effect, StoreEvent)]

    def up(self) -> list[Effect]:
        self.handle(happened.DeviceStarted(self.clock.read()))
        self.handle(happened.LinkOpening(1))
        return self.handle(happened.LinkUp(1, 100, 10**6))

    def receipt(self, device: DeviceId = KEYS.device, receiver: str = "receiver-1", **other: Any) -> list[Effect]:
        receipt = Receipt(device, 0, GENESIS, receiver, self.clock.read().wall)
        signer = other.get("signer", KEYS.receiver.signer)
        payload = seal(other.get("kind", RECEIPT_TYPE), receipt.encode(), [signer])
        return self.handle(happened.MessageArrived(1, ACK, payload))


def test_a_start_tells_its_story_and_connects() -> None:
    bench = Bench()
    effects = bench.handle(happened.DeviceStarted(bench.clock.read()))
    assert [type(effect) for effect in effects] == [StoreEvent, CheckEvents, StoreNote, OpenConnection, ShowDuty]


def test_the_trust_list_found_at_the_start_is_remembered_against_an_older_one() -> None:
    bench = Bench()
    assert StoreNote(TrustSeen(KEYS.trust.version)) in bench.handle(happened.DeviceStarted(bench.clock.read()))


def test_a_lost_store_is_declared_before_anything_else() -> None:
    bench = Bench()
    loss = happened.StoreLoss("agent.db.damaged-1", 1001, "坏")
    effects = bench.handle(happened.DeviceStarted(bench.clock.read(), loss))
    first = effects[0]
    assert isinstance(first, StoreEvent)
    assert (first.draft.type, first.draft.data["skipped_to"]) == (EventType.STORAGE_FAILED, 1001)


def test_every_connection_subscribes_and_gives_birth() -> None:
    assert Bench().up() == [Subscribe((ACK, f"{ACK.removesuffix('ack')}cmd/+")), PublishStatus(online=True)]
    filters = Bench(audience="hall-1").up()[0]
    commands = f"{ACK.removesuffix('ack')}cmd/+"
    assert filters == Subscribe((ACK, "gov/xinghe/v1/pub/all/+/+", "gov/xinghe/v1/pub/hall-1/+/+", commands))


def test_a_refused_subscription_drops_the_connection() -> None:
    bench = Bench()
    bench.up()
    effects = bench.handle(happened.SubscriptionAnswered(1, (0x87,)))
    assert [type(effect) for effect in effects] == [RaiseAlarm, CloseConnection]


def test_a_stop_waits_for_the_seal_and_then_ends() -> None:
    bench = Bench()
    bench.up()
    bench.handle(happened.ButtonPressed(bench.clock.read()))
    begun_ns = bench.clock.read().monotonic_ns
    recording = recording_id(KEYS.device, 1)
    _, stop, *kept = bench.handle(happened.StopRequested())
    assert (stop, [type(it) for it in kept]) == (StopRecording(recording, "shutdown"), [StoreNote, ShowDuty])
    sealed = happened.RecordingSealed(recording, 1, 1, GENESIS, 500, 9, "shutdown", False, 0, bench.clock.read())
    effects = bench.handle(sealed)
    kinds = [type(effect) for effect in effects]
    assert kinds == [StoreEvent, StoreNote, StoreNote, ShowDuty, StoreEvent, PublishStatus, CloseConnection, Finish]
    assert effects[-1] == Finish(0, begun_ns + STOP_NS)


def test_a_stop_does_not_wait_for_ever_for_a_seal() -> None:
    bench = Bench()
    bench.handle(happened.ButtonPressed(bench.clock.read()))
    bench.handle(happened.StopRequested())
    begun_ns = bench.clock.read().monotonic_ns
    assert bench.controller.deadline() == begun_ns + STOP_GRACE_NS
    bench.clock.step(STOP_GRACE_NS / 1e9)
    flushed, finish = bench.handle(happened.TimePassed())[-2:]
    assert isinstance(flushed, CloseConnection)
    assert flushed.flush_by_ns is not None
    assert finish == Finish(0, begun_ns + STOP_NS)
    assert begun_ns + STOP_GRACE_NS < flushed.flush_by_ns < finish.by_ns < begun_ns + 5 * 10**9


def test_a_dead_courier_seals_the_recording_and_ends_the_process() -> None:
    bench = Bench()
    bench.handle(happened.ButtonPressed(bench.clock.read()))
    effects = bench.handle(happened.CourierDied("paho", "ValueError"))
    assert [type(effect) for effect in effects] == [RaiseAlarm, NoteHealth, StopRecording, StoreNote, ShowDuty]
    ended = happened.RecordingFailed(None, "线程没了", bench.clock.read())
    assert bench.handle(ended)[-1] == Finish(4, bench.clock.read().monotonic_ns + STOP_NS)


def test_a_store_that_cannot_be_read_is_rebuilt_by_a_new_start_and_not_while_recording() -> None:
    bench = Bench()
    bench.handle(happened.ButtonPressed(bench.clock.read()))
    unreadable = happened.StoreUnreadable("本机数据库已损坏")
    assert [type(effect) for effect in bench.handle(unreadable)] == [RaiseAlarm]
    assert bench.handle(unreadable) == []
    ended = happened.RecordingFailed(None, "线程没了", bench.clock.read())
    assert bench.handle(ended)[-1] == Finish(4, bench.clock.read().monotonic_ns + STOP_NS)


def test_a_full_store_stops_no_recording_and_is_tried_again() -> None:
    bench = Bench()
    effects = bench.handle(happened.ButtonPressed(bench.clock.read()))
    assert any(isinstance(effect, StartRecording) for effect in effects)
    refused = next(effect for effect in effects if isinstance(effect, StoreEvent))
    assert [type(it) for it in bench.handle(happened.EventNotStored(refused, "满"))] == [RaiseAlarm]
    assert bench.handle(happened.EventNotStored(refused, "满")) == []
    bench.clock.step(RETRY_NS / 1e9)
    assert bench.handle(happened.TimePassed()) == [refused]
    assert bench.handle(happened.EventStored(1)) == [refused]
    assert bench.handle(happened.EventStored(2)) == []
    assert bench.controller.deadline() is None


def test_drafts_beyond_the_memory_are_counted_and_told_when_room_returns() -> None:
    bench = Bench()
    drafts = [
        StoreEvent(EventDraft(f"e{number}", EventType.RECORDING_HEAD_ADVANCED, bench.clock.read(), {}))
        for number in range(LIMIT + 3)
    ]
    alarms = [effects for draft in drafts if (effects := bench.handle(happened.EventNotStored(draft, "满")))]
    assert [type(effects[0]) for effects in alarms] == [RaiseAlarm, RaiseAlarm]
    bench.clock.step(RETRY_NS / 1e9)
    (again,) = bench.handle(happened.TimePassed())
    assert isinstance(again, StoreEvent)
    assert bench.handle(happened.EventNotStored(again, "满")) == []  # still no room: nothing is counted twice
    bench.clock.step(RETRY_NS / 1e9)
    tried = bench.handle(happened.TimePassed())
    tried += [it for number in range(LIMIT) for it in bench.handle(happened.EventStored(number))]
    assert tried[:-1] == drafts[:LIMIT]
    told = tried[-1]
    assert isinstance(told, StoreEvent)
    bench.handle(happened.EventNotStored(told, "满"))
    bench.clock.step(RETRY_NS / 1e9)
    (told,) = bench.handle(happened.TimePassed())
    assert isinstance(told, StoreEvent)
    assert (told.draft.type, told.draft.data) == (EventType.EVENTS_DROPPED, {"count": 3})
    assert bench.controller.deadline() is None


def test_a_receipt_that_a_full_disk_did_not_take_is_kept_again_though_no_other_ever_comes() -> None:
    """Found by seed 6218 of the simulator: a recorder that has nothing more to tell hears no further receipt."""
    bench = Bench()
    bench.handle(happened.ReceiptNotKept())
    assert bench.controller.deadline() is not None
    bench.clock.step(RETRY_NS / 1e9)
    assert bench.handle(happened.TimePassed()) == [Acknowledge(0)]
    assert bench.controller.deadline() is None


def test_what_the_store_refused_a_moment_ago_goes_in_with_the_next_event_that_it_takes() -> None:
    bench = Bench()
    mark = StoreEvent(EventDraft("key-mark/1", EventType.KEY_MARKED, bench.clock.read(), {}))
    bench.handle(happened.EventNotStored(mark, "locked"))
    assert bench.handle(happened.EventStored(1)) == [mark]


def test_a_stop_stores_what_was_refused_before_it_says_that_it_stopped() -> None:
    bench = Bench()
    mark = StoreEvent(EventDraft("key-mark/1", EventType.KEY_MARKED, bench.clock.read(), {}))
    bench.handle(happened.EventNotStored(mark, "locked"))
    effects = bench.handle(happened.StopRequested())
    assert effects[0] == mark
    assert isinstance(effects[1], StoreEvent)
    assert effects[1].draft.type is EventType.DEVICE_STOPPED


def test_no_text_makes_an_event_too_large() -> None:
    bench = Bench()
    loss = happened.StoreLoss("agent.db.damaged-1", 1, "坏" * 100_000)
    effects = bench.handle(happened.DeviceStarted(bench.clock.read(), loss))
    effects += bench.handle(happened.RecordingFailed(recording_id(KEYS.device, 1), "坏" * 100_000, bench.clock.read()))
    details = [it.draft.data["detail"] for it in effects if isinstance(it, StoreEvent) and "detail" in it.draft.data]
    assert details == ["坏" * DETAIL_LENGTH] * 2


def test_the_recording_carries_the_version_under_the_name_that_its_claim_reads() -> None:
    bench = Bench()
    effects = bench.handle(happened.ButtonPressed(bench.clock.read()))
    started = next(effect for effect in effects if isinstance(effect, StartRecording))
    assert started.context[CONTEXT_VERSION] == "0.1.0"


def test_a_receipt_for_another_device_by_another_role_or_of_another_kind_is_refused() -> None:
    bench = Bench()
    bench.up()
    assert [type(it) for it in bench.receipt()] == [CompareReceipt]
    for wrong in (
        bench.receipt(device=device_id("REC-0002")),
        bench.receipt(receiver="receiver-2"),
        bench.receipt(signer=KEYS.editor.signer),
        bench.receipt(signer=DistrictKeys().receiver.signer),
        bench.receipt(kind="application/json"),
        bench.handle(happened.MessageArrived(1, ACK, b"")),
        bench.handle(happened.MessageArrived(1, ACK, b"\xff" * 300_000)),
    ):
        assert [type(it) for it in wrong] == [RaiseAlarm]


def test_an_editor_who_bears_the_receivers_name_signs_no_receipt() -> None:
    bench = Bench()
    bench.up()
    namesake = KEYS.authority.evidence("receiver-1", Role.EDITOR)
    bench.handle(happened.TrustListRead(KEYS.authority.trust(namesake.credential(Role.EDITOR), version=2)))
    refused = bench.receipt(signer=namesake.signer)[0]
    assert isinstance(refused, RaiseAlarm)
    assert "缺少 receiver 的有效签名" in refused.text


def test_only_a_newer_trust_list_of_this_district_is_taken() -> None:
    bench = Bench()
    assert bench.handle(happened.TrustListRead(KEYS.trust_version(2))) == [StoreNote(TrustSeen(2))]
    assert bench.handle(happened.TrustListRead(KEYS.trust_version(2))) == []
    assert bench.handle(happened.TrustListRead(KEYS.trust_version(1))) == []


def test_a_publication_refused_before_its_signers_were_trusted_is_asked_for_again() -> None:
    bench = Bench(audience="hall-1")
    subscribed = bench.up()[0]
    effects = bench.handle(happened.TrustListRead(KEYS.trust_version(2)))
    assert effects == [StoreNote(TrustSeen(2)), subscribed]
    assert bench.handle(happened.TrustListRead(KEYS.trust_version(2))) == []
    bench.handle(happened.LinkDown(1, "断开"))
    assert bench.handle(happened.TrustListRead(KEYS.trust_version(3))) == [StoreNote(TrustSeen(3))]


@pytest.mark.parametrize("audience", [None, "hall-1"])
def test_what_was_refused_for_its_date_is_asked_for_again_once_the_clock_is_set(audience: str | None) -> None:
    """Found by the district simulator: a screen that came up without a network time stayed at what it had."""
    bench = Bench(audience)
    subscribed = bench.up()[0]
    bench.clock.step(30)
    assert bench.handle(happened.TimePassed()) == []
    bench.clock.set_wrong(days=-300)
    assert bench.handle(happened.TimePassed())[:2] == [subscribed, PublishStatus(online=True)]
    bench.clock.set_wrong(days=300)
    assert bench.handle(happened.TimePassed())[:2] == [subscribed, PublishStatus(online=True)]
    bench.handle(happened.LinkDown(1, "断开"))
    bench.clock.set_wrong(days=1)
    assert not any(isinstance(it, PublishStatus) for it in bench.handle(happened.TimePassed()))


def test_clock_that_was_unset_and_is_trusted_now_counts_as_set() -> None:
    bench = Bench()
    bench.clock.state = TimeState.UNSET
    subscribed = bench.up()[0]
    bench.clock.state = TimeState.GNSS
    assert subscribed in bench.handle(happened.TimePassed())
    assert bench.handle(happened.TimePassed()) == []


def test_after_a_flood_of_forgeries_a_kiosk_is_heard_again_on_its_next_connection() -> None:
    bench = Bench(audience="hall-1")
    bench.up()

    def forge(number: int) -> list[Effect]:
        topic = "gov/xinghe/v1/pub/hall-1/notice/notice-1"
        return bench.handle(happened.MessageArrived(1, topic, b"forged %d" % number))

    assert [bool(forge(number)) for number in range(REFUSALS_TOLD + 1)] == [True] * REFUSALS_TOLD + [False]
    bench.handle(happened.LinkDown(1, "断开"))
    bench.handle(happened.LinkOpening(2))
    bench.handle(happened.LinkUp(2, 100, 10**6))
    assert [type(it) for it in forge(999)] == [RaiseAlarm, StoreEvent]


def test_a_revoked_receiver_is_no_longer_believed() -> None:
    bench = Bench()
    bench.up()
    revoked = KEYS.receiver.credential(Role.RECEIVER, bench.clock.read().wall)
    trust = KEYS.authority.trust(revoked, version=2)
    bench.handle(happened.TrustListRead(trust))
    assert [type(it) for it in bench.receipt()] == [RaiseAlarm]


def test_an_unknown_event_is_a_defect_not_silence() -> None:
    with pytest.raises(TypeError):
        Bench().handle("what is this")  # type: ignore[arg-type]


def test_what_happens_to_the_device_is_told_to_the_centre() -> None:
    bench = Bench()
    at = bench.clock.read()
    told = [
        (happened.CasingChanged(True, at), EventType.CASING_CHANGED, {"opened": True}),
        (happened.DockChanged(False, at), EventType.DOCK_CHANGED, {"docked": False}),
        (happened.CardShown("04AABBCC", at), EventType.CARD_SHOWN, {"card": "04AABBCC"}),
        (happened.ClockDisputed(5000, at), EventType.CLOCK_DISPUTED, {"apart_ms": 5000}),
    ]
    for event, kind, data in told:
        stored, *_ = bench.handle(event)  # of a card that nobody registered, the duty desk tells as well
        assert isinstance(stored, StoreEvent)
        assert (stored.draft.type, stored.draft.data) == (kind, data)


def test_key_mark_reaches_the_recording_and_the_centre_and_neither_without_a_recording() -> None:
    bench = Bench()
    mark = happened.OfficerActed(Act.MARK, "", bench.clock.read())
    assert bench.handle(mark) == []
    bench.handle(happened.ButtonPressed(bench.clock.read()))
    marked, stored, remembered = bench.handle(mark)
    assert isinstance(marked, MarkRecording)
    assert remembered.note.kept.marked  # nothing will delete it
    assert isinstance(stored, StoreEvent)
    assert (stored.draft.type, stored.draft.data) == (EventType.KEY_MARKED, {"recording": marked.recording})


def test_kiosk_host_has_no_lamp() -> None:
    identity = Identity(KEYS.authority.district, KEYS.device, "星河区综合行政执法局", "0.1.0", "hall-1")
    clock = SteppedClock()
    kiosk = Controller(identity, Memory(0, 0, RecordingMemory(0, 0, GENESIS)), KEYS.trust, lambda: 0.0)
    shown = [it for it in kiosk.handle(happened.TimePassed(), clock.read()) if isinstance(it, Indicate)]
    assert shown == []
