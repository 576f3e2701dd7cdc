"""The texts of documents on their way to the centre: encrypted for the archive, beside their recording, held against
the hash that the chain carries, and listed as absent where they are not."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from agent.adapters.recording_papers import RecordingPapers
from agent.duty.case_facts import CaseFacts, DocumentFact, Served
from agent.duty.case_papers import CasePaper, FoundPaper, Standing, case_papers, lacking
from agent.duty.key_content import sheet_digest, sign_sheet
from agent.duty.papers import Paper, PaperKind, paper_of, parse_paper, travelling_name
from agent.duty.record_counts import UsedCase
from agent.duty.record_use import Use, tables
from agent.duty.told_events import ToldEvents
from agent.errors import OperatorFault, SenderFault
from agent.evidence.encrypted_paper import decrypt_paper, encrypt_paper
from agent.wire.device_events import GENESIS, DeviceEvent, EventType
from agent.wire.identifiers import DeviceId, District, RecordingId
from agent.wire.instant import TimeState
from provisioning.center.archive import decrypt_recording
from provisioning.center.cli import app
from provisioning.center.paper_files import found_papers
from provisioning.center.review_packet import Seal, check_packet, write_packet
from tests.agent.adapters.test_uploader import Device, fetched, files, sealed
from tests.agent.duty.facts import BEGAN
from tests.agent.duty.test_documents import made
from tests.agent.duty.test_key_content import HANDLER, written
from tests.agent.evidence.bench import private_key
from tests.provisioning.district import load_signer
from tests.provisioning.review_office import TASK, ReviewOffice
from tests.provisioning.test_offload_intake import Circle
from tests.support.device import DistrictKeys
from tests.support.objects import MemoryObjects

ARCHIVE, OTHER = private_key("archive"), private_key("another archive")
PAPER = paper_of(made(检查情况="当事人示例某甲在场"))
NAME = "document-000007"
FACTS = CaseFacts("T-1", "单位", "检查", "事项", "P-1", BEGAN, None, ())
FIRST = RecordingId("REC-0001-R000001")


def of(paper: Paper) -> CaseFacts:
    return replace(
        FACTS, documents=(DocumentFact(paper.number, "t.1", paper.title, paper.told, Served.NOT_SERVED, None),)
    )


def judged(*found: FoundPaper, paper: Paper = PAPER) -> CasePaper:
    (one,) = case_papers(of(paper), ToldEvents(()), found)
    return one


def laid(root: Path, paper: Paper = PAPER, archive: ec.EllipticCurvePublicKey | None = None) -> Path:
    (root / FIRST).mkdir(parents=True, exist_ok=True)
    place = RecordingPapers(root, archive or ARCHIVE.public_key()).lay(FIRST, NAME, paper)
    assert place is not None
    return place


def test_what_leaves_the_device_names_nobody_and_only_the_archive_reads_it(tmp_path: Path) -> None:
    place = laid(tmp_path)
    data = place.read_bytes()
    assert "示例某甲".encode() not in data
    assert hashlib.sha256(PAPER.encode()).digest() not in data
    assert parse_paper(decrypt_paper(data, ARCHIVE)) == PAPER
    with pytest.raises(OperatorFault, match="另一把存档密钥"):
        decrypt_paper(data, OTHER)
    for changed in (data[:-1], data[:60] + bytes([data[60] ^ 1]) + data[61:], data + b"\0", b"", data[:40]):
        with pytest.raises(SenderFault):
            decrypt_paper(changed, ARCHIVE)


def test_without_the_archives_key_or_its_recording_a_text_stays_on_the_device(tmp_path: Path) -> None:
    (tmp_path / FIRST).mkdir()
    assert RecordingPapers(tmp_path, None).lay(FIRST, NAME, PAPER) is None
    gone = RecordingId("REC-0001-R000009")
    assert RecordingPapers(tmp_path, ARCHIVE.public_key()).lay(gone, NAME, PAPER) is None
    assert [place.name for place in tmp_path.rglob("*")] == [FIRST]  # no folder of a deleted recording comes back


def test_another_paper_of_the_same_number_is_never_written_over(tmp_path: Path) -> None:
    laid(tmp_path)
    laid(tmp_path, replace(PAPER, text="另一份"))
    assert len(list(tmp_path.rglob("*.json.enc"))) == 2


def test_a_text_goes_up_with_its_recording_and_one_that_comes_later_goes_up_again(tmp_path: Path) -> None:
    place, device = sealed(tmp_path), Device(tmp_path, MemoryObjects())
    laid(tmp_path / "recordings")
    device.work()
    first = device.told[-1].manifest
    laid(tmp_path / "recordings", replace(PAPER, number="星综执检〔2026〕REC-0001-0008号", text="收队后补的"))
    device.now_ns += 10**12
    device.work()
    assert device.told[-1].manifest != first
    back = fetched(device.objects, tmp_path, device.told[-1])
    assert back == files(place)
    assert sum(name.startswith("papers/") for name in back) == 2
    (tmp_path / "centre").mkdir()
    (tmp_path / "fetched").rename(tmp_path / "centre" / FIRST)
    found = found_papers(tmp_path / "centre", [FIRST], ARCHIVE)
    assert judged(*found).standing is Standing.PRESENT
    assert judged(*found_papers(tmp_path / "centre", [FIRST], None)).standing is Standing.SEALED
    assert judged(*found_papers(tmp_path / "centre", [FIRST], OTHER)).standing is Standing.SEALED


def test_a_text_is_what_the_chain_says_or_it_is_not_shown() -> None:
    good, forged = FoundPaper("x", PAPER), FoundPaper("x", replace(PAPER, text=f"{PAPER.text}免予处罚"))
    assert judged(forged) == replace(judged(forged), standing=Standing.ALTERED, text="")
    assert (judged(forged, good).standing, judged(forged, good).text) == (Standing.PRESENT, PAPER.text)
    assert judged(FoundPaper("x", replace(PAPER, number="别的"))).standing is Standing.ABSENT
    assert judged(FoundPaper(travelling_name(NAME, PAPER))).standing is Standing.ALTERED  # there, and not to be read
    assert judged(FoundPaper("document-000007-ffffffffffff.json")).standing is Standing.ABSENT


def test_a_sheets_words_are_those_that_its_signature_covers() -> None:
    envelope = sign_sheet(written(), HANDLER.signer).decode()
    paper = paper_of(written(), envelope)
    data = {"digest": sheet_digest(envelope.encode()), "task": "T-1", "version": 1, "recordings": []}
    place, kind = District("xinghe"), EventType.KEY_CONTENT_SIGNED
    told = ToldEvents(
        DeviceEvent(place, DeviceId("REC-0001"), 1, GENESIS, "e", of, "b", 1, BEGAN, TimeState.NTP, data)
        for of in (EventType.TASK_TAKEN, kind)
    )

    def standing(it: Paper) -> Standing:
        (one,) = case_papers(FACTS, told, [FoundPaper("x", replace(it, number="T-1-K1"))])
        return one.standing

    assert standing(paper) is Standing.PRESENT
    assert standing(replace(paper, text=paper.text.replace("内容 1", "内容 9"))) is Standing.ALTERED
    assert standing(replace(paper, envelope="{}")) is Standing.ALTERED
    (absent,) = case_papers(FACTS, told, [])
    assert lacking([absent]) == ("T-1-K1（没有原文）",)


def test_a_whole_folder_of_rubbish_costs_nothing(tmp_path: Path) -> None:
    folder = tmp_path / FIRST / "papers"
    folder.mkdir(parents=True)
    (tmp_path / "secret.json").write_bytes(PAPER.encode())
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    (folder / "a.json").write_bytes(b"{")
    (folder / "b.json.enc").write_bytes(b"x" * 2**21)
    (folder / "c.json.enc").write_bytes(b"")
    (folder / "d.json").mkdir()
    found = found_papers(tmp_path, [FIRST], ARCHIVE)
    assert [(it.name, it.paper, it.sealed) for it in found] == [
        ("a.json", None, False), ("b.json.enc", None, False), ("c.json.enc", None, False),
    ]  # fmt: skip
    assert judged(*found).standing is Standing.ABSENT


@pytest.fixture
def circle(tmp_path: Path) -> Iterator[Circle]:
    made_circle = Circle(DistrictKeys(), tmp_path)
    yield made_circle
    made_circle.close()


def test_an_encrypted_paper_does_not_make_a_plain_recording_a_closed_one(circle: Circle) -> None:
    circle.record()
    laid(circle.state / "recordings")
    circle.offload()
    assert [it.verdict for it in circle.take_over()] == ["complete"]
    assert circle.receipt().opened
    assert judged(*found_papers(circle.central.parent, [FIRST], ARCHIVE)).standing is Standing.PRESENT


def test_the_archive_decrypts_papers_with_their_recording_and_names_a_broken_one(circle: Circle) -> None:
    circle.record(encrypted=True)
    broken = laid(circle.state / "recordings", replace(PAPER, text="坏了的"))
    laid(circle.state / "recordings")
    broken.write_bytes(broken.read_bytes()[:-1])
    out = circle.folder / "clear" / FIRST
    told = [line for it in decrypt_recording(circle.recording, ARCHIVE, out) for line in it.problems]
    assert [broken.name in line for line in told] == [True]
    assert judged(*found_papers(out.parent, [FIRST], None)).standing is Standing.PRESENT
    assert {place.stat().st_mode & 0o777 for place in out.glob("papers/*")} == {0o600}


TEXT = "现场检查笔录（示例）"


def beside(office: ReviewOffice, text: str = TEXT, *, encrypted: bool = False) -> None:
    (number,) = office.papers
    paper = Paper(PaperKind.DOCUMENT, number, "现场检查笔录", text, "", "2026-11-22T02:00:00.000Z")
    place = office.recordings / FIRST / "papers" / travelling_name(NAME, paper)
    place.parent.mkdir(exist_ok=True)
    if encrypted:
        place.with_name(f"{place.name}.enc").write_bytes(encrypt_paper(paper.encode(), ARCHIVE.public_key()))
    else:
        place.write_bytes(paper.encode())


@pytest.fixture
def office(tmp_path: Path) -> ReviewOffice:
    return ReviewOffice(tmp_path)


def packet_of(office: ReviewOffice, out: Path, archive: ec.EllipticCurvePrivateKey | None = None) -> Path:
    room = replace(office.room(), archive=archive)
    facts, center = room.facts(TASK), office.center
    trust = (center / "trust.dsse").read_bytes()
    seal = Seal("receiver-1", load_signer(center, "receiver"), office.root.read_bytes(), trust)
    return write_packet(
        out, facts, room.review(TASK), room.ruling(facts.unit), acts=[], grounds={},
        documents=room.papers(facts), papers=[], recordings=office.recordings, seal=seal, now=room.now,
    )  # fmt: skip


def test_the_packet_holds_the_texts_and_anybody_can_compare_them(office: ReviewOffice, tmp_path: Path) -> None:
    beside(office, encrypted=True)
    packet = packet_of(office, tmp_path / "packet", ARCHIVE)
    (number,) = office.papers
    text = (packet / "documents" / f"{number}.txt").read_bytes()
    (told,) = json.loads((packet / "facts.json").read_bytes())["documents"]
    assert (text.decode(), hashlib.sha256(text).hexdigest()) == (TEXT, told["digest"])
    page = (packet / "review.html").read_text(encoding="utf-8")
    assert f'id="x-{number}">{TEXT}</pre>' in page
    root = x509.load_pem_x509_certificate(office.root.read_bytes())
    assert check_packet(packet, root).absent == ()


@pytest.mark.parametrize(
    ("laid_text", "encrypted", "said"),
    [(None, False, "没有原文"), (TEXT, True, "未用存档密钥打开"), (f"{TEXT}！", False, "与现场出具的不一致")],
)
def test_a_text_that_is_not_there_is_listed_as_absent_and_why(
    office: ReviewOffice, tmp_path: Path, laid_text: str | None, encrypted: bool, said: str
) -> None:
    if laid_text is not None:
        beside(office, laid_text, encrypted=encrypted)
    packet = packet_of(office, tmp_path / "packet")
    assert not (packet / "documents").exists()
    assert said in (packet / "review.html").read_text(encoding="utf-8")
    root = x509.load_pem_x509_certificate(office.root.read_bytes())
    assert check_packet(packet, root).absent == tuple(office.papers)
    room = office.room()
    facts = room.facts(TASK)
    row = tables([UsedCase(facts, papers=room.papers(facts))], room.now)[list(Use).index(Use.FILES)].rows[0]
    assert (row["文书原文在案"], said in row["缺原文的文书"]) == ("0/1", True)


def test_a_packet_sealed_over_another_text_does_not_hold(office: ReviewOffice, tmp_path: Path) -> None:
    beside(office)
    (paper,) = (room := office.room()).papers(room.facts(TASK))
    forged = replace(paper, text="当事人认可全部事实")
    facts, center = room.facts(TASK), office.center
    trust = (center / "trust.dsse").read_bytes()
    seal = Seal("receiver-1", load_signer(center, "receiver"), office.root.read_bytes(), trust)
    packet = write_packet(
        tmp_path / "packet", facts, room.review(TASK), room.ruling(facts.unit), acts=[], grounds={},
        documents=[forged], papers=[], recordings=office.recordings, seal=seal, now=room.now,
    )  # fmt: skip
    with pytest.raises(SenderFault, match="不是现场出具的文书"):
        check_packet(packet, x509.load_pem_x509_certificate(office.root.read_bytes()))


def test_commands_say_which_texts_are_lacking_and_take_the_key(office: ReviewOffice, tmp_path: Path) -> None:
    beside(office, encrypted=True)
    key = tmp_path / "archive.key"
    key.write_bytes(ARCHIVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    where = ["--config", str(office.center / "center.toml"), "--recordings", str(office.recordings)]

    def run(*words: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, [*words, *where, "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.output)
        return found

    assert run("review", "packet", TASK, "--out", str(tmp_path / "a"))["texts"] == "0/1"
    opened = run("review", "packet", TASK, "--out", str(tmp_path / "b"), "--key", str(key))
    assert (opened["texts"], opened["absent"]) == ("1/1", [])
    run("report", "--out", str(tmp_path / "c"), "--key", str(key))
    assert '"1/1"' in (tmp_path / "c" / "案卷评查.json").read_text(encoding="utf-8")


def test_a_recording_handed_out_whole_takes_its_papers_along(office: ReviewOffice, tmp_path: Path) -> None:
    beside(office)
    words = ["export-recording", str(office.recordings / FIRST), "--config", str(office.center / "center.toml")]
    words += ["--out", str(tmp_path / "out"), "--by", "示例-000003", "--reason", "复议", "--approved-by", "示例-000021"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (paper,) = (tmp_path / "out" / "papers").iterdir()
    listed = json.loads(base64.b64decode(json.loads((tmp_path / "out" / "export.dsse").read_bytes())["payload"]))
    assert f"papers/{paper.name}" in listed["files"]
