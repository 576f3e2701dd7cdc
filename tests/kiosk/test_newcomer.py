"""What somebody new to the publishing office does wrong, and what is left over by drafts that never came."""

import datetime as dt
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from agent.duty.cell_checks import plain_day
from agent.errors import OperatorFault
from agent.wire.disclosures import DisclosureKind
from kiosk.publishing.due import Task, due_of_released
from kiosk.publishing.office import Stage
from kiosk.publishing.shelves import unfiled_since
from tests.kiosk.bench import NOW, SAMPLE
from tests.kiosk.office_bench import RULES, OfficeBench, draft_of, sample_of
from tests.kiosk.test_publishing import BOARD, Desk

ITEMS = DisclosureKind.ITEM_LIST


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def office(tmp_path: Path) -> OfficeBench:
    return OfficeBench(tmp_path)


def test_the_next_step_can_be_copied_and_names_the_office(desk: Desk) -> None:
    said = desk.draft("window-board")
    assert f"sign {BOARD} --office {desk.office} --as editor --key" in said


def test_an_office_that_is_founded_again_keeps_its_portal_and_its_district(desk: Desk) -> None:
    config = desk.office / "office.toml"
    config.write_text(f'{config.read_text()}portal = "https://gongshi.example.cn"\n')
    files = ("--root", desk.folder / "root.pem", "--trust-list", desk.folder / "trust.dsse")
    desk.must("init", "--district", "xinghe", *files)
    assert "https://gongshi.example.cn" in config.read_text()
    config.write_text(config.read_text().replace("xinghe", "lanhe"))
    assert "另用一个文件夹" in desk.refused(2, "init", "--district", "xinghe", *files)


def test_a_district_or_hall_that_was_mistyped_is_the_commands_fault(desk: Desk) -> None:
    files = ("--root", desk.folder / "root.pem", "--trust-list", desk.folder / "trust.dsse")
    assert "--district" in desk.refused(2, "init", "--district", "星河", *files)
    assert "--audience" in desk.refused(2, "portal", desk.folder / "out", "--audience", "大厅")


@pytest.mark.parametrize("day", ["9999-12-31", "2999-01-01"])
def test_a_day_that_has_not_come_is_told_and_no_traceback(desk: Desk, day: str) -> None:
    assert f"{day} 还没有到" in desk.refused(2, "as-of", day)


def test_an_empty_office_says_so_and_draws_no_empty_table(desk: Desk) -> None:
    assert "还没有公示文件" in desk.must("show")
    assert "没有公示任何文件" in desk.must("as-of", "2026-03-05")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "{，}".encode(), "第 1 行第 2 字起"),
        ("a.json", "{}".encode("utf-16"), "不是 UTF-8"),
        ("a.csv", b"x", "liuhen-publish import"),
    ],
)
def test_a_draft_that_is_no_document_is_told_with_its_file_and_place(
    desk: Desk, name: str, content: bytes, said: str
) -> None:
    path = desk.folder / name
    path.write_bytes(content)
    told = desk.refused(2, "draft", path)
    assert said in told
    assert name in told


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "是空的"), ("姓名，单位，职务\n甲，局，主办\n", "半角逗号"), ("序号,其他\n1,2\n", "请核对 --kind")],
)
def test_a_table_without_a_header_is_told_with_its_file_and_what_to_do(desk: Desk, content: str, said: str) -> None:
    path = desk.folder / "人员.csv"
    path.write_text(content, encoding="utf-8")
    told = desk.refused(2, "import", path, "--kind", "personnel-list", "--publisher", "示例局")
    assert said in told
    assert "人员.csv" in told


def test_days_as_sheets_and_keyboards_write_them_are_taken_and_what_is_no_day_is_not(desk: Desk) -> None:
    assert {plain_day(text) for text in ("2027/1/1", "2027.01.01", "2027年1月1日", "２０２７-０１-０１")} == {
        "2027-01-01"
    }
    assert [plain_day(text) for text in ("2027/13/1", "1/1/2027", "长期")] == ["2027/13/1", "1/1/2027", "长期"]
    head = "姓名,单位,职务,证件编号,执法类别,执法区域,证件有效期至,年度审验\n"
    path = desk.folder / "人员.csv"
    path.write_text(f"{head}甲一,示例局,主办,示例-1,行政处罚,星河区,２０２７年１月１日,合格\n", encoding="utf-8")
    desk.must("import", path, "--kind", "personnel-list", "--publisher", "示例局")
    (row,) = desk.show("personnel-list.main")
    assert row["document"]["entries"][0]["证件有效期至"] == "2027-01-01"


def pictured(folder: Path, colour: str) -> dict[str, object]:
    out = io.BytesIO()
    Image.new("RGB", (480, 640), colour).save(out, "JPEG")
    (folder / "face.jpg").write_bytes(out.getvalue())
    table = sample_of("window-board")
    table["entries"][0]["照片"] = "face.jpg"
    return table


def kept(office: OfficeBench) -> set[str]:
    return {path.name for path in (office.folder / "content").glob("*")}


def test_photos_of_drafts_that_never_came_do_not_stay_in_the_office(office: OfficeBench, tmp_path: Path) -> None:
    first = office.draft(pictured(tmp_path, "red")).document
    second = office.draft(pictured(tmp_path, "blue")).document
    assert kept(office) == {one.sha256 for one in second.attachments}
    assert not kept(office) & {one.sha256 for one in first.attachments}
    office.sign(BOARD)
    third = office.draft(pictured(tmp_path, "green")).document
    assert kept(office) == {one.sha256 for one in (*second.attachments, *third.attachments)}  # the signed one may come
    office.sign(BOARD)
    office.office.release(BOARD, office.now)
    assert kept(office) == set()
    assert {path.name for path in (office.folder / "released/content").glob("*")} == {
        one.sha256 for one in third.attachments
    }


def test_while_a_draft_cannot_be_read_no_file_is_taken_away_that_may_be_its(
    office: OfficeBench, tmp_path: Path
) -> None:
    held = office.draft(pictured(tmp_path, "red"))
    good = held.path.read_bytes()
    held.path.write_bytes(b"damaged")
    office.draft(sample_of("item-list"))
    held.path.write_bytes(good)
    office.sign(BOARD)
    assert office.office.release(BOARD, office.now).stage is Stage.RELEASED


def test_a_list_that_is_not_filed_is_due_by_the_departments_own_term_and_no_correction_begins_it_anew(
    office: OfficeBench,
) -> None:
    rules = [{**one, "备案时限": "10个工作日"} if one["公示种类"] == "行政执法事项清单" else one for one in RULES]
    office.release(draft_of(DisclosureKind.PUBLICATION_RULES, *rules))
    table = sample_of("item-list")
    name = office.release(table).name
    first = office.now
    office.now += dt.timedelta(days=7)
    held = office.release(table)
    since = unfiled_since(office.folder, name)
    assert since == first
    (one,) = due_of_released(held.document, office.office.rules(), since)
    assert one.task is Task.FILE
    assert one.by == office.office.rules().calendar.due(NOW, 10)
    filing = {"number": "备〔2026〕1号", "authority": "星河区司法局", "day": "2026-12-01"}
    filed = office.release({**table, "filing": filing})
    assert unfiled_since(office.folder, name) is None
    assert list(due_of_released(filed.document, office.office.rules())) == []


def test_without_a_term_in_the_rules_a_filing_is_due_without_a_day_and_says_why(desk: Desk) -> None:
    rules = desk.folder / "rules.json"
    rules.write_text(json.dumps(draft_of(DisclosureKind.PUBLICATION_RULES, *RULES)), encoding="utf-8")
    for source, name in ((rules, "publication-rules.main"), (SAMPLE / "item-list.json", "item-list.items")):
        desk.must("draft", source)
        desk.sign_both(name)
        desk.must("release", name)
    assert "公示办法未定期限" in desk.must("due")
    assert "没有逾期的" in desk.must("overdue")


def test_an_offices_own_mobile_number_passes_in_its_own_field_alone_and_whoever_signs_is_told(desk: Desk) -> None:
    table, path = sample_of("service-guide"), desk.folder / "guide.json"

    def written(field: str, text: str) -> Path:
        changed = {**table, "entries": [{**table["entries"][0], field: text}]}
        path.write_text(json.dumps(changed, ensure_ascii=False), encoding="utf-8")
        return path

    stopped = desk.refused(2, "draft", written("咨询电话", "13800138000"))
    assert "可在服务指南、主体资格清单中单独填入“公开的公务手机”" in stopped
    assert "13800138000" not in stopped
    for text in ("13800138000 王某", "11010519491231002X", "13800138000、13900139000"):
        desk.refused(2, "draft", written("公开的公务手机", text))
    drafted = desk.run("draft", written("公开的公务手机", "13800138000"))
    assert drafted.returncode == 0
    assert "尾号 8000" in drafted.stderr
    assert "不是个人的" in drafted.stderr
    name = f"{table['kind']}.{table['id']}"
    for who, role in ((desk.bench.editor, "editor"), (desk.bench.reviewer, "reviewer")):
        assert "尾号 8000" in desk.run(*desk.signing(who, role, name)).stderr
    desk.must("release", name)


def test_no_document_about_people_declares_a_mobile_number_the_offices(office: OfficeBench) -> None:
    result = {**sample_of("results")["entries"][0], "公开的公务手机": "13800138000"}
    with pytest.raises(OperatorFault, match="手机号"):
        office.draft({**sample_of("results"), "entries": [result]})
