"""Papers that somebody brings and sheets that came with recordings, held against what the devices signed."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.duty.case_papers import CasePaper, Standing
from agent.duty.documents import CODE_PREFIX, text_digest
from agent.duty.key_content import KeyContentSheet, draft_sheet, reworded, sheet_digest, sign_sheet
from agent.duty.paper_check import find_issued, issued_papers
from agent.duty.papers import Paper, paper_of, travelling_name
from agent.errors import SenderFault
from agent.wire.device_events import GENESIS, EventType
from agent.wire.signing import Signer
from provisioning.center.cli import app
from provisioning.center.review_page import Dossier, review_page
from tests.provisioning.district import load_signer, today
from tests.provisioning.review_office import HANDLER, TASK, ReviewOffice
from tests.provisioning.test_documents_travel import FIRST, TEXT, beside


@pytest.fixture
def office(tmp_path: Path) -> ReviewOffice:
    return ReviewOffice(tmp_path)


def recorder(office: ReviewOffice) -> Signer:
    return load_signer(office.base / "REC-0001", "evidence")


def worded(office: ReviewOffice, author: str = HANDLER) -> KeyContentSheet:
    sheet = draft_sheet(office.room().facts(TASK), author, today())
    for number in range(1, len(sheet.lines) + 1):
        sheet = reworded(sheet, number, f"内容 {number}")
    return sheet


def told(office: ReviewOffice, sheet: KeyContentSheet, signer: Signer | None = None) -> Paper:
    """The sheet signed, laid beside its recording and told by its device."""
    envelope = sign_sheet(sheet, signer or recorder(office)).decode()
    paper = paper_of(sheet, envelope)
    place = office.recordings / FIRST / "papers" / travelling_name(f"key-content-{sheet.version:06d}", paper)
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(paper.encode())
    data = {"digest": paper.told, "recordings": sorted(sheet.heads), "task": TASK, "version": sheet.version}
    office.tell((40 + sheet.version, EventType.KEY_CONTENT_SIGNED, data))
    return paper


def sheets(office: ReviewOffice) -> list[CasePaper]:
    room = office.room()
    return [it for it in room.papers(room.facts(TASK)) if "-K" in it.number]


def test_a_sheet_and_its_correction_are_what_they_say(office: ReviewOffice) -> None:
    first = told(office, worded(office))
    told(office, replace(worded(office), version=2, previous=sheet_digest(first.envelope.encode())))
    assert [(it.standing, it.doubt) for it in sheets(office)] == [(Standing.PRESENT, "")] * 2


@pytest.mark.parametrize("attack", ["range", "left out", "head", "reviewer's key", "chain", "stranger's task"])
def test_a_sheet_that_says_otherwise_than_was_recorded_is_not_shown_as_what_was_made_on_scene(
    office: ReviewOffice, attack: str
) -> None:
    sheet, signer = worded(office), recorder(office)
    line = sheet.lines[0]
    if attack == "range":
        moved = replace(line, span=replace(line.span, last=line.span.last + 1))
        sheet = replace(sheet, lines=(moved, *sheet.lines[1:]))
    elif attack == "left out":
        sheet = replace(sheet, lines=sheet.lines[1:])
    elif attack == "head":
        sheet = replace(sheet, heads=dict.fromkeys(sheet.heads, GENESIS))
    elif attack == "chain":
        sheet = replace(sheet, previous=sheet_digest(b"another"))
    elif attack == "stranger's task":
        sheet = replace(sheet, task="T-2026-0009")
    else:
        signer = office.people["示例-000011"]
    told(office, sheet, signer)
    (found,) = [it for it in sheets(office) if it.standing is not Standing.ABSENT] or sheets(office)
    assert found.standing in (Standing.UNSOUND, Standing.ABSENT)
    assert (found.standing is Standing.ABSENT) is (attack == "stranger's task")
    assert not found.files


def test_a_sheet_by_somebody_who_had_nothing_to_do_with_the_matter_is_told(office: ReviewOffice) -> None:
    told(office, worded(office, "编造的人"))
    room = office.room()
    facts = room.facts(TASK)
    (found,) = sheets(office)
    assert "编造的人 不是本案执法人员" in found.doubt
    dossier = Dossier(
        facts, room.review(TASK), room.ruling(facts.unit).rules, {}, room.now, "receiver-1", room.papers(facts)
    )
    assert found.doubt in review_page(dossier)


def test_a_correction_whose_first_version_never_came_is_told(office: ReviewOffice) -> None:
    told(office, replace(worded(office), version=2, previous=sheet_digest(b"never came")))
    assert [it.doubt for it in sheets(office)] == ["第 2 版的前一版不在案，无从核对衔接。"]


def test_a_paper_in_hand_is_what_its_device_made_out_or_it_is_said_not_to_be(office: ReviewOffice) -> None:
    (number,) = office.papers
    issued = issued_papers(office.room().events)
    good = text_digest(TEXT)
    for code in (f"{CODE_PREFIX}|{number}|{good}", good, f" {good.upper()} "):
        assert find_issued(code, issued).number == number
    for code, why in (
        (f"{CODE_PREFIX}|{number}|{text_digest('改过')}", "不一致"),
        (f"{CODE_PREFIX}|{number.replace('0001号', '0002号')}|{good}", "没有设备出具过"),
        (text_digest("编造"), "没有设备出具过"),
        ("LR1.a.b", "不是执法文书"),
    ):
        with pytest.raises(SenderFault, match=why):
            find_issued(code, issued)


def test_a_device_cannot_make_out_a_paper_in_another_devices_number(office: ReviewOffice) -> None:
    (number,) = office.papers
    data = {"digest": text_digest("x"), "number": number.replace("REC-0001", "REC-0002"), "task": TASK}
    office.tell((50, EventType.DOCUMENT_ISSUED, {**data, "template": "t.1", "title": "笔录"}))
    with pytest.raises(SenderFault, match="没有设备出具过"):
        find_issued(f"{CODE_PREFIX}|{data['number']}|{data['digest']}", issued_papers(office.room().events))


def test_the_command_holds_a_paper_and_its_electronic_text_against_the_device(
    office: ReviewOffice, tmp_path: Path
) -> None:
    beside(office)
    (number,) = office.papers
    code, copy = f"{CODE_PREFIX}|{number}|{text_digest(TEXT)}", tmp_path / "copy.txt"

    def run(*words: str) -> Result:
        where = ["--config", str(office.center / "center.toml"), "--recordings", str(office.recordings)]
        return CliRunner().invoke(app, ["paper", *words, *where])

    assert all(it in run(code).output for it in ("与设备签名的记录一致", "当事人签收", "原文在案", TASK))
    copy.write_text(f"{TEXT}改", encoding="utf-8")
    assert "不一致" in str(run(code, "--text", str(copy)).exception)
    assert isinstance(run(f"{CODE_PREFIX}|{number}|{'0' * 64}").exception, SenderFault)
