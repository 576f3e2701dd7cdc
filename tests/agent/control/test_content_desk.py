"""Documents with files: whole or not at all, whatever order, sender or power cut."""

from dataclasses import replace
from datetime import timedelta
from pathlib import PurePosixPath

import pytest

from agent.control.content_messages import (
    BundleRead,
    ContentBroken,
    ContentKept,
    DropContent,
    KeepPiece,
    ReadBundle,
    UnpackBundle,
)
from agent.control.effects import Effect, RaiseAlarm, ShowDisclosure, StoreEvent, Subscribe
from agent.control.messages import Event
from agent.duty.policies import PolicyShelf
from agent.wire.content import CHUNK_BYTES, Attachment, attach
from agent.wire.disclosures import DUTY_AUDIENCE
from agent.wire.topics import content_topic
from tests.agent.control.test_disclosure_desk import BOTH, KEYS, TRUST, Bench, DisclosureDesk, code_of
from tests.support.documents import long_ago, notice, signed, topic_of

PLACE = KEYS.authority.district
PHOTO, OTHER = attach("photo-1.jpg", b"p" * (CHUNK_BYTES + 9)), attach("photo-2.jpg", b"other")
WITH_PHOTO = notice(1, attachments=(PHOTO,))


def piece(one: Attachment, number: int) -> str:
    return content_topic(PLACE, "hall-1", one.sha256, number)


def kinds(effects: list[Effect]) -> list[type]:
    return [type(effect) for effect in effects]


class FileBench(Bench):
    def piece(self, one: Attachment, number: int, content: bytes) -> list[Effect]:
        return self.desk.arrived(piece(one, number), content, TRUST, self.now)

    def hear(self, event: Event) -> list[Effect]:
        return self.desk.heard(event, TRUST, self.now)  # type: ignore[arg-type]


def test_nothing_is_accepted_before_its_last_file_is_here_and_then_it_is_at_once() -> None:
    bench = FileBench()
    asked = bench.arrive(notice(1, attachments=(PHOTO, OTHER)))
    assert asked == [Subscribe((piece(PHOTO, 0)[:-1] + "+", piece(OTHER, 0)[:-1] + "+"))]
    assert bench.piece(PHOTO, 1, b"p" * 9) == [KeepPiece(PHOTO, 1, b"p" * 9)]
    assert bench.hear(ContentKept((PHOTO.sha256,))) == []
    assert kinds(bench.hear(ContentKept((OTHER.sha256,)))) == [StoreEvent, ShowDisclosure]
    assert bench.arrive(notice(1, attachments=(PHOTO, OTHER))) == []


def test_pieces_that_nobody_asked_for_fill_no_card() -> None:
    bench = FileBench()
    assert bench.piece(PHOTO, 0, b"p" * CHUNK_BYTES) == []
    bench.arrive(WITH_PHOTO)
    assert bench.piece(OTHER, 0, b"other") == []


@pytest.mark.parametrize(
    ("number", "content"), [(0, b"short"), (0, b"p" * (CHUNK_BYTES + 1)), (2, b"p"), (1, b"p" * 8)]
)
def test_a_piece_of_another_length_or_number_is_refused_and_told(number: int, content: bytes) -> None:
    bench = FileBench()
    bench.arrive(WITH_PHOTO)
    assert kinds(bench.piece(PHOTO, number, content)) == [RaiseAlarm, StoreEvent]


def test_a_file_that_is_not_what_was_signed_is_told_and_the_document_still_waits() -> None:
    bench = FileBench()
    bench.arrive(WITH_PHOTO)
    alarm, told = bench.hear(ContentBroken(PHOTO.sha256, "附件不符"))
    assert (type(alarm), code_of(told)) == (RaiseAlarm, "file")
    assert bench.arrive(WITH_PHOTO) == [Subscribe((piece(PHOTO, 0)[:-1] + "+",))]  # the next connection asks again


def test_an_older_version_does_not_slip_in_while_a_newer_one_waits_for_its_files() -> None:
    bench = FileBench()
    bench.arrive(notice(3, attachments=(PHOTO,)))
    assert code_of(bench.arrive(notice(2))[1]) == "older-version"
    assert kinds(bench.hear(ContentKept((PHOTO.sha256,)))) == [StoreEvent, ShowDisclosure]


def test_a_newer_version_without_files_takes_the_place_of_one_that_waits() -> None:
    bench = FileBench()
    bench.arrive(WITH_PHOTO)
    assert kinds(bench.arrive(notice(2))) == [StoreEvent, ShowDisclosure]
    assert bench.hear(ContentKept((PHOTO.sha256,))) == []


def test_who_was_revoked_or_expired_while_the_files_came_is_refused() -> None:
    bench = FileBench()
    document = notice(1, attachments=(PHOTO,), effective_until=bench.now.wall + timedelta(hours=1))
    bench.arrive(document)
    later = replace(bench.now, wall=bench.now.wall + timedelta(hours=2))
    _, told = bench.desk.heard(ContentKept((PHOTO.sha256,)), TRUST, later)
    assert code_of(told) == "expired"


def test_files_of_the_version_before_stay_for_the_screen_and_go_with_the_next_one() -> None:
    bench = FileBench()
    for version, one in enumerate((PHOTO, OTHER, attach("photo-3.jpg", b"third")), 1):
        bench.arrive(notice(version, attachments=(one,)))
        effects = bench.hear(ContentKept((one.sha256,)))
    assert effects[-1] == DropContent(frozenset({OTHER.sha256, one.sha256}))


def test_a_document_whose_file_was_damaged_while_we_were_away_is_fetched_again() -> None:
    bench = FileBench()
    (fault,) = bench.desk.restore([signed(WITH_PHOTO, *BOTH)], TRUST, bench.now.wall)
    assert "附件" in fault
    assert kinds(bench.arrive(WITH_PHOTO)) == [Subscribe]
    assert bench.desk.restore([signed(WITH_PHOTO, *BOTH)], TRUST, bench.now.wall, [PHOTO.sha256]) == []


def test_a_recorder_asks_for_no_files() -> None:
    desk = DisclosureDesk(PLACE, DUTY_AUDIENCE, {}, PolicyShelf("星河区综合行政执法局"))
    document = notice(1, audience=DUTY_AUDIENCE, attachments=(PHOTO,))
    effects = desk.arrived(topic_of(document), signed(document, *BOTH), TRUST, FileBench().now)
    assert Subscribe not in kinds(effects)


def test_a_bundle_is_judged_like_the_broker_and_gives_the_files_that_are_asked_for() -> None:
    bench = FileBench()
    forged, gone = signed(notice(9), BOTH[0]), notice(1, disclosure_id="old", effective_until=long_ago())
    other_hall = notice(1, disclosure_id="b", audience="hall-2")
    from_stick = (forged, b"rubbish", *(signed(one, *BOTH) for one in (gone, other_hall, WITH_PHOTO)))
    effects = bench.hear(BundleRead(PurePosixPath("x.liuhen"), from_stick))
    codes = [code_of(effect) for effect in effects if isinstance(effect, StoreEvent)]
    assert codes == ["signature", "content", "expired", "audience"]
    assert effects[-1] == UnpackBundle(PurePosixPath("x.liuhen"), (PHOTO,))
    assert kinds(bench.hear(ContentKept((PHOTO.sha256,)))) == [StoreEvent, ShowDisclosure]


def test_a_bundle_that_is_none_is_told_and_the_next_one_is_read() -> None:
    effects = FileBench().hear(BundleRead(PurePosixPath("x.liuhen"), (), "公示包已损坏"))
    assert kinds(effects) == [RaiseAlarm, StoreEvent, ReadBundle]
    assert code_of(effects[1]) == "bundle"
