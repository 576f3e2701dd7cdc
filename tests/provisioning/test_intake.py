"""Attacks on the centre's intake, and the disorder that networks make; no broker, a real database."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Integer

from agent.errors import SenderFault
from agent.evidence.account import open_accounts
from agent.wire.canonical import decode
from agent.wire.device_events import EVENTS_TYPE, event_hash, parse_event
from agent.wire.envelope import MAX_ENVELOPE_BYTES, add_signature, open_envelope, parse_envelope, seal
from agent.wire.hints import HINT_TYPE, encode_hint
from agent.wire.identifiers import DeviceId, District, parse_recording_id
from agent.wire.receipts import RECEIPT_TYPE
from agent.wire.signing import KeySigner
from agent.wire.topics import HINT, device_topic
from agent.wire.trust import Role
from agent.wire.witness import WITNESS_TYPE, parse_witness
from provisioning.authority import keys
from provisioning.center import intake, store
from provisioning.center.ingest import Ingest
from provisioning.center.intake import EMPTY_CHAIN, Head, Link, Shelf, Waiting, decide
from provisioning.center.receipt_desk import (
    RECEIPT_EVENTS,
    RECEIPT_INTERVAL_MS,
    RECEIPT_QUIET_MS,
    RESEND_INTERVAL_MS,
    ReceiptDesk,
)
from provisioning.center.store import open_store
from tests.provisioning.center_bench import A, B, Center, Keys
from tests.provisioning.district import (
    NOW,
    PLACE,
    Chain,
    events_topic,
    load_signer,
    lost_memory,
    sealed_batch,
    sealed_status,
    state_topic,
)

HINT_TOPIC = device_topic(PLACE, A, HINT)


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def center(holders: Keys, tmp_path: Path) -> Iterator[Center]:
    made = Center(holders, tmp_path)
    yield made
    made.store.close()


def refused(center: Center, data: bytes, topic: str = events_topic(A)) -> None:
    center.take(data, topic)
    assert center.row().received == 0
    assert center.alarms() == [(A, "refused", 0)]


def hint_of(body: bytes, center: Center) -> bytes:
    return seal(HINT_TYPE, encode_hint(body), [center.a])


def test_a_hint_is_an_alarm_and_no_part_of_the_chain(center: Center) -> None:
    body = center.chain.add(1)[0]
    center.take(hint_of(body, center), HINT_TOPIC)
    assert center.alarms() == [(A, "hint", 1)]
    assert center.store.events(A) == ()
    center.send(body)
    assert center.row().upto == 1


def test_a_hint_of_b_on_as_topic_or_under_the_type_of_events_is_refused(center: Center) -> None:
    body = center.chain.add(1)[0]
    center.take(seal(HINT_TYPE, encode_hint(body), [center.b]), HINT_TOPIC)
    center.take(hint_of(Chain(B).add(1)[0], center), HINT_TOPIC)
    center.take(sealed_batch(center.a, [body]), HINT_TOPIC)
    assert {kind for _, kind, _ in center.alarms()} == {"refused"}


def test_unsigned_events_are_refused(center: Center) -> None:
    refused(center, b'{"payload":"W10=","payloadType":"%s","signatures":[]}' % EVENTS_TYPE.encode())


def test_events_signed_by_an_unknown_key_are_refused(center: Center) -> None:
    refused(center, sealed_batch(KeySigner(keys.new_key()), center.chain.add()))


def test_altered_events_are_refused(center: Center) -> None:
    data = sealed_batch(center.a, center.chain.add())
    refused(center, data.replace(b'"payload":"W', b'"payload":"X'))


def test_signature_of_another_payload_type_does_not_count(center: Center) -> None:
    refused(center, seal(RECEIPT_TYPE, b"[]", [center.a]))


def test_threat_replay_of_bs_signed_events_by_a_is_refused(center: Center) -> None:
    refused(center, sealed_batch(center.b, Chain(B).add()))


def test_b_forging_an_event_of_a_on_as_topic_is_refused(center: Center) -> None:
    refused(center, sealed_batch(center.b, center.chain.add()))


def test_a_naming_b_as_source_is_refused(center: Center) -> None:
    refused(center, sealed_batch(center.a, Chain(B).add()))


def test_a_naming_another_district_as_source_is_refused(center: Center) -> None:
    refused(center, sealed_batch(center.a, Chain(A, District("other")).add()))


def test_a_second_signature_does_not_make_it_better(center: Center) -> None:
    refused(center, add_signature(sealed_batch(center.a, center.chain.add()), center.b))


def test_a_person_signing_in_a_devices_place_is_refused(center: Center) -> None:
    editor = center.district.person("示例-000001", Role.EDITOR)
    center.ingest.renew_trust(center.trust, NOW, 0)
    refused(center, sealed_batch(editor, center.chain.add()))


def test_events_of_a_revoked_device_are_refused(tmp_path: Path) -> None:
    center = Center(Keys(tmp_path / "keys"), tmp_path)
    center.district.authority.revoke(A, "遗失", NOW)
    center.ingest.renew_trust(center.trust, NOW, 0)
    refused(center, sealed_batch(center.a, center.chain.add()))
    center.store.close()


def test_oversize_envelope_is_refused(center: Center) -> None:
    refused(center, b" " * (MAX_ENVELOPE_BYTES + 1))


def test_oversize_batch_is_refused(center: Center) -> None:
    body = center.chain.add(1, "长" * 8000)[0]
    refused(center, seal(EVENTS_TYPE, b"[" + b",".join([body] * 3) + b"]", [center.a]))


def test_too_many_events_in_a_batch_are_refused(center: Center) -> None:
    refused(center, seal(EVENTS_TYPE, b"[" + b",".join(center.chain.add(51)) + b"]", [center.a]))


@given(st.binary(max_size=300))
@settings(max_examples=30)
def test_garbage_is_refused_and_never_a_crash(
    holders: Keys, tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    center = Center(holders, tmp_path_factory.mktemp("garbage"))
    try:
        refused(center, data)
        center.take(seal(EVENTS_TYPE, data, [center.a]))
        center.take(data, "gov/xinghe/v1/" + data.decode("latin-1"))
        center.take(data or b"x", state_topic(A))
        assert center.row().received == 0
    finally:
        center.store.close()


def test_message_on_a_topic_of_another_district_or_kind_is_ignored(center: Center) -> None:
    data = sealed_batch(center.a, center.chain.add())
    for topic in (
        "gov/other/v1/rec/REC-0001/evt",
        "gov/xinghe/v1/ksk/REC-0001/evt",
        "gov/xinghe/v1/rec/REC-0001/hint/x",
    ):
        center.take(data, topic)
    assert center.store.summary() == ()
    center.take(data, "gov/xinghe/v1/rec/REC-0001/hint")
    assert center.row().received == 0


def test_receivers_own_state_is_no_devices_message(center: Center, caplog: pytest.LogCaptureFixture) -> None:
    center.take(b"anything", "gov/xinghe/v1/central/receiver-1/state")
    assert caplog.records == []
    assert center.store.summary() == ()


def test_threat_replay_of_five_thousand_messages_adds_no_row(center: Center) -> None:
    center.send(*center.chain.add(2))
    data = sealed_batch(center.a, center.chain.bodies)
    for _ in range(50):
        center.ingest.take([(events_topic(A), data)] * 100, NOW, 0)
    assert (center.row().received, center.row().upto, center.alarms()) == (2, 2, [])


def test_reordered_batches_become_one_chain_in_order(center: Center) -> None:
    bodies = center.chain.add(9)
    for start in (6, 3, 0):
        center.send(*bodies[start : start + 3])
    row = center.row()
    assert (row.received, row.upto, row.head, row.parked, row.gaps) == (9, 9, center.chain.head, 0, 1)
    assert center.store.events(A) == tuple(bodies)
    assert center.alarms() == []


def test_a_gap_is_asked_for_once_and_filled(center: Center) -> None:
    bodies = center.chain.add(6)
    center.send(*bodies[:2])
    center.send(*bodies[4:])
    assert (center.row().upto, center.row().parked) == (2, 2)
    assert center.receipt() == (2, True)
    center.send(*bodies[5:])
    assert center.receipt() == (2, False)  # not again so soon
    center.clock.step(RESEND_INTERVAL_MS)
    center.send(*bodies[5:])
    assert center.receipt() == (2, True)
    center.send(*bodies[2:])
    assert center.receipt() == (6, False)
    assert (center.row().received, center.row().parked, center.row().gaps) == (6, 0, 1)


def test_a_fork_is_an_alarm_and_what_came_first_stays(center: Center) -> None:
    center.send(*center.chain.add(3))
    other = Chain(A)
    other.add(2)
    forged = other.add(1, "伪")
    for _ in range(3):
        center.send(*forged)
    assert center.alarms() == [(A, "fork", 3)]
    assert center.store.alarms()[0]["times"] == 3
    assert center.store.events(A) == tuple(center.chain.bodies)
    assert center.row().head == center.chain.head


def test_a_fork_among_parked_events_is_an_alarm(center: Center) -> None:
    bodies = center.chain.add(3)
    other = Chain(A)
    other.add(2)
    center.send(bodies[2])
    center.send(*other.add(1, "伪"))
    assert center.alarms() == [(A, "fork", 3)]
    center.send(*bodies[:2])
    assert center.store.events(A) == tuple(bodies)


def test_two_contents_for_one_number_in_one_batch_are_a_fork(center: Center) -> None:
    first, second = center.chain.add()[0], Chain(A).add(1, "伪")[0]
    center.send(first, second)
    assert center.alarms() == [(A, "fork", 1)]
    assert center.row().received == 1


def test_event_that_does_not_hang_on_the_head_is_not_stored(center: Center) -> None:
    center.send(*center.chain.add(2))
    other = Chain(A)
    other.add(2, "伪")
    center.send(*other.add(1, "伪"))
    assert center.alarms() == [(A, "broken-chain", 3)]
    assert (center.row().upto, center.row().received) == (2, 2)
    center.send(*center.chain.add(1))
    assert center.row().upto == 3


def test_parked_event_of_another_history_is_dropped_when_the_gap_closes(center: Center) -> None:
    bodies = center.chain.add(4)
    other = Chain(A)
    other.add(2, "伪")
    center.send(*other.add(1, "伪"))
    center.send(*bodies[:2])
    assert center.alarms() == [(A, "broken-chain", 3)]
    center.send(*bodies[2:])
    assert center.store.events(A) == tuple(bodies)


def test_a_lost_database_is_a_declared_gap_and_the_device_gets_receipts_again(center: Center) -> None:
    center.send(*center.chain.add(3))
    assert center.receipt() == (3, False)
    center.send(lost := lost_memory(A, 1001))
    assert center.receipt() == (1001, False)
    assert (center.row().upto, center.row().head, center.row().parked) == (1001, event_hash(lost), 0)
    assert (center.row().losses, center.alarms()) == (1, [])
    (loss,) = center.store.losses()
    assert (loss["device"], loss["first"], loss["last"], loss["kept"], loss["declared_by"]) == (A, 4, 1000, 0, 1001)
    center.send(lost)
    assert len(center.store.losses()) == 1
    center.chain.bodies[:] = [lost] * 1001  # the chain goes on behind it
    center.send(*center.chain.add(2))
    assert center.receipt() == (1003, False)


def test_what_had_arrived_out_of_a_declared_gap_is_kept_and_no_longer_asked_for(center: Center) -> None:
    bodies = center.chain.add(6)
    center.send(*bodies[:2])
    center.send(*bodies[4:])
    center.send(lost := lost_memory(A, 1001))
    assert center.receipt() == (1001, False)
    assert center.store.events(A) == (*bodies[:2], *bodies[4:], lost)
    assert (center.row().parked, center.store.losses()[0]["kept"]) == (0, 2)
    other = Chain(A)
    other.add(4)
    center.send(*other.add(1, "伪"))
    assert center.alarms() == [(A, "fork", 5)]


def test_a_loss_declared_below_what_we_have_is_a_fork(center: Center) -> None:
    center.send(lost_memory(A, 1001))
    center.send(lost_memory(A, 501))
    assert center.alarms() == [(A, "fork", 501)]
    assert (center.row().upto, center.row().received, len(center.store.losses())) == (1001, 1, 1)


def test_a_storage_failure_that_does_not_name_its_own_number_declares_nothing(center: Center) -> None:
    center.send(*center.chain.add(3))
    center.send(lost_memory(A, 1001, skipped_to=900))
    assert (center.receipt(), center.store.losses()) == ((3, True), ())


def test_a_damaged_event_is_a_declared_gap_of_one_and_the_chain_goes_on_behind_it(center: Center) -> None:
    bodies = center.chain.add(6)
    declared = center.chain.add_damage(3, 3)
    center.send(*bodies[:2])
    center.send(*bodies[3:5], declared)  # it goes ahead with the batch behind the gap
    assert center.receipt() == (5, True)
    (loss,) = center.store.losses()
    assert (loss["first"], loss["last"], loss["kept"], loss["declared_by"]) == (3, 3, 0, 7)
    center.send(bodies[5], declared)
    assert center.receipt() == (7, False)
    assert (center.row().head, center.row().parked, center.alarms()) == (event_hash(declared), 0, [])
    assert open_accounts(center.account(), [], center.trust).devices[A].upto == 7


def test_a_damage_declared_with_another_history_before_it_is_no_way_round_the_chain(center: Center) -> None:
    center.send(*center.chain.add(2))
    other = Chain(A)
    other.add(5, "伪")
    center.send(*other.bodies[3:5], other.add_damage(3, 3))
    assert (center.row().upto, center.store.losses()) == (2, ())


def test_an_account_from_which_an_event_was_taken_is_not_excused_by_another_damage(center: Center) -> None:
    bodies = center.chain.add(6)
    center.send(*bodies[:1])
    center.send(bodies[1])
    center.send(*bodies[3:], center.chain.add_damage(3, 3))
    lines = center.account()
    assert open_accounts(lines, [], center.trust).devices[A].upto == 7
    for left_out in range(3):
        with pytest.raises(SenderFault):
            open_accounts([*lines[:left_out], *lines[left_out + 1 :]], [], center.trust)


def test_a_number_beyond_all_reason_is_refused(center: Center) -> None:
    center.send(lost_memory(A, intake.MAX_NUMBER + 1))
    assert (center.row().received, center.alarms()) == (0, [(A, "refused", 0)])
    center.take(sealed_status(center.a, A, intake.MAX_NUMBER + 1), state_topic(A))
    assert not center.row().online


def test_numbers_above_two_thousand_million_fit_the_columns_of_every_engine(center: Center) -> None:
    center.send(lost_memory(A, 2**31 + 1))
    assert center.row().upto == 2**31 + 1
    narrow = [f"{t}.{c.name}" for t in store.metadata.tables.values() for c in t.columns if type(c.type) is Integer]
    assert narrow == []


def test_what_cannot_be_parked_is_left_to_be_sent_again() -> None:
    link = _link(2_500)
    parked = {number: Waiting(link.digest, link.digest) for number in range(3, 3 + intake.MAX_PARKED)}
    decision = decide([link], Shelf(Head(1, link.digest), {}, parked))
    assert decision.park == []
    assert not decision.gap_opened


def test_receipt_names_only_what_is_committed(center: Center) -> None:
    center.send(*center.chain.add(4))
    assert center.ingest.receipts(NOW, center.clock.monotonic_ms) == ()
    center.clock.step(RECEIPT_INTERVAL_MS)
    (answer,) = center.ingest.receipts(NOW, center.clock.monotonic_ms)
    receipt = answer.receipt
    assert (receipt.device, receipt.upto, receipt.head) == (A, 4, center.chain.head)
    assert receipt.receiver == "receiver-1"
    assert (center.row().receipts, center.row().receipted) == (0, 0)
    center.ingest.delivered([answer])
    assert (center.row().receipts, center.row().receipted) == (1, 4)


def test_death_between_signing_a_receipt_and_its_delivery_owes_it_again(center: Center, tmp_path: Path) -> None:
    center.send(*center.chain.add(4))
    assert center.receipt() == (4, False)
    center.store.close()
    again = Ingest(PLACE, "receiver-1", open_store("sqlite:///center.db", tmp_path), center.trust, center.key)
    again.owe_unanswered(0)
    (answer,) = again.receipts(NOW, RECEIPT_INTERVAL_MS)
    again.delivered([answer])
    again.owe_unanswered(0)
    assert (answer.receipt.upto, again.receipts(NOW, RECEIPT_INTERVAL_MS * 2)) == (4, ())
    again.store.close()


def test_two_hundred_events_do_not_wait_for_the_second(center: Center) -> None:
    desk = ReceiptDesk()
    desk.owe(A, RECEIPT_EVENTS - 1, 0)
    assert not desk.due(0)
    desk.owe(B, 1, 0)
    assert desk.due(0)
    assert desk.take() == (A, B)
    assert not desk.due(RECEIPT_INTERVAL_MS * 10)


def test_the_last_events_of_a_burst_are_answered_when_nothing_follows_not_at_the_end_of_the_second() -> None:
    desk = ReceiptDesk()
    desk.owe(A, 2, 0)
    desk.owe(A, 1, RECEIPT_QUIET_MS - 1)
    assert not desk.due(RECEIPT_QUIET_MS)
    assert not desk.due(2 * RECEIPT_QUIET_MS - 2)
    assert desk.due(2 * RECEIPT_QUIET_MS - 1)
    for moment in range(2 * RECEIPT_QUIET_MS, RECEIPT_INTERVAL_MS, RECEIPT_QUIET_MS // 2):
        desk.owe(A, 1, moment)
        assert not desk.due(moment)
    assert desk.due(RECEIPT_INTERVAL_MS)


def test_restart_owes_receipts_for_what_was_committed_and_not_answered(center: Center, tmp_path: Path) -> None:
    center.send(*center.chain.add(4))
    center.store.close()
    again = Ingest(PLACE, "receiver-1", open_store("sqlite:///center.db", tmp_path), center.trust, center.key)
    again.owe_unanswered(0)
    (answer,) = again.receipts(NOW, RECEIPT_INTERVAL_MS)
    assert answer.receipt.upto == 4
    again.store.close()


def test_threat_replay_of_an_older_sessions_last_will_puts_no_device_offline(center: Center) -> None:
    center.take(sealed_status(center.a, A, 2), state_topic(A))
    center.take(sealed_status(center.a, A, 1, online=False), state_topic(A))
    assert center.row().online
    center.take(sealed_status(center.a, A, 2, online=False), state_topic(A))
    assert not center.row().online


def test_a_device_that_came_up_before_the_list_that_names_it_is_online_under_that_list(tmp_path: Path) -> None:
    center = Center(Keys(tmp_path / "keys"), tmp_path)
    c = DeviceId("REC-0003")
    birth = sealed_status(load_signer(center.district.device(c), "evidence"), c, 1)
    center.take(birth, state_topic(c))
    assert not center.row(c).online
    assert center.alarms() == [(c, "unlisted", 0)]
    center.ingest.renew_trust(center.trust, NOW, 0)
    assert center.row(c).online
    assert center.alarms() == []
    assert not center.ingest._states
    center.store.close()


def test_a_stranger_in_a_known_device_s_place_stays_an_alarm_under_every_list(center: Center) -> None:
    center.send(*center.chain.add())
    center.take(sealed_status(KeySigner(keys.new_key()), A, 9), state_topic(A))
    center.ingest.renew_trust(center.trust, NOW, 0)
    assert center.alarms() == [(A, "refused", 0)]


def test_a_revoked_device_whose_last_will_the_broker_kept_is_not_online(tmp_path: Path) -> None:
    center = Center(Keys(tmp_path / "keys"), tmp_path)
    for device, signer in ((A, center.a), (B, center.b)):
        center.take(sealed_status(signer, device, 1), state_topic(device))
    center.district.authority.revoke(A, "遗失", NOW)
    center.ingest.renew_trust(center.trust, NOW, 0)
    assert (center.row(A).online, center.row(B).online) == (False, True)
    center.district.authority.revoke(B, "遗失", NOW)
    center.restart()
    assert not center.row(B).online
    center.store.close()


def test_a_refused_birth_does_not_come_back_over_what_was_said_after_it(center: Center) -> None:
    center.take(sealed_status(center.b, B, 9), state_topic(A))
    center.take(b"", state_topic(A))
    assert not center.ingest._states
    many = [(state_topic(DeviceId(f"REC-{number:04d}")), b"{}") for number in range(1_200)]
    center.ingest.take(many, NOW, 0)
    assert len(center.ingest._states) == 1_000


def test_state_of_another_device_is_refused(center: Center) -> None:
    center.take(sealed_status(center.b, B, 1), state_topic(A))
    center.take(sealed_status(center.a, B, 1), state_topic(A))
    assert center.alarms() == [(A, "refused", 0)]
    assert not center.row().online


def test_a_trust_list_that_knows_the_device_brings_its_refused_events_in(center: Center) -> None:
    known = center.ingest.trust
    center.ingest.trust = replace(known, credentials={})
    center.send(*center.chain.add(2))
    assert center.row().received == 0
    center.ingest.renew_trust(known, center.clock.wall, center.clock.monotonic_ms)
    assert center.receipt() == (0, True)
    center.send(*center.chain.bodies)
    assert center.receipt() == (2, False)


def test_batches_receipts_and_witnesses_are_kept_for_the_account(center: Center) -> None:
    started, head = center.chain.add(2), center.chain.add_head("R000001", 6, "ab" * 32)
    center.take(first := sealed_batch(center.a, started))
    center.take(sealed_batch(center.a, [*started, head]))  # sent again together with something new
    center.take(first)  # nothing new in it
    center.clock.step(RECEIPT_INTERVAL_MS)
    center.ingest.delivered(center.ingest.receipts(center.clock.wall, center.clock.monotonic_ms))
    account = center.store.account(A)
    kinds = [parse_envelope(envelope).payload_type for envelope in account]
    assert kinds == [EVENTS_TYPE, EVENTS_TYPE, RECEIPT_TYPE, WITNESS_TYPE]
    opened = open_envelope(account[-1], WITNESS_TYPE, center.trust, NOW)
    witness = parse_witness(opened.payload)
    assert (witness.recording, witness.sequence, witness.head) == ("REC-0001-R000001", 6, "ab" * 32)
    assert (opened.signer(Role.RECEIVER).subject, witness.witness, witness.at) == ("receiver-1", "receiver-1", NOW)


def test_a_head_that_waited_behind_a_gap_is_witnessed_when_it_is_committed(center: Center) -> None:
    started, head = center.chain.add(1), center.chain.add_head("R000001", 6, "ab" * 32)
    center.send(head)
    assert center.store.account(A) == (sealed_kept(center)[0],)
    center.clock.step(60_000)
    center.send(*started)
    witness = parse_witness(parse_envelope(center.store.account(A)[-1]).payload)
    assert witness.at == NOW + timedelta(minutes=1)


def test_a_batch_that_countersigns_another_devices_head_goes_into_that_devices_account(center: Center) -> None:
    chain = Chain(B)
    chain.add(1)
    batch = sealed_batch(center.b, [*chain.bodies, chain.add_countersigned("REC-0001-R000001", 6, "ab" * 32)])
    for _ in range(2):
        center.take(batch, events_topic(B))
    assert center.store.account(A) == (batch,)
    opened = open_accounts(center.store.account(A), [], center.trust).devices[A]
    (head,) = opened.recordings[parse_recording_id("REC-0001-R000001")].heads
    assert (head.sequence, head.witness) == (6, B)


def test_a_device_that_countersigns_itself_adds_nothing_to_its_account(center: Center) -> None:
    center.send(center.chain.add_countersigned("REC-0001-R000001", 6, "ab" * 32))
    assert len(center.store.account(A)) == 1
    assert open_accounts(center.store.account(A), [], center.trust).devices[A].recordings == {}


def sealed_kept(center: Center) -> list[bytes]:
    return [data for data in center.store.account(A) if parse_envelope(data).payload_type == EVENTS_TYPE]


@pytest.mark.parametrize("recording", ["REC-0002-R000001", "示例"])
def test_a_head_of_something_that_is_not_the_devices_own_is_not_witnessed(center: Center, recording: str) -> None:
    center.send(center.chain.add_head(recording, 6, "ab" * 32))
    assert center.row().received == 1
    assert [parse_envelope(data).payload_type for data in center.store.account(A)] == [EVENTS_TYPE]


@given(st.permutations(range(8)), st.integers(1, 4))
@settings(max_examples=80)
def test_any_order_of_arrival_makes_the_same_chain(order: list[int], size: int) -> None:
    links = [_link(number + 1, CHAIN) for number in range(8)]
    head, stored, parked, known = EMPTY_CHAIN, {}, {}, {}
    for start in range(0, 8, size):
        batch = sorted((links[number] for number in order[start : start + size]), key=lambda link: link.event.devseq)
        decision = decide(batch, Shelf(head, stored, parked))
        for link in decision.park:
            parked[link.event.devseq] = Waiting(link.event.prev, link.digest)
        for number in decision.adopt:
            known[number] = parked.pop(number).digest
        known |= {link.event.devseq: link.digest for link in decision.append}
        head, stored = decision.head, dict(known)
        assert decision.alarms == []
    assert head == Head(8, links[-1].digest)
    assert sorted(known) == list(range(1, 9))


def _link(number: int, chain: Chain | None = None) -> Link:
    made = chain or Chain(A)
    if len(made.bodies) < number:
        made.add(number - len(made.bodies))
    body = made.bodies[number - 1]
    return Link(parse_event(decode(body)), body, event_hash(body))


CHAIN = Chain(A)
