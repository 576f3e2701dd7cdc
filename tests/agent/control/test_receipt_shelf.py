"""A kiosk host's list of receipts: forged parts, older ones, parts under another name, a full disk."""

from datetime import date, datetime, timedelta

import pytest

from agent.control.disclosure_desk import DisclosureDesk
from agent.control.effects import DisclosureSeen, Effect, RaiseAlarm, ShowDisclosure, StoreEvent, StoreNote
from agent.duty.floors import Floor
from agent.duty.receipt_list import LIST_KIND, ReceiptAnswer, part_label, part_of, seal_part, split_answers
from agent.wire.identifiers import District
from agent.wire.signing import Signer
from tests.support.clocks import SteppedClock
from tests.support.device import DistrictKeys

KEYS = DistrictKeys("KSK-0001")
PLACE = KEYS.authority.district
ANSWER = ReceiptAnswer("0123456789ABCDEF", "complete", 0, date(2028, 11, 22))
NUMBER = part_of(ANSWER.code)
NAME = part_label(NUMBER)
TOPIC = f"gov/{PLACE}/v1/pub/all/{LIST_KIND}/{NAME}"
NOW = SteppedClock().read()


def sealed(at: datetime = NOW.wall, signer: Signer = KEYS.receiver.signer, place: District = PLACE) -> bytes:
    return seal_part(split_answers(place, at, [ANSWER])[NUMBER], signer)


class Bench:
    def __init__(self, floors: dict[tuple[str, str], Floor] | None = None) -> None:
        self.desk = DisclosureDesk(PLACE, "hall-1", floors or {})

    def arrive(self, payload: bytes, topic: str = TOPIC) -> list[Effect]:
        return self.desk.arrived(topic, payload, KEYS.trust, NOW)

    def refused(self, payload: bytes, topic: str = TOPIC) -> str:
        alarm, told = self.arrive(payload, topic)
        assert isinstance(alarm, RaiseAlarm)
        assert isinstance(told, StoreEvent)
        return alarm.text


def test_a_part_is_noted_before_it_is_written_and_taken_once() -> None:
    bench, part = Bench(), sealed()
    noted, shown = bench.arrive(part)
    assert isinstance(noted, StoreNote)
    assert isinstance(noted.note, DisclosureSeen)
    assert shown == ShowDisclosure(LIST_KIND, NAME, part)
    assert bench.arrive(part) == []
    bench.desk.forget((LIST_KIND, NAME))
    assert len(bench.arrive(part)) == 2


def test_an_older_part_never_comes_back_not_even_after_a_restart() -> None:
    bench = Bench()
    (noted, _) = bench.arrive(sealed())
    assert isinstance(noted, StoreNote)
    seen = noted.note
    assert isinstance(seen, DisclosureSeen)
    again = Bench({(seen.kind, seen.disclosure_id): Floor(seen.version, seen.digest)})
    for desk in (bench, again):
        assert "旧" in desk.refused(sealed(NOW.wall - timedelta(days=1)))
    assert len(again.arrive(sealed(NOW.wall + timedelta(days=1)))) == 2


@pytest.mark.parametrize(
    ("payload", "topic"),
    [
        (sealed(signer=KEYS.editor.signer), TOPIC),
        (sealed(place=District("other")), TOPIC),
        (sealed(), TOPIC.replace(NAME, part_label((NUMBER + 1) % 64))),
        (sealed(), TOPIC.replace(NAME, "part-99")),
        (sealed(), TOPIC.replace("/all/", "/hall-1/")),
        (b"{}", TOPIC),
    ],
)
def test_a_part_that_is_not_the_centres_or_not_this_one_is_refused_and_told(payload: bytes, topic: str) -> None:
    assert "未采用" in Bench().refused(payload, topic)
