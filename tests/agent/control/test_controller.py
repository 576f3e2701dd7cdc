"""The controller as a whole: stopping, storing again, dying couriers, receipts for others, trust lists."""

from typing import Any

import pytest

from agent.control import messages as happened
from agent.control.controller import STOP_GRACE_NS, Controller, Identity, Memory
from agent.control.effects import (
    CloseConnection,
    CompareReceipt,
    Effect,
    Finish,
    OpenConnection,
    PublishStatus,
    RaiseAlarm,
    StartRecording,
    StopRecording,
    StoreEvent,
    StoreNote,
    Subscribe,
    TrustSeen,
)
from agent.control.recording import RecordingMemory
from agent.control.unstored import RETRY_NS
from agent.wire.device_events import GENESIS, EventType
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId, device_id, recording_id
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
        return self.controller.handle(event, self.clock.read())

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
    assert [type(effect) for effect in effects] == [StoreEvent, OpenConnection]


def test_a_lost_store_is_declared_before_anything_else() -> None:
    bench = Bench()
    loss = happened.StoreLoss("agent.db.damaged-1", 1001, "坏")
    effects = bench.handle(happened.DeviceStarted(bench.clock.read(), loss))
    first = effects[0]
    assert isinstance(first, StoreEvent)
    assert (first.draft.type, first.draft.data["skipped_to"]) == (EventType.STORAGE_FAILED, 1001)


def test_every_connection_subscribes_and_gives_birth() -> None:
    assert Bench().up() == [Subscribe((ACK,)), PublishStatus(online=True)]
    filters = Bench(audience="hall-1").up()[0]
    assert filters == Subscribe((ACK, "gov/xinghe/v1/pub/all/+/+", "gov/xinghe/v1/pub/hall-1/+/+"))


def test_a_refused_subscription_drops_the_connection() -> None:
    bench = Bench()
    bench.up()
    effects = bench.handle(happened.SubscriptionAnswered(1, (0x87,)))
    assert [type(effect) for effect in effects] == [RaiseAlarm, CloseConnection]


def test_a_stop_waits_for_the_seal_and_then_ends() -> None:
    bench = Bench()
    bench.up()
    bench.handle(happened.ButtonPressed(bench.clock.read()))
    recording = recording_id(KEYS.device, 1)
    assert bench.handle(happened.StopRequested()) == [StopRecording(recording, "shutdown")]
    sealed = happened.RecordingSealed(recording, 1, 1, GENESIS, 500, 9, "shutdown", False, 0, bench.clock.read())
    effects = bench.handle(sealed)
    kinds = [type(effect) for effect in effects]
    assert kinds == [StoreEvent, StoreEvent, PublishStatus, CloseConnection, Finish]
    assert effects[-1] == Finish(0)


def test_a_stop_does_not_wait_for_ever_for_a_seal() -> None:
    bench = Bench()
    bench.handle(happened.ButtonPressed(bench.clock.read()))
    bench.handle(happened.StopRequested())
    assert bench.controller.deadline() == bench.clock.read().monotonic_ns + STOP_GRACE_NS
    bench.clock.step(STOP_GRACE_NS / 1e9)
    assert bench.handle(happened.TimePassed())[-1] == Finish(0)


def test_a_dead_courier_seals_the_recording_and_ends_the_process() -> None:
    bench = Bench()
    bench.handle(happened.ButtonPressed(bench.clock.read()))
    effects = bench.handle(happened.CourierDied("paho", "ValueError"))
    assert [type(effect) for effect in effects] == [RaiseAlarm, StopRecording]
    ended = happened.RecordingFailed(None, "线程没了", bench.clock.read())
    assert bench.handle(ended)[-1] == Finish(4)


def test_a_full_store_stops_no_recording_and_is_tried_again() -> None:
    bench = Bench()
    effects = bench.handle(happened.ButtonPressed(bench.clock.read()))
    assert any(isinstance(effect, StartRecording) for effect in effects)
    refused = next(effect for effect in effects if isinstance(effect, StoreEvent))
    assert [type(it) for it in bench.handle(happened.EventNotStored(refused, "满"))] == [RaiseAlarm]
    assert bench.handle(happened.EventNotStored(refused, "满")) == []
    bench.clock.step(RETRY_NS / 1e9)
    assert bench.handle(happened.TimePassed()) == [refused, refused]
    assert bench.controller.deadline() is None


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
