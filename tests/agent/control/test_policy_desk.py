"""Policies on a recorder: forged, older and expired ones, and what a recording keeps of those in force."""

from datetime import timedelta

from agent.control.disclosure_desk import DisclosureDesk
from agent.control.effects import Effect, EventDraft, RaiseAlarm, ShowDisclosure, StartRecording, StoreEvent
from agent.control.recording import RecordingMachine, RecordingMemory
from agent.duty.floors import Floor
from agent.duty.policies import PolicyShelf
from agent.wire.device_events import GENESIS, EventType, event_hash
from agent.wire.disclosures import DUTY_AUDIENCE, DUTY_KINDS, Disclosure, DisclosureKind
from tests.support.clocks import SteppedClock
from tests.support.device import DistrictKeys
from tests.support.documents import signed, topic_of
from tests.support.policies import UNIT, policy

KEYS, STRANGERS = DistrictKeys("REC-0001"), DistrictKeys("REC-0001")
BOTH = (KEYS.editor.signer, KEYS.reviewer.signer)
LIST, RULES = DisclosureKind.RECORDING_LIST, DisclosureKind.RECORDING_RULES


class Recorder:
    """A recorder's desk with the machine that it rules."""

    def __init__(self, floors: dict[tuple[str, str], Floor] | None = None) -> None:
        place, self.now = KEYS.authority.district, SteppedClock().read()
        self.shelf = PolicyShelf(UNIT)
        self.desk = DisclosureDesk(place, DUTY_AUDIENCE, floors or {}, self.shelf)
        memory = RecordingMemory(0, 0, GENESIS)
        self.machine = RecordingMachine(KEYS.device, UNIT, memory, {}, self.shelf.in_force)

    def arrive(self, document: Disclosure, payload: bytes | None = None) -> list[Effect]:
        payload = signed(document, *BOTH) if payload is None else payload
        return self.desk.arrived(topic_of(document), payload, KEYS.trust, self.now)

    def record(self) -> tuple[StartRecording, EventDraft]:
        _, start, stored = self.machine.pressed(self.now)
        assert isinstance(start, StartRecording)
        assert isinstance(stored, StoreEvent)
        return start, stored.draft


def refusal(effects: list[Effect]) -> str:
    alarm, stored = effects
    assert isinstance(alarm, RaiseAlarm)
    assert isinstance(stored, StoreEvent)
    assert stored.draft.type is EventType.DISCLOSURE_REFUSED
    return str(stored.draft.data["code"])


def test_a_recorder_leaves_alone_what_only_a_screen_has_use_for() -> None:
    asked = Recorder().desk.filters()
    assert asked[0].endswith(f"/pub/{DUTY_AUDIENCE}/+/+")
    assert {topic.split("/")[-2] for topic in asked[1:]} == set(DUTY_KINDS)
    assert not any("notice" in topic for topic in asked)


def test_the_versions_in_force_stand_in_the_recording_and_in_its_event() -> None:
    recorder = Recorder()
    for document in (policy(LIST, 3), policy(RULES, 2)):
        assert any(isinstance(effect, ShowDisclosure) for effect in recorder.arrive(document))
    start, told = recorder.record()
    digest = event_hash(policy(LIST, 3).encode())[:16]
    assert str(start.context["policies"]).split()[0] == f"recording-list.main=3/{digest}"
    assert "policy_labels" not in start.context
    assert told.data["policies"] == {"recording-list.main": 3, "recording-rules.main": 2}
    assert told.data["labels"] == []


def test_a_recording_without_policies_begins_and_says_so() -> None:
    start, told = Recorder().record()
    assert start.context["policy_labels"] == "policy-missing"
    assert told.data["labels"] == ["policy-missing"]


def test_a_forged_policy_is_refused_and_the_one_in_force_stays() -> None:
    recorder = Recorder()
    recorder.arrive(policy(LIST, 1))
    forged = policy(LIST, 2, entries=policy(LIST).entries[:1])
    for signers in [(STRANGERS.editor.signer, STRANGERS.reviewer.signer), (KEYS.editor.signer,)]:
        assert refusal(recorder.arrive(forged, signed(forged, *signers))) == "signature"
    assert recorder.record()[1].data["policies"] == {"recording-list.main": 1}


def test_an_older_policy_is_refused_even_when_the_file_of_the_newer_is_gone() -> None:
    newer = policy(RULES, 5)
    recorder = Recorder({newer.key: Floor(5, event_hash(newer.encode()))})
    assert refusal(recorder.arrive(policy(RULES, 4))) == "older-version"
    assert recorder.record()[1].data["policies"] == {}


def test_a_policy_that_nobody_can_read_is_refused_before_it_rules() -> None:
    bad = policy(RULES, entries=({**policy(RULES).entries[0], "存储期限": "长期"},))
    assert refusal(Recorder().arrive(bad)) == "content"


def test_an_expired_policy_is_kept_over_a_restart_and_labels_what_is_recorded_by_it() -> None:
    recorder = Recorder()
    ended = policy(RULES, effective_until=recorder.now.wall - timedelta(hours=1))
    envelopes = [signed(document, *BOTH) for document in (ended, policy(LIST))]
    assert recorder.desk.restore(envelopes, KEYS.trust, recorder.now.wall) == []
    start, told = recorder.record()
    assert told.data["policies"] == {"recording-list.main": 1, "recording-rules.main": 1}
    assert start.context["policy_labels"] == "policy-outdated"


def test_a_policy_changed_while_recording_counts_from_the_next_recording_on() -> None:
    recorder = Recorder()
    recorder.arrive(policy(LIST, 1))
    first = recorder.record()[0]
    recorder.arrive(policy(LIST, 2))
    assert "=1/" in str(first.context["policies"])
    assert recorder.shelf.in_force(recorder.now.wall).versions == {"recording-list.main": 2}
