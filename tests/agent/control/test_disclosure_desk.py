"""The desk against forgers, rollback and power cuts; the rules of acceptance are the real ones."""

import pytest

from agent.control.disclosure_desk import REFUSALS_TOLD, DisclosureDesk
from agent.control.effects import DisclosureSeen, Effect, HideDisclosure, RaiseAlarm, ShowDisclosure, StoreEvent
from agent.duty.floors import Floor
from agent.wire.device_events import EventType, event_hash
from agent.wire.disclosures import Disclosure
from agent.wire.trust import Role
from tests.support.clocks import SteppedClock
from tests.support.device import DistrictKeys
from tests.support.documents import long_ago, notice, signed, topic_of

KEYS = DistrictKeys("KSK-0001")
STRANGERS = DistrictKeys("KSK-0001")
DOUBLE = KEYS.authority.evidence("示例-000001", Role.REVIEWER)  # the editor's number on a reviewer's key
TRUST = KEYS.authority.trust(*KEYS.trust.credentials.values(), DOUBLE.credential(Role.REVIEWER))
BOTH = (KEYS.editor.signer, KEYS.reviewer.signer)


class Bench:
    def __init__(self, floors: dict[tuple[str, str], Floor] | None = None) -> None:
        self.desk = DisclosureDesk(KEYS.authority.district, "hall-1", floors or {})
        self.now = SteppedClock().read()

    def arrive(self, document: Disclosure, payload: bytes | None = None, topic: str = "") -> list[Effect]:
        payload = signed(document, *BOTH) if payload is None else payload
        return self.desk.arrived(topic or topic_of(document), payload, TRUST, self.now)


def code_of(effect: Effect) -> str:
    assert isinstance(effect, StoreEvent)
    return str(effect.draft.data["code"])


def test_a_document_is_noted_before_its_file_is_written() -> None:
    document = notice(3)
    stored, shown = Bench().arrive(document)
    assert isinstance(stored, StoreEvent)
    assert stored.note == DisclosureSeen("notice", "notice-1", 3, event_hash(document.encode()))
    assert stored.draft.type is EventType.DISCLOSURE_ACCEPTED
    assert isinstance(shown, ShowDisclosure)
    assert (shown.kind, shown.disclosure_id) == ("notice", "notice-1")


def test_the_same_document_on_every_connection_asks_for_nothing() -> None:
    bench = Bench()
    bench.arrive(notice(1))
    assert bench.arrive(notice(1)) == []


def test_a_file_rolled_back_while_we_were_away_is_told_and_taken_out_and_the_right_one_taken_again() -> None:
    right = notice(3)
    bench = Bench({right.key: Floor(3, event_hash(right.encode()))})
    (fault,) = bench.desk.restore([signed(notice(2), *BOTH)], TRUST, bench.now.wall)
    assert "第 2 版较旧" in fault
    alarm, told, hide = bench.desk.started(bench.now)
    assert isinstance(alarm, RaiseAlarm)
    assert code_of(told) == "older-version"
    assert hide == HideDisclosure("notice", "notice-1")
    assert bench.desk.started(bench.now) == []
    assert [type(effect) for effect in bench.arrive(right)] == [StoreEvent, ShowDisclosure]


def test_an_empty_retained_message_withdraws_nothing() -> None:
    bench = Bench()
    bench.arrive(notice(1))
    assert bench.arrive(notice(1), b"") == []
    assert bench.arrive(notice(1)) == []


@pytest.mark.parametrize(
    ("document", "payload", "topic"),
    [
        (notice(2), signed(notice(2), KEYS.editor.signer), ""),
        (notice(2), signed(notice(2), KEYS.editor.signer, KEYS.editor.signer), ""),
        (notice(2), signed(notice(2), STRANGERS.editor.signer, STRANGERS.reviewer.signer), ""),
        (notice(2), signed(notice(2), KEYS.receiver.signer, KEYS.evidence.signer), ""),
        (notice(2), signed(notice(2), *BOTH).replace(b"A", b"B", 1), ""),
        (notice(2), b"{}", ""),
        (notice(2), b"\xff" * 300_000, ""),
        (notice(1, "改过的正文"), None, ""),
        (notice(2, audience="hall-2"), None, ""),
        (notice(2, effective_until=long_ago()), None, ""),
        (notice(2, title=""), None, ""),
        (notice(2), None, "gov/xinghe/v1/pub/all/notice/notice-1"),
        (notice(2), None, "gov/xinghe/v1/pub/hall-1/notice/notice-2"),
        (notice(2), None, "gov/xinghe/v1/pub/hall-1/results/notice-1"),
        (notice(2), None, "gov/anqu/v1/pub/hall-1/notice/notice-1"),
        (notice(2), None, "gov/xinghe/v1/ksk/KSK-0001/evt"),
    ],
)
def test_threat_forged_disclosure_is_refused_told_and_the_last_good_one_kept(
    document: Disclosure, payload: bytes | None, topic: str
) -> None:
    bench = Bench()
    bench.arrive(notice(1))
    alarm, stored = bench.arrive(document, payload, topic)
    assert isinstance(alarm, RaiseAlarm)
    assert isinstance(stored, StoreEvent)
    assert stored.draft.type is EventType.DISCLOSURE_REFUSED
    assert stored.note is None
    assert bench.arrive(notice(1)) == []
    assert len(bench.arrive(notice(2))) == 2


@pytest.mark.parametrize(
    ("document", "payload", "code"),
    [
        (notice(2), signed(notice(2), KEYS.editor.signer, DOUBLE.signer), "two-people"),
        (notice(2), signed(notice(2), KEYS.editor.signer), "signature"),
        (notice(2), signed(notice(2), STRANGERS.editor.signer, STRANGERS.reviewer.signer), "signature"),
        (notice(2), b"{}", "signature"),
        (notice(1), None, "older-version"),
        (notice(3, "改过的正文"), None, "same-version"),
        (notice(4, title="张三"), None, ""),
        (notice(4, title=""), None, "content"),
        (notice(4, "张三 13800000000"), None, "content"),
        (notice(4, title="张三", effective_until=long_ago()), None, "expired"),
    ],
)
def test_a_refusal_names_nobody_in_the_chain_of_events(document: Disclosure, payload: bytes | None, code: str) -> None:
    bench = Bench()
    bench.arrive(notice(3))
    told = bench.arrive(document, payload)[1 if code else 0]
    assert isinstance(told, StoreEvent)
    assert told.draft.data.get("code", "") == code
    said = repr(told.draft.data)
    assert not [word for word in ("示例-0000", "张三", "1380", "正文", "签名") if word in said]
    assert set(told.draft.data) <= {"code", "digest", "kind", "id", "version"}


def test_a_topic_that_is_none_of_ours_is_not_repeated() -> None:
    refused = Bench().arrive(notice(1), topic="gov/xinghe/v1/pub/hall-1/notice/张三")[1]
    assert code_of(refused) == "topic"
    assert "张三" not in repr(refused)


def test_after_a_restart_an_older_version_stays_refused_even_without_the_file() -> None:
    document = notice(5)
    bench = Bench({document.key: Floor(5, event_hash(document.encode()))})
    alarm, _ = bench.arrive(notice(4))
    assert isinstance(alarm, RaiseAlarm)
    assert "较旧" in alarm.text
    assert [type(it) for it in bench.arrive(notice(5, "换过的正文"))] == [RaiseAlarm, StoreEvent]
    assert [type(it) for it in bench.arrive(notice(5))] == [StoreEvent, ShowDisclosure]
    assert [type(it) for it in bench.arrive(notice(6))] == [StoreEvent, ShowDisclosure]


def test_what_was_withdrawn_stays_withdrawn_even_when_its_file_is_gone() -> None:
    gone = notice(5, withdrawn="内容有误", entries=())
    bench = Bench()
    stored, _ = bench.arrive(gone)
    assert isinstance(stored, StoreEvent)
    assert stored.note == DisclosureSeen("notice", "notice-1", 5, event_hash(gone.encode()), withdrawn=True)
    after_restart = Bench({gone.key: Floor(5, event_hash(gone.encode()), withdrawn=True)})
    alarm, refused = after_restart.arrive(notice(6))
    assert isinstance(alarm, RaiseAlarm)
    assert "撤回" in alarm.text
    assert code_of(refused) == "withdrawn"
    assert [type(it) for it in after_restart.arrive(gone)] == [StoreEvent, ShowDisclosure]


def test_what_an_earlier_run_accepted_is_verified_again() -> None:
    good, forged = signed(notice(2), *BOTH), signed(notice(9), KEYS.editor.signer)
    bench = Bench({notice().key: Floor(2, event_hash(notice(2).encode()))})
    assert len(bench.desk.restore([good, forged, b"rubbish"], TRUST, bench.now.wall)) == 2
    assert bench.arrive(notice(2)) == []
    assert [type(it) for it in bench.arrive(notice(1))] == [RaiseAlarm, StoreEvent]


def test_an_older_file_put_into_the_folder_is_not_taken_for_the_current_one() -> None:
    bench = Bench({notice().key: Floor(2, event_hash(notice(2).encode()))})
    assert len(bench.desk.restore([signed(notice(1), *BOTH)], TRUST, bench.now.wall)) == 1
    assert [type(it) for it in bench.arrive(notice(2))] == [StoreEvent, ShowDisclosure]


def test_a_file_that_could_not_be_written_is_tried_again() -> None:
    bench = Bench()
    bench.arrive(notice(1))
    bench.desk.forget(notice().key)
    assert [type(it) for it in bench.arrive(notice(1))] == [StoreEvent, ShowDisclosure]


def test_a_flood_of_forgeries_fills_no_store() -> None:
    bench = Bench()
    told = [bench.arrive(notice(1), b"forged %d" % number) for number in range(REFUSALS_TOLD + 30)]
    assert sum(bool(effects) for effects in told) == REFUSALS_TOLD
    bench.desk.connected()
    assert len(bench.arrive(notice(1), b"forged again")) == 2
