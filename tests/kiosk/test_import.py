"""`liuhen-publish import`: the files that offices really send, from the sheet to a document with two signatures."""

import csv
import datetime as dt
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.styles import numbers

from agent.duty.tables import TableRow, import_table
from agent.errors import OperatorFault
from agent.wire.disclosures import ENTRY_FIELDS, DisclosureKind
from kiosk.publishing.drafting import MAX_PAYLOAD_BYTES
from kiosk.publishing.importing import Heading, left_over, split
from kiosk.publishing.table_files import MAX_ROWS, read_rows
from tests.agent.duty.test_tables import GOOD, HEAD, changed
from tests.kiosk.test_publishing import Desk
from tests.support.policies import UNIT

LIST = DisclosureKind.RECORDING_LIST
NAME = "recording-list.main"


def csv_file(folder: Path, *table: tuple[str, ...], encoding: str = "utf-8", separator: str = ",") -> Path:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(table)
    path = folder / "清单.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def sheet(folder: Path, *table: tuple[Any, ...], merge: tuple[str, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    page = book.active
    for cells in table:
        page.append(cells)
    for area in merge:
        page.merge_cells(area)
    path = folder / "清单.xlsx"
    book.save(path)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_table_is_read_in_whatever_encoding_it_was_saved(tmp_path: Path, encoding: str, separator: str) -> None:
    path = csv_file(tmp_path, HEAD, GOOD, encoding=encoding, separator=separator)
    assert read_rows(path) == [TableRow(1, HEAD), TableRow(2, GOOD)]


def test_lines_are_counted_as_the_file_has_them_through_cells_of_several_lines(tmp_path: Path) -> None:
    path = csv_file(tmp_path, HEAD, changed(记录内容="告知\n检查"), changed(序号="2", 存储期限="长期"))
    (said,) = import_table(LIST, read_rows(path)).problems
    assert said.startswith("第 4 行的“存储期限”")


def test_a_quotation_mark_that_is_never_closed_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "清单.csv"
    path.write_text(f'{",".join(HEAD)}\n1,"行政检查,现场\n2,行政处罚\n', encoding="utf-8")
    with pytest.raises(OperatorFault, match="第 2 行起引号不成对"):
        read_rows(path)


def test_merged_cells_formulas_days_and_times_of_a_real_sheet(tmp_path: Path) -> None:
    times = changed(序号="2", 执法事项="乙", 记录开始时间="", 记录结束时间="")
    path = sheet(
        tmp_path, ("清单（示例）",), HEAD, GOOD, times, changed(序号="3", 备注="=1+1"), merge=("A1:J1", "B3:B4")
    )
    book = openpyxl.load_workbook(path)
    page = book.active
    page["F4"], page["H4"] = dt.time(9, 30), dt.datetime(2026, 11, 22, 18, 0)
    page["H4"].number_format = numbers.FORMAT_DATE_DATETIME
    book.save(path)
    found = read_rows(path)
    assert [row.line for row in found] == [1, 2, 3, 4, 5]
    assert (found[3].cells[1], found[3].continued) == ("行政检查", {1})
    assert (found[3].cells[5], found[3].cells[7]) == ("09:30", "2026-11-22 18:00")
    formula, twice = import_table(LIST, found).problems
    assert formula == "第 5 行的“备注”是公式，请改为文字。"
    assert twice == "第 5 行与第 3 行重复，请删去一行。"


def test_numbers_and_rich_text_are_read_as_they_are_seen(tmp_path: Path) -> None:
    path = sheet(tmp_path, HEAD, (1, *GOOD[1:9], 2.5))
    assert (read_rows(path)[1].cells[0], read_rows(path)[1].cells[9]) == ("1", "2.5")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xd0\xcf\x11\xe0" + bytes(100), "旧版或加密的 Excel"),
        (b"PK\x03\x04 not a zip", "不是完好的 .xlsx"),
        (b"\x00\x01\x02\xff", "不是文字表格"),
        (b"", "没有找到表头"),
    ],
)
def test_what_is_no_table_is_told_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "清单"
    path.write_bytes(content)
    with pytest.raises(Exception, match=said):
        import_table(LIST, read_rows(path))


def test_a_sheet_that_declares_entities_or_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    path = sheet(tmp_path, HEAD, GOOD)
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    parts["xl/workbook.xml"] = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>' + parts["xl/workbook.xml"]
    with zipfile.ZipFile(path, "w") as packed:
        for name, part in parts.items():
            packed.writestr(name, part)
    with pytest.raises(OperatorFault, match="文件类型声明"):
        read_rows(path)
    bomb = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", bytes(201 * 2**20))
    with pytest.raises(OperatorFault, match="过大"):
        read_rows(bomb)


def test_a_file_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    with (tmp_path / "list.csv").open("wb") as file:
        file.truncate(2**43)  # a hole: it takes no room on the disk, and more than any memory
    with pytest.raises(OperatorFault, match="超过 20 MiB"):
        read_rows(tmp_path / "list.csv")


def test_a_file_of_very_many_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="行或"):
        read_rows(csv_file(tmp_path, *[("甲",)] * (MAX_ROWS + 1)))


def test_a_long_list_becomes_documents_that_each_find_room_in_an_envelope() -> None:
    entry = dict(zip(ENTRY_FIELDS[LIST], GOOD, strict=True))
    heading = Heading(LIST, "main", "清单", "duty", UNIT)
    sources = split(heading, [{**entry, "序号": str(number)} for number in range(2500)])
    documents = [json.loads(source) for source in sources]
    assert all(len(source) <= MAX_PAYLOAD_BYTES for source in sources)
    assert [document["id"] for document in documents] == [f"main-{number}" for number in range(1, len(sources) + 1)]
    assert [row["序号"] for document in documents for row in document["entries"]] == [str(n) for n in range(2500)]


def test_documents_of_an_earlier_longer_import_are_named() -> None:
    heading = Heading(LIST, "main", "清单", "duty", UNIT)
    held = ["recording-list.main-1", "recording-list.main-2", "recording-list.main-3", "recording-list.other", NAME]
    assert left_over(heading, 2, held) == [NAME, "recording-list.main-3"]


def test_from_a_gbk_table_to_a_signed_policy_and_nothing_from_a_wrong_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    words = ("--kind", LIST, "--publisher", UNIT)
    wrong = csv_file(tmp_path, HEAD, changed(存储期限="长期"), changed(序号="2", 记录方式=""), encoding="gbk")
    done = desk.run("import", wrong, *words)
    assert done.returncode == 2
    assert [line[:3] for line in done.stderr.splitlines()] == ["第 2", "第 3", "错误："]
    assert "有 2 处问题，没有起草" in done.stderr
    assert desk.show() == []
    assert "待编辑签名" in desk.must("import", csv_file(tmp_path, HEAD, GOOD, encoding="gbk"), *words)
    desk.sign_both(NAME)
    desk.must("release", NAME)
    (held,) = desk.show(NAME)
    assert (held["audience"], held["version"], held["stage"]) == ("duty", 1, "released")
    assert "可导入的有" in desk.refused(2, "import", wrong, "--kind", "review-rules", "--publisher", UNIT)


def test_whoever_drafts_and_signs_a_list_that_loosens_the_law_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    table = csv_file(tmp_path, ("时限事项", "时限", "依据"), ("当场强制措施报告", "48小时", "示例规定"))
    drafted = desk.run("import", table, "--kind", "time-limits", "--publisher", UNIT)
    for done in (drafted, desk.run(*desk.signing(desk.bench.editor, "editor", "time-limits.main"))):
        assert done.returncode == 0, done.stderr
        assert "当场强制措施报告：清单定为 48小时，宽于行政强制法第十九条的 24小时" in done.stderr
