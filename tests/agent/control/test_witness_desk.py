"""The second recorder as a witness: what it must not be talked into, and that it countersigns only what it saw."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.control.backoff import NANOSECONDS
from agent.control.effects import Effect, HeadSeen, RaiseAlarm, StoreEvent
from agent.control.witness_desk import PAUSE_NS, WitnessDesk, WitnessFloor
from agent.wire.device_events import EVENTS_TYPE, GENESIS, DeviceEvent, EventType, encode_batch, event_hash
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId, Digest, District, recording_id
from agent.wire.instant import TimeState
from agent.wire.signing import KeySigner
from agent.wire.topics import device_topic
from agent.wire.trust import Role, TrustList
from agent.wire.witness import countersigned
from tests.support.clocks import SteppedClock
from tests.support.keys import TestAuthority

PLACE, A, B, C = District("xinghe"), DeviceId("REC-0001"), DeviceId("REC-0002"), DeviceId("REC-0003")
HEAD, OTHER = Digest("a" * 64), Digest("b" * 64)


class Pair:
    """REC-0002's desk, whose partner is REC-0001."""

    def __init__(self) -> None:
        authority = TestAuthority()
        self.keys = {name: authority.evidence(name, Role.RECORDER) for name in (A, B, C)}
        self.stranger = TestAuthority().evidence(A, Role.RECORDER)
        self.trust: TrustList = authority.trust(*(key.credential(Role.RECORDER) for key in self.keys.values()))
        self.clock = SteppedClock()
        self.desk = WitnessDesk(PLACE, A, WitnessFloor())

    def head(self, number: int, sequence: int, head: Digest = HEAD, device: DeviceId = A, told: int = 1) -> DeviceEvent:
        now = self.clock.read()
        data = {"recording": recording_id(device, told), "sequence": sequence, "head": head, "segment": 1}
        kind = EventType.RECORDING_HEAD_ADVANCED
        return DeviceEvent(PLACE, device, number, GENESIS, f"e{number}", kind, now.boot, 1, now.wall, now.state, data)

    def hear(self, *events: DeviceEvent, signer: KeySigner | None = None) -> list[Effect]:
        batch = encode_batch([event.encode() for event in events])
        sealed = seal(EVENTS_TYPE, batch, [signer or self.keys[A].signer])
        return self.desk.arrived(sealed, self.trust, self.clock.read())


@pytest.fixture
def pair() -> Pair:
    return Pair()


def said(effects: Sequence[Effect]) -> list[tuple[int, str]]:
    drafts = [effect.draft for effect in effects if isinstance(effect, StoreEvent)]
    assert all(draft.type is EventType.RECORDING_COUNTERSIGNED for draft in drafts)
    return [(draft.data["sequence"], draft.data["head"]) for draft in drafts]


def refused(effects: Sequence[Effect]) -> bool:
    return [type(effect) for effect in effects] == [RaiseAlarm]


def test_the_partners_newest_head_is_countersigned_with_our_own_time(pair: Pair) -> None:
    event = pair.head(9, 30)
    (effect,) = pair.hear(pair.head(8, 15, OTHER), event)
    assert isinstance(effect, StoreEvent)
    draft = effect.draft
    assert (draft.data["devseq"], draft.data["event"], draft.at) == (9, event_hash(event.encode()), pair.clock.read())
    assert effect.note == HeadSeen(A, 9, 1, 30)
    mine = DeviceEvent(PLACE, B, 1, GENESIS, "x", draft.type, "b", 1, draft.at.wall, TimeState.NTP, draft.data)
    witness = countersigned(mine)
    assert witness is not None
    assert (witness.recording, witness.sequence, witness.head, witness.witness) == (recording_id(A, 1), 30, HEAD, B)


def test_a_forged_head_is_not_countersigned(pair: Pair) -> None:
    assert refused(pair.hear(pair.head(1, 6), signer=pair.stranger.signer))
    assert refused(pair.hear(pair.head(1, 6), signer=pair.keys[C].signer))  # another recorder, in the partner's name


def test_a_replayed_batch_is_not_countersigned_again_also_after_a_restart(pair: Pair) -> None:
    early, late = pair.head(4, 6), pair.head(5, 12)
    assert said(pair.hear(late)) == [(12, HEAD)]
    pair.clock.step(2 * PAUSE_NS / NANOSECONDS)
    assert pair.hear(late) == pair.hear(early) == []
    pair.desk = WitnessDesk(PLACE, A, WitnessFloor(5, 1, 12))
    assert pair.hear(late) == pair.hear(early) == []


def test_the_same_recording_told_shorter_is_not_countersigned(pair: Pair) -> None:
    """Whoever holds the partner's key can sign a shorter history under new numbers."""
    pair.hear(pair.head(5, 12))
    pair.clock.step(2 * PAUSE_NS / NANOSECONDS)
    assert pair.hear(pair.head(6, 6, OTHER), pair.head(7, 12, OTHER)) == []
    assert said(pair.hear(pair.head(8, 3, told=2))) == [(3, HEAD)]


def test_a_recorder_of_another_pair_is_not_countersigned(pair: Pair) -> None:
    assert refused(pair.hear(pair.head(1, 6, device=C), signer=pair.keys[C].signer))
    assert refused(pair.hear(pair.head(1, 6, device=C)))  # handed on by the partner
    foreign = replace(pair.head(1, 6), data={**pair.head(1, 6).data, "recording": recording_id(C, 1)})
    assert pair.hear(foreign) == []


def test_nobody_is_a_witness_for_himself(pair: Pair) -> None:
    assert refused(pair.hear(pair.head(1, 6, device=B), signer=pair.keys[B].signer))
    own = replace(pair.head(1, 6), type=EventType.RECORDING_COUNTERSIGNED)
    assert countersigned(own) is None


def test_a_partner_that_floods_heads_fills_no_store_but_every_end_is_seen(pair: Pair) -> None:
    told = [said(pair.hear(pair.head(number, number))) for number in range(1, 50)]
    assert sum(map(len, told)) == 1
    end = replace(pair.head(60, 60), type=EventType.RECORDING_SEALED)
    end = replace(end, data={**end.data, "fragments": 60})
    assert said(pair.hear(end)) == [(60, HEAD)]


def test_the_topic_is_the_partners_chain() -> None:
    assert WitnessDesk(PLACE, A, WitnessFloor()).topic == device_topic(PLACE, A, "evt")
