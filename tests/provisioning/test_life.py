"""A device at the bench: reports, assignment and end, papers and stickers, and what a forger brings."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.errors import OperatorFault, SenderFault
from agent.wire.device_events import GENESIS
from agent.wire.envelope import seal
from agent.wire.identifiers import Digest, device_id
from agent.wire.life_documents import REPORT_TYPE, RETIRED_TYPE, AcceptanceReport, CheckItem, Retired
from agent.wire.signing import KeySigner
from provisioning.authority.authority import Authority
from provisioning.fleet import life
from provisioning.fleet.life_cli import _acceptance_sheet, _erasure_sheet
from provisioning.fleet.medium import scan
from provisioning.fleet.sheet import sheet_html
from provisioning.fleet.sheet_pdf import sheet_pdf, stickers_pdf
from provisioning.fleet.states import State
from provisioning.fleet.sticker import A_SHEET, Sticker, sheets_svg
from tests.provisioning.bench_room import NewDevice, bench, planned, serial
from tests.provisioning.district import NOW

REPORT = AcceptanceReport(
    device_id("REC-0001"), serial(1), "0.1.0", NOW,
    (CheckItem("camera", "pass", "摄像头在。"), CheckItem("battery", "attention", "电量读不到。")),
)  # fmt: skip
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def enrolled(tmp_path: Path) -> NewDevice:
    """REC-0001, which has enrolled at the authority in `tmp_path`."""
    with bench(tmp_path / "authority") as desk:
        desk.inventory.plan(planned(1), NOW)
        device = NewDevice(desk, desk.card("REC-0001", NOW))
        desk.inventory.move("REC-0001", State.BUNDLED, "写卡", NOW)
        desk.answer(device.request(), NOW)
    return device


def sealed(device: NewDevice, report: AcceptanceReport) -> bytes:
    return seal(REPORT_TYPE, report.encode(), [KeySigner(device.evidence)])


def test_a_good_report_accepts_and_an_assignment_names_an_officer(enrolled: NewDevice, tmp_path: Path) -> None:
    with life.bench(Authority(tmp_path / "authority", "示例-000001")) as at:
        data = sealed(enrolled, REPORT)
        assert life.read_report(at, "REC-0001", data, LATER) == REPORT
        assert life.accept(at, REPORT, data, LATER)
        assert at.inventory.device("REC-0001").state is State.ACCEPTED
        life.assign(at, "REC-0001", "示例-000002", LATER)
        assert at.inventory.device("REC-0001").officer == "示例-000002"
        once = life.assign(at, "REC-0001", "示例-000002", LATER + timedelta(minutes=1))
        assert once == life.assign(at, "REC-0001", "示例-000002", LATER + timedelta(minutes=2)), "again changes nothing"
        assert len(at.inventory.records.rows("SELECT * FROM assignment")) == 1
        with pytest.raises(OperatorFault, match="--hand-back"):
            life.retire_order(at, "REC-0001", LATER)


def test_a_report_from_before_the_repair_accepts_nothing(enrolled: NewDevice, tmp_path: Path) -> None:
    with life.bench(Authority(tmp_path / "authority", "示例-000001")) as at:
        data = sealed(enrolled, REPORT)
        assert life.accept(at, REPORT, data, LATER)
        assert life.accept(at, REPORT, data, LATER), "again changes nothing"
        life.to_repair(at, "REC-0001", "屏幕碎裂", LATER)
        life.from_repair(at, "REC-0001", LATER)
        with pytest.raises(SenderFault, match="重做"):
            life.accept(at, REPORT, data, LATER)
        assert at.inventory.device("REC-0001").state is State.ENROLLED
        fresh = replace(REPORT, made_at=LATER)
        assert life.accept(at, fresh, sealed(enrolled, fresh), LATER)


def test_a_report_that_was_kept_back_until_after_the_repair_is_refused(enrolled: NewDevice, tmp_path: Path) -> None:
    repaired = LATER + timedelta(hours=3)
    with life.bench(Authority(tmp_path / "authority", "示例-000001")) as at:
        life.accept(at, REPORT, sealed(enrolled, REPORT), LATER)
        life.to_repair(at, "REC-0001", "屏幕碎裂", LATER)
        life.from_repair(at, "REC-0001", repaired)
        kept = replace(REPORT, made_at=LATER + timedelta(minutes=1))
        with pytest.raises(SenderFault, match="修好之前"):
            life.read_report(at, "REC-0001", sealed(enrolled, kept), repaired)
        made = replace(REPORT, made_at=repaired)
        assert life.read_report(at, "REC-0001", sealed(enrolled, made), repaired) == made


def test_a_failed_item_accepts_nothing(enrolled: NewDevice, tmp_path: Path) -> None:
    bad = replace(REPORT, items=(*REPORT.items, CheckItem("access", "fail", "连不上。")))
    with life.bench(Authority(tmp_path / "authority", "示例-000001")) as at:
        assert life.accept(at, bad, sealed(enrolled, bad), LATER) is None
        assert at.inventory.device("REC-0001").state is State.ENROLLED
        assert not replace(REPORT, items=()).passed


def test_threat_malicious_technician_cannot_accept_on_a_report_by_another_key_hardware_or_day(
    enrolled: NewDevice, tmp_path: Path
) -> None:
    stranger = NewDevice.__new__(NewDevice)
    stranger.evidence = enrolled.tls
    with life.bench(Authority(tmp_path / "authority", "示例-000001")) as at:
        for data in (
            sealed(stranger, REPORT),
            sealed(enrolled, replace(REPORT, hardware="10000000ffffffff")),
            sealed(enrolled, replace(REPORT, made_at=NOW - timedelta(days=3))),
            sealed(enrolled, replace(REPORT, device=device_id("REC-0002"))),
            b"{}",
        ):
            with pytest.raises(SenderFault, match="已拒绝"):
                life.read_report(at, "REC-0001", data, LATER)


def test_a_device_that_never_enrolled_cannot_be_checked(tmp_path: Path) -> None:
    with bench(tmp_path / "authority") as desk:
        desk.inventory.plan(planned(1), NOW)
    with life.bench(Authority(tmp_path / "authority", "x")) as at, pytest.raises(OperatorFault, match="还没有入网"):
        life.read_report(at, "REC-0001", b"", NOW)


def test_the_end_needs_the_device_s_word_or_a_reason_and_a_clean_medium(enrolled: NewDevice, tmp_path: Path) -> None:
    medium = tmp_path / "card.img"
    medium.write_bytes(bytes(5 * 2**20) + b"-----BEGIN " + b"PRIVATE KEY-----" + bytes(100))
    with life.bench(Authority(tmp_path / "authority", "示例-000001")) as at:
        life.retire_order(at, "REC-0001", LATER)
        number = life._number(at, at.inventory.device("REC-0001"))
        word = Retired(device_id("REC-0001"), number, 7, Digest(GENESIS), 0, LATER)
        other = seal(RETIRED_TYPE, replace(word, number=Digest("0" * 64)).encode(), [KeySigner(enrolled.evidence)])
        with pytest.raises(SenderFault, match="不是 REC-0001 对本次指令的答复"):
            life.read_last_word(at, "REC-0001", other)
        data = seal(RETIRED_TYPE, word.encode(), [KeySigner(enrolled.evidence)])
        said = life.read_last_word(at, "REC-0001", data), data
        with pytest.raises(OperatorFault, match=r"私钥.*card.img@5242880"):
            life.conclude(at, "REC-0001", said, scan(medium), "", LATER)
        with pytest.raises(OperatorFault, match="--reason"):
            life.conclude(at, "REC-0001", None, None, "", LATER)
        medium.write_bytes(bytes(5 * 2**20))
        erasure, _ = life.conclude(at, "REC-0001", said, scan(medium), "", LATER)
        assert (erasure.events, erasure.read, erasure.found) == (7, 5 * 2**20, ())
        assert at.inventory.device("REC-0001").state is State.DECOMMISSIONED
    assert not Authority(tmp_path / "authority").holds_any("REC-0001")
    page = sheet_html(_erasure_sheet(erasure))
    assert "尚存风险" in page
    assert sheet_pdf(_erasure_sheet(erasure)).startswith(b"%PDF")


def test_a_marker_across_two_pieces_is_found(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(4 * 2**20 - 9) + b"SQLite format 3\0")
    assert scan(tmp_path).found == (("事件库 (SQLite)", f"f@{4 * 2**20 - 9}"),)
    assert scan(tmp_path, {"自选": b"format"}).found[1][0] == "自选"


def test_what_a_report_says_cannot_write_into_the_page() -> None:
    evil = replace(REPORT, items=(CheckItem("x", "pass", "<script>alert(1)</script>"),))
    page = sheet_html(_acceptance_sheet(evil, "<b>示例</b>"))
    assert "<script>" not in page
    assert "<b>" not in page
    assert sheet_pdf(_acceptance_sheet(REPORT, "示例执法局")).startswith(b"%PDF")


def test_stickers_fill_a_sheet_and_say_nothing_secret() -> None:
    stickers = [Sticker(f"REC-{number:04d}", serial(number), "星河区", "ab" * 32) for number in range(A_SHEET + 1)]
    pages = sheets_svg(stickers)
    assert [page.count("<g ") for page in pages] == [A_SHEET, 1]
    assert stickers[0].content == f"LIUHEN:1:REC-0000:{serial(0)}:{'ab' * 32}"
    assert stickers_pdf(stickers).startswith(b"%PDF")
