"""From a receipt on scene to a kiosk's answer: forged codes, changed recordings, ones that never came, holds."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

from agent.adapters.disclosed_folder import DisclosedFolder
from agent.control.disclosure_desk import DisclosureDesk
from agent.control.effects import ShowDisclosure
from agent.duty.holds import Deed
from agent.duty.party_receipt import PartyReceipt, sign_receipt, spelled
from agent.duty.receipt_list import PARTS, ReceiptAnswer, open_part, part_name
from agent.errors import OperatorFault
from agent.wire.device_events import EventType
from agent.wire.identifiers import Digest, RecordingId, device_id, recording_id
from agent.wire.trust import Role
from provisioning.center.cases import CaseRoom
from provisioning.center.cli import app
from provisioning.center.party_receipts import ReceiptRoom
from provisioning.center.publications import open_publication
from provisioning.center.retention_room import RetentionRoom
from provisioning.center.watched import ReleasedFolder
from provisioning.fleet.folders import write_trust
from tests.kiosk.running import RunningKiosk
from tests.provisioning.district import PLACE, UNIT, load_signer, today
from tests.provisioning.review_office import HANDLER, LEADER, TASK, ReviewOffice
from tests.support.clocks import SteppedClock

REC = device_id("REC-0001")
R1, R2 = recording_id(REC, 1), recording_id(REC, 2)


@pytest.fixture
def office(tmp_path: Path) -> ReviewOffice:
    return ReviewOffice(tmp_path)


def receipt(office: ReviewOffice, number: int = 1, recording: RecordingId = R1, last: int = 4) -> PartyReceipt:
    head = office.heads[last] if recording == R1 else Digest("ab" * 32)
    return PartyReceipt(PLACE, REC, number, UNIT, TASK, recording, last, head, today())


def told(office: ReviewOffice, *receipts: PartyReceipt) -> dict[str, ReceiptAnswer]:
    office.tell(*((40 + one.number, EventType.RECEIPT_ISSUED, dict(one.as_data())) for one in receipts))
    return answers(office.room())


def answers(room: CaseRoom) -> dict[str, ReceiptAnswer]:
    return {one.code: one for one in ReceiptRoom(room).answers()}


def test_a_party_reads_at_a_kiosk_what_became_of_the_recording(office: ReviewOffice) -> None:
    paper = receipt(office)
    told(office, paper)
    command = ["receipts", "--config", str(office.center / "center.toml"), "--recordings", str(office.recordings)]
    done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert (facts["receipts"], facts["verdicts"], len(facts["written"])) == (1, {"explained-gap": 1}, PARTS)

    host = office.district.device("KSK-0001")
    carry(office, host)
    config = host / "kiosk.toml"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("listen")]
    config.write_text("\n".join(['listen = "127.0.0.1:0"', *lines]))
    with RunningKiosk(config) as kiosk:
        signer = load_signer(office.base / "REC-0001", "evidence")
        scanned = kiosk.page(f"receipt?c={quote(sign_receipt(paper, signer))}")
        typed = kiosk.page(f"receipt?c={quote(spelled(paper.short_code))}")
    assert "回执真实" in scanned
    for page in (scanned, typed):
        assert "录像已归档，未被改动；有 1 处中断，均已说明原因" in page
        assert "长期保存" in page
        assert all(word not in page for word in (TASK, "P-0001", "示例-000001", "<video"))


def carry(office: ReviewOffice, host: Path) -> None:
    """What the receiver puts on the broker, and what the kiosk's agent makes of it."""
    room, now = office.room(), replace(SteppedClock().read(), wall=today())
    desk, folder = DisclosureDesk(PLACE, "hall-1", {}), DisclosedFolder(host / "state/disclosed")
    for _, data in ReleasedFolder(room.config.receipts).changed():
        found = open_publication(data, room.trust, PLACE, room.now)
        for effect in desk.arrived(found.topic, found.sealed, room.trust, now):
            if isinstance(effect, ShowDisclosure):
                assert folder.show(effect.kind, effect.disclosure_id, effect.envelope) is None
    assert len(list((host / "state/receipts").iterdir())) == PARTS
    assert not (host / "state/disclosed").exists()


def listing(office: ReviewOffice, *more: str, recordings: Path | None = None) -> Any:
    place = str(recordings or office.recordings)
    return CliRunner().invoke(
        app, ["receipts", "--config", str(office.center / "center.toml"), "--recordings", place, *more]
    )


def list_of(office: ReviewOffice) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (office.center / "receipts").glob("*")}


def test_a_wrong_folder_of_recordings_signs_nothing_and_keeps_the_good_list(
    office: ReviewOffice, tmp_path: Path
) -> None:
    told(office, receipt(office))
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "not-there", office.recordings / R1):
        refused = listing(office, recordings=place)
        assert isinstance(refused.exception, OperatorFault)
        assert "--recordings" in str(refused.exception)
        assert list_of(office) == {}, "signed without having found anything"
    assert "有说明中断 1" in listing(office).stdout
    good = list_of(office)
    assert isinstance(listing(office, recordings=tmp_path / "empty").exception, OperatorFault)
    assert list_of(office) == good


def test_a_list_that_says_less_than_the_last_needs_somebody_who_says_so(office: ReviewOffice) -> None:
    paper = receipt(office)
    told(office, paper, receipt(office, 2, R2))
    assert "有说明中断 1、缺失 1" in listing(office).stdout, "one of two was not there from the beginning"
    good = list_of(office)
    film = office.recordings / R1 / "segment-0001.mp4"
    film.write_bytes(film.read_bytes()[:-200] + bytes(200))
    refused = listing(office)
    assert isinstance(refused.exception, OperatorFault)
    assert "有 1 份回执的结论比上一版差" in str(refused.exception)
    assert "上一版 有说明中断 1、缺失 1，这一版 缺失 1、被改 1" in str(refused.exception)
    assert list_of(office) == good
    accepted = json.loads(listing(office, "--accept-worse", "--json").stdout)
    assert accepted["verdicts"] == {"altered": 1, "missing": 1}
    assert accepted["worse"] == [paper.short_code]
    assert listing(office).exit_code == 0, "no worse than the last"


def test_only_parts_that_changed_are_signed_again_until_the_next_day(office: ReviewOffice) -> None:
    told(office, receipt(office))
    signer = load_signer(office.center, "receiver")

    def publish(room: CaseRoom) -> tuple[str, ...]:
        return ReceiptRoom(room).publish(ReceiptRoom(room).answers(), signer)

    assert len(publish(office.room())) == PARTS
    assert publish(office.room(later=timedelta(seconds=1))) == ()
    more = receipt(office, 2)
    told(office, more)
    (name,) = publish(office.room(later=timedelta(seconds=2)))
    room = office.room()
    part = open_part(
        (room.config.receipts / name).read_bytes(), None, room.trust, room.now + timedelta(minutes=1), PLACE
    )
    assert part_name(part.part) == name
    assert more.short_code in part.answers
    (room.config.receipts / part_name(7)).write_bytes(b"{}")
    assert part_name(7) in publish(office.room(later=timedelta(seconds=3)))
    assert len(publish(office.room(later=timedelta(days=1)))) == PARTS


def test_what_is_missing_lied_about_or_changed_is_told_as_such(office: ReviewOffice) -> None:
    good, never = receipt(office), receipt(office, 2, R2)
    lying, beyond = replace(receipt(office, 3), head=Digest("cd" * 32)), replace(receipt(office, 4), last=999)
    foreign = {**receipt(office, 5).as_data(), "recording": "REC-0002-R000001"}  # no device speaks for another one
    garbled = {**receipt(office, 6).as_data(), "code": "OOOO"}
    office.tell((50, EventType.RECEIPT_ISSUED, foreign), (51, EventType.RECEIPT_ISSUED, garbled))
    found = told(office, good, never, lying, beyond)
    assert len(found) == 4
    assert [found[one.short_code].verdict for one in (good, never, lying, beyond)] == [
        "explained-gap", "missing", "altered", "missing",
    ]  # fmt: skip
    assert found[never.short_code].kept_until is None
    film = office.recordings / R1 / "segment-0001.mp4"
    data = bytearray(film.read_bytes())
    data[-200] ^= 1
    film.write_bytes(data)
    assert answers(office.room())[good.short_code].verdict == "altered"


def test_how_long_it_is_kept_follows_the_file_the_hold_and_the_end(office: ReviewOffice) -> None:
    office.people["commander"] = office.district.person("示例-000031", Role.COMMANDER)
    write_trust(office.center, office.district.authority)
    paper, centre = receipt(office), load_signer(office.center, "receiver")
    assert told(office, paper)[paper.short_code].kept_until is None  # 永久, as the task was taken
    act = partial(RetentionRoom(office.room()).act, R1)
    act(Deed.CLASSIFY, {"term": "6个月"}, office.people[HANDLER])
    assert answers(office.room())[paper.short_code].kept_until is None
    act(Deed.APPROVE, {"term": "6个月"}, office.people[LEADER])
    kept = answers(office.room())[paper.short_code].kept_until
    assert kept is not None
    assert timedelta(days=180) < kept - today().date() < timedelta(days=186)
    act(Deed.HOLD, {"hold": "诉讼-1", "reason": "行政诉讼调取"}, office.people["commander"])
    assert answers(office.room())[paper.short_code].kept_until is None
    act(Deed.LIFT, {"hold": "诉讼-1", "reason": "审结"}, office.people["commander"])
    RetentionRoom(office.room(later=timedelta(days=184))).delete(R1, centre)
    gone = answers(office.room(later=timedelta(days=185)))[paper.short_code]
    assert (gone.verdict, gone.kept_until) == ("deleted", (today() + timedelta(days=184, hours=8)).date())
