"""Which rules review at the centre: not unsigned ones, not older ones put back, not lapsed ones without a word; and a
packet shows that whoever reviewed belongs to the review body."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from agent.duty.review import Move
from agent.errors import OperatorFault, SenderFault
from provisioning.center.ledger_room import released
from provisioning.center.review_packet import Seal, check_packet, write_packet
from provisioning.center.review_page import Dossier, review_page
from provisioning.center.rulings import Ruling
from provisioning.center.use_room import gather
from tests.provisioning.district import UNIT, load_signer, today
from tests.provisioning.review_office import EXAMINER, STRANGER, TASK, ReviewOffice
from tests.provisioning.test_review import _act, _submit


@pytest.fixture
def office(tmp_path: Path) -> ReviewOffice:
    return ReviewOffice(tmp_path)


def packet(office: ReviewOffice, out: Path, ruling: Ruling | None = None, *, grounds: bool = True) -> Path:
    room, center = office.room(), office.center
    facts, trust = room.facts(TASK), (center / "trust.dsse").read_bytes()
    seal = Seal("receiver-1", load_signer(center, "receiver"), office.root.read_bytes(), trust)
    return write_packet(
        out, facts, room.review(TASK), ruling or room.ruling(UNIT), acts=room.folder.envelopes(TASK),
        grounds=room.folder.grounds(TASK) if grounds else {}, documents=(), papers=[], recordings=office.recordings,
        seal=seal, now=room.now,
    )  # fmt: skip


def root(office: ReviewOffice) -> x509.Certificate:
    return x509.load_pem_x509_certificate(office.root.read_bytes())


def test_an_older_version_of_the_rules_that_is_put_back_rules_nothing(office: ReviewOffice) -> None:
    older = office.release_rules(2, [STRANGER]).read_bytes()
    newest = office.release_rules(3, [EXAMINER]).read_bytes()
    assert office.room().ruling(UNIT).rules.members == {EXAMINER}
    (office.center / "released" / "duty.review-rules.review-1.dsse").write_bytes(older)
    with pytest.raises(OperatorFault, match="第 2 版较旧"):
        office.room().ruling(UNIT)
    assert any("第 2 版较旧" in line for line in gather(office.room()).troubles)
    (office.center / "released" / "duty.review-rules.review-1.dsse").write_bytes(newest)
    (office.center / "released" / "duty.review-rules.old.dsse").write_bytes(older)
    assert office.room().ruling(UNIT).rules.members == {EXAMINER}


def test_other_rules_under_the_number_of_the_present_ones_rule_nothing(office: ReviewOffice) -> None:
    office.room().ruling(UNIT)
    office.release_rules(1, [STRANGER])
    with pytest.raises(OperatorFault, match="同一版不同"):
        office.room().ruling(UNIT)


def test_a_damaged_memory_of_versions_is_told_and_lets_nothing_older_in(office: ReviewOffice) -> None:
    office.room().ruling(UNIT)
    (office.center / "cases" / ".review-rules.json").write_bytes(b"{")
    with pytest.raises(SenderFault, match="请从备份恢复"):
        office.room().ruling(UNIT)
    assert len(gather(office.room()).cases) == 1


def test_rules_past_their_end_rule_on_and_everybody_is_told(office: ReviewOffice) -> None:
    office.release_rules(2, [EXAMINER], until=today() - timedelta(hours=2))
    room = office.room()
    ruling, facts = room.ruling(UNIT), room.facts(TASK)
    assert (ruling.rules.members, "过期" in ruling.told) == ({EXAMINER}, True)
    assert ruling.told in gather(room).troubles
    page = review_page(Dossier(facts, room.review(TASK), ruling.rules, {}, room.now, "receiver-1", told=ruling.told))
    assert ruling.told in page


def test_a_half_signed_file_among_what_is_released_is_told_by_name_and_takes_nothing_away(
    office: ReviewOffice,
) -> None:
    office.release_rules(9, [STRANGER], signers=1, name="half")
    (office.center / "released" / "all.item-list.torn.dsse").write_bytes(b"{")
    room = office.room()
    assert room.ruling(UNIT).rules.members == {EXAMINER}
    assert any("duty.review-rules.half.dsse" in line for line in gather(room).troubles)
    held, odd = released(room)
    assert ([it.version for it in held], len(odd)) == ([1], 2)
    assert "all.item-list.torn.dsse" in odd[0]
    _submit(office)


def test_a_packet_shows_that_whoever_reviewed_belongs_to_the_body(office: ReviewOffice, tmp_path: Path) -> None:
    """Also later, when the rules name others: what counts is what was in force when the act was taken in."""
    _submit(office)
    _act(office, EXAMINER, Move.ACCEPT, {})
    office.release_rules(2, [STRANGER])
    checked = check_packet(packet(office, tmp_path / "packet"), root(office))
    assert checked.unruled == ()
    assert check_packet(packet(office, tmp_path / "bare", grounds=False), root(office)).unruled == (2,)


@pytest.mark.parametrize("attack", ["others", "half", "another unit's"])
def test_a_packet_whose_reviewer_no_rules_name_is_refused(office: ReviewOffice, tmp_path: Path, attack: str) -> None:
    _submit(office)
    _act(office, EXAMINER, Move.ACCEPT, {})
    ground = office.center / "cases" / TASK / "ground-002.dsse"
    if attack == "another unit's":
        office.unit = "星河区另一局"
    members = [STRANGER] if attack == "others" else [EXAMINER]
    ground.write_bytes(office.release_rules(2, members, signers=1 if attack == "half" else 2).read_bytes())
    office.unit = UNIT
    office.release_rules(3, [EXAMINER])
    with pytest.raises(SenderFault, match=r"法制审核办法|不在"):
        check_packet(packet(office, tmp_path / "packet"), root(office))
