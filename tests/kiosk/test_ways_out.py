"""Every way out of the office passes the same gate: what was written into its folder by hand, signed under older rules
or altered afterwards is not signed, not released, not printed and not put on the website."""

import csv
import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from agent.bundle import MAX_MEMBERS, open_bundle
from agent.duty.disclosure_rules import check_content
from agent.duty.tables import import_table
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.content import attach
from agent.wire.disclosures import DISCLOSURE_TYPE, Disclosure, DisclosureKind
from agent.wire.envelope import parse_envelope, seal
from agent.wire.trust import Role
from kiosk.publishing.office import Holding, places_of
from kiosk.publishing.show_out import badge_cards, fit_to_go_out, shown_to, write_bundle, write_portal
from kiosk.publishing.snapshot import Hall
from kiosk.publishing.table_files import read_rows
from kiosk.shelf import Phase, Shelf, restock
from provisioning.center.publications import open_publication
from tests.kiosk.bench import HALL, NOW, XINGHE, sample
from tests.kiosk.office_bench import OfficeBench, document_in, sample_of

ID, MOBILE = "37050219900101123X", "一三八 1234 5678"
NAME = "results.decisions"


@pytest.fixture
def office(tmp_path: Path) -> OfficeBench:
    return OfficeBench(tmp_path)


def by_hand(office: OfficeBench, document: dict[str, Any], name: str = NAME) -> None:
    folder = office.folder / "drafts"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_bytes(canonical.encode(document))


def plain(document: Disclosure) -> dict[str, Any]:
    value: dict[str, Any] = canonical.decode(document.encode())
    return value


def exposed(document: Disclosure) -> Disclosure:
    first, *rest = document.entries
    return replace(document, entries=({**first, "备注": f"电话 {MOBILE}"}, *rest))


def released_before(office: OfficeBench, document: Disclosure) -> None:
    """As a program that knew less has put it there: two good signatures."""
    folder = office.folder / "released"
    folder.mkdir(exist_ok=True)
    name = f"{document.audience}.{'.'.join(document.key)}.dsse"
    (folder / name).write_bytes(office.bench.sealed(document))


def held(office: OfficeBench) -> list[Holding]:
    return [one for one in office.office.show() if isinstance(one, Holding)]


@pytest.mark.parametrize(
    "change",
    [
        {"filing": {"number": ID, "authority": "星河区司法局", "day": "2026-11-22"}},
        {"title": f"关于{ID}的决定"},
        {"withdrawn": f"当事人 {MOBILE} 申请", "entries": []},
    ],
)
def test_a_number_written_into_a_draft_by_hand_is_not_signed(office: OfficeBench, change: dict[str, Any]) -> None:
    by_hand(office, plain(sample("results")) | change)
    with pytest.raises(OperatorFault, match=r"文件头的.*含有未遮盖的"):
        office.office.sign(NAME, office.bench.editor.signer, Role.EDITOR, NOW)
    assert not (office.folder / "signed").exists() or not list((office.folder / "signed").iterdir())


def test_a_field_that_nobody_reads_is_not_signed_and_not_put_on_the_broker(office: OfficeBench) -> None:
    hidden = plain(sample("results")) | {"note": ID}
    by_hand(office, hidden)
    with pytest.raises(OperatorFault, match="不认识的内容"):
        office.office.sign(NAME, office.bench.editor.signer, Role.EDITOR, NOW)
    signers = [office.bench.editor.signer, office.bench.reviewer.signer]
    with pytest.raises(SenderFault, match="不认识的内容"):
        open_publication(seal(DISCLOSURE_TYPE, canonical.encode(hidden), signers), office.bench.trust(), XINGHE, NOW)


def test_a_field_that_nobody_reads_is_not_reviewed_and_not_released_whoever_signed_it(office: OfficeBench) -> None:
    """Bites when only the first signature looks: an envelope put into `signed/` has gone past it."""
    hidden, folder = canonical.encode(plain(sample("results")) | {"note": ID}), office.folder / "signed"
    folder.mkdir()
    editor, reviewer = office.bench.editor.signer, office.bench.reviewer.signer
    path = folder / f"{NAME}.dsse"
    path.write_bytes(seal(DISCLOSURE_TYPE, hidden, [editor]))
    with pytest.raises(OperatorFault, match="不认识的内容"):
        office.office.sign(NAME, reviewer, Role.REVIEWER, NOW)
    assert len(parse_envelope(path.read_bytes()).signatures) == 1
    path.write_bytes(seal(DISCLOSURE_TYPE, hidden, [editor, reviewer]))
    with pytest.raises(OperatorFault, match="不认识的内容"):
        office.office.release(NAME, NOW)
    assert not list((office.folder / "released").glob("*.dsse"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("flow-1.txt", f"1. 受理\n2. 致电 {MOBILE}\n"),
        ("flow-1.svg", f'<svg xmlns="http://www.w3.org/2000/svg"><text>致电</text><text>{MOBILE}</text></svg>'),
        ("flow-1.svg", '<svg xmlns="http://www.w3.org/2000/svg"><text>138123</text><text>45678</text></svg>'),
        ("flow-1.svg", '<svg xmlns="http://www.w3.org/2000/svg"><text>&#49;3812345678</text></svg>'),
    ],
)
def test_a_number_in_a_flow_chart_that_was_put_there_by_hand_is_not_released(
    office: OfficeBench, name: str, content: str
) -> None:
    data = content.encode()
    document = replace(sample("flow-chart"), attachments=(attach(name, data),))
    chart = ".".join(document.key)
    by_hand(office, plain(document), chart)
    folder = office.folder / "content"
    folder.mkdir()
    (folder / hashlib.sha256(data).hexdigest()).write_bytes(data)
    office.sign(chart)
    with pytest.raises(OperatorFault, match=f"附件 {name}.*含有未遮盖的11 位手机号"):
        office.office.release(chart, NOW)
    assert not list((office.folder / "released").glob("*.dsse"))


def test_a_flow_chart_of_the_office_itself_is_released(office: OfficeBench) -> None:
    assert office.release(sample_of("flow-chart")).document.attachments


def test_what_older_rules_let_out_stays_in_with_a_line(office: OfficeBench, tmp_path: Path) -> None:
    released_before(office, exposed(sample("results")))
    released_before(office, sample("item-list"))
    assert [one.name for one in shown_to(held(office), HALL)] == ["item-list.items"]
    places = places_of(office.folder)
    going = fit_to_go_out(places, held(office), HALL, NOW)
    assert [one.name for one in going.held] == ["item-list.items"]
    assert len(going.told) == 1
    assert going.told[0].startswith(f"{NAME} 未带出：第 1 条的“备注”含有未遮盖的11 位手机号")
    with zipfile.ZipFile(write_bundle(places, going.held, tmp_path / "out.liuhen")) as packed:
        assert not [name for name in packed.namelist() if NAME in name]
        assert [name for name in packed.namelist() if "item-list.items" in name]
    hall = Hall("xinghe", HALL, "示例大厅", "0000-0000000")
    pages = write_portal(places, going.held, hall, tmp_path / "portal", NOW)
    assert not [page for page in pages if MOBILE in page.read_bytes().decode("utf-8", "ignore") or NAME in page.name]


def test_a_website_of_files_shows_no_field_that_answers_nothing(office: OfficeBench, tmp_path: Path) -> None:
    office.release(sample_of("personnel-list"))
    hall = Hall("xinghe", HALL, "示例大厅", "0000-0000000")
    write_portal(places_of(office.folder), held(office), hall, tmp_path / "portal", office.now)
    page = (tmp_path / "portal/people.html").read_text(encoding="utf-8")
    assert "丁四" in page
    assert "<form" not in page
    assert "请使用大厅的公示屏" in page


def test_a_board_altered_after_its_release_gives_no_badge(office: OfficeBench) -> None:
    released_before(office, sample("personnel-list"))
    released_before(office, sample("window-board"))
    places = places_of(office.folder)
    assert badge_cards(places, fit_to_go_out(places, held(office), HALL, NOW).held, NOW)[0]
    (board,) = (office.folder / "released").glob("*window-board*")
    forged = plain(sample("window-board"))
    forged["entries"][0]["姓名"] = "冒名"
    genuine = board.read_bytes()
    payload = seal(DISCLOSURE_TYPE, canonical.encode(forged), []).split(b'"payloadType"')[0]
    board.write_bytes(payload + b'"payloadType"' + genuine.split(b'"payloadType"')[1])
    going = fit_to_go_out(places, held(office), HALL, NOW)
    assert [one.name for one in going.held] == ["personnel-list.staff"]
    assert "签名与内容不符" in going.told[0]


def test_what_older_rules_let_out_can_be_withdrawn_whatever_its_title_says(office: OfficeBench) -> None:
    before = replace(sample("results"), title=f"关于{ID}的决定", publisher=f"{ID}")
    released_before(office, before)
    office.withdraw(NAME, "含有个人信息")
    tombstone = document_in(office.released(NAME))
    assert (tombstone.title, tombstone.withdrawn) == ("行政执法结果", "含有个人信息")
    assert ID not in tombstone.encode().decode()
    assert check_content(tombstone) == tombstone
    assert tombstone.kind is DisclosureKind.RESULTS
    files = {NAME: office.released(NAME)}
    shelf = restock(Shelf(), files, trust=office.bench.trust(), now=NOW, district=XINGHE, audience=HALL)
    assert shelf.shown[NAME].phase(NOW) is Phase.WITHDRAWN


RESULTS = ("决定书文号", "当事人", "违法行为类型", "处罚内容", "机关名称", "作出日期", "备注")
GOOD = ("星综执罚〔2026〕1 号", "范*", "占道经营", "警告", "星河区综合行政执法局", "2026-11-16", "无")


def in_xlsx(path: Path, rows: list[tuple[str, ...]]) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


def in_csv(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="gbk", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.mark.parametrize("write", [in_csv, in_xlsx])
@pytest.mark.parametrize(
    "text",
    ["电话一三八 1234 5678", "身份证 3705 0219 9001 0112 3X", "范某，年仅12岁", "家住示例村12号", "电话0546-1234567"],
)
def test_a_table_of_results_is_stopped_at_its_line(write: Any, text: str, tmp_path: Path) -> None:
    path = tmp_path / "结果"
    write(path, [("行政处罚结果",), RESULTS, GOOD, (f"{GOOD[0]}之一", "范*", *GOOD[2:6], text)])
    found = import_table(DisclosureKind.RESULTS, read_rows(path))
    assert len(found.problems) == 1
    assert found.problems[0].startswith("第 4 行的“备注”含有未遮盖的")
    assert not any(part in found.problems[0] for part in ("1234", "0112", "示例村", "一三八"))


def test_what_a_table_is_told_of_repeats_no_number(tmp_path: Path) -> None:
    path = tmp_path / "结果"
    rows = [RESULTS, GOOD, (f"联系人：范某 {ID}",), (f"注：{MOBILE}",), (*GOOD, MOBILE), (*GOOD[:5], f"{ID}", "无")]
    in_csv(path, [(*RESULTS, ""), *rows[1:]])
    found = import_table(DisclosureKind.RESULTS, read_rows(path))
    assert len(found.problems) == 3
    assert len(found.passed) == 2
    assert not [line for line in (*found.problems, *found.passed) if "1234" in line or "0219" in line]


def test_a_release_that_the_disk_stops_half_way_leaves_the_last_version_whole(office: OfficeBench) -> None:
    chart = office.release(sample_of("flow-chart")).name
    before = {path.name for path in (office.folder / "released" / "content").iterdir()}
    table = sample_of("flow-chart")
    table["entries"][0]["步骤"] = ["受理", "决定"]
    table["entries"][0].pop("走向", None)
    office.draft(table)
    office.sign(chart)
    history = office.folder / "history"
    history.rename(office.folder / "aside")
    history.write_bytes(b"")  # no directory can be made there
    with pytest.raises(EnvironmentFault, match="history"):
        office.office.release(chart, NOW)
    assert document_in(office.released(chart)).version == 1
    assert before <= {path.name for path in (office.folder / "released" / "content").iterdir()}
    history.unlink()
    (office.folder / "aside").rename(history)
    assert office.office.release(chart, NOW).document.version == 2
    wanted = {one.sha256 for one in document_in(office.released(chart)).attachments}
    assert {path.name for path in (office.folder / "released" / "content").iterdir()} == wanted


def test_a_bundle_of_more_files_than_a_hall_takes_is_not_written(office: OfficeBench, tmp_path: Path) -> None:
    held = office.release(sample_of("results"))
    whole = [replace(held, name=f"results.r{number}") for number in range(MAX_MEMBERS + 1)]
    with pytest.raises(OperatorFault, match="4096 个文件"):
        write_bundle(places_of(office.folder), whole, tmp_path / "b.liuhen")
    assert not (tmp_path / "b.liuhen").exists()
    written = write_bundle(places_of(office.folder), whole[1:], tmp_path / "b.liuhen")
    with written.open("rb") as file:
        assert len(open_bundle(file, written.stat().st_size).documents) == MAX_MEMBERS
