"""Tables as departments publish them, and as they should not: every fault is told with its line."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.duty.disclosure_rules import check_entries
from agent.duty.policies import PARSERS
from agent.duty.table_shapes import SHAPES
from agent.duty.tables import Imported, TableRow, import_table
from agent.errors import SenderFault
from agent.wire.disclosures import ENTRY_FIELDS, POLICY_KINDS, DisclosureKind
from tests.support.policies import SAMPLE

LIST, CATALOGUE = DisclosureKind.RECORDING_LIST, DisclosureKind.MAJOR_CATALOGUE
HEAD = ENTRY_FIELDS[LIST]
GOOD = ("1", "行政检查", "甲事项", "现场检查", "全程录音录像", "抵达现场", "告知；检查", "离开现场", "30年", "无")


def rows(*table: tuple[str, ...]) -> list[TableRow]:
    return [TableRow(line, cells) for line, cells in enumerate(table, 1)]


def changed(**changes: str) -> tuple[str, ...]:
    return tuple(changes.get(name, cell) for name, cell in zip(HEAD, GOOD, strict=True))


def read(*table: tuple[str, ...]) -> Imported:
    return import_table(LIST, rows(*table))


def problem(*table: tuple[str, ...]) -> str:
    (one,) = read(*table).problems
    return one


def sample(name: str) -> Imported:
    text = (SAMPLE / "policies" / name).read_text(encoding="utf-8")
    return import_table(LIST, rows(*(tuple(cells) for cells in csv.reader(io.StringIO(text)))))


def test_the_shape_of_jiaozuo_with_its_title_its_merged_cells_and_its_note() -> None:
    found = sample("recording-list-jiaozuo.csv")
    assert found.problems == ()
    assert ["注释" in line for line in found.passed] == [True]
    assert [entry["序号"] for entry in found.entries] == ["1", "2", "2-2"]
    assert found.entries[2]["执法事项"] == "对擅自占道经营的处罚"
    assert found.entries[0]["记录内容"][2] == "表明身份、出示证件"


def test_the_shape_of_menghai_without_matter_and_retention() -> None:
    found = sample("recording-list-menghai.csv")
    assert found.problems == ()
    first = PARSERS[LIST](found.entries)[0]
    assert (first.matter, first.retention, first.place) == ("全部", None, "强制现场")


def test_an_unknown_column_is_told_with_what_was_probably_meant() -> None:
    found = read(tuple("记录坊式" if name == "记录方式" else name for name in HEAD), GOOD)
    assert "第 1 行表头第 5 列“记录坊式”不认识。是否应为“记录方式”？" in found.problems
    assert "第 1 行表头缺少“记录方式”一列，请补上。" in found.problems


def test_the_same_column_twice_and_a_table_without_any_header() -> None:
    assert "不止一次" in problem((*HEAD, "开始记录时间"), (*GOOD, "到达"))
    with pytest.raises(SenderFault, match="没有找到表头"):
        read(GOOD, GOOD)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"记录方式": ""}, "第 2 行的“记录方式”是空的"),
        ({"存储期限": "长期"}, "第 2 行的“存储期限”是“长期”"),
        ({"存储期限": "-3年"}, "第 2 行的“存储期限”是“-3年”"),
        ({"存储期限": "3个月"}, "第 2 行的“存储期限”是“3个月”，短于音像记录的最低期限 6 个月"),
        ({"执法类别": "行政处法"}, "第 2 行的“执法类别”是“行政处法”，应为"),
        ({"执法类别": "行政处法"}, "是否应为“行政处罚”？"),
        ({"存储期限": "=B2"}, "第 2 行的“存储期限”是公式"),
        ({"备注": "#REF!"}, "第 2 行的“备注”是表格的错误值"),
        ({"记录开始时间": "25:00"}, "第 2 行的“记录开始时间”中没有这样的时间：25:00"),
        ({"记录结束时间": "18:75 前"}, "没有这样的时间：18:75"),
        ({"记录开始时间": "2026-02-30 到场"}, "没有这样的时间：2026-02-30"),
        ({"记录开始时间": "9:30", "记录结束时间": "09:30"}, "结束时间 09:30 不晚于开始时间 9:30"),
    ],
)
def test_one_wrong_cell_is_told_with_line_and_column(change: dict[str, str], said: str) -> None:
    assert said in problem(HEAD, changed(**change))


def test_every_fault_of_a_table_is_told_at_once() -> None:
    other = changed(序号="2", 执法事项="乙")
    found = read(HEAD, changed(存储期限="长期"), other, changed(序号="3", 记录方式=""), other)
    assert [line.partition(" 行")[0] for line in found.problems] == ["第 2", "第 4", "第 5"]


def test_every_fault_of_one_row_is_told_in_the_same_round() -> None:
    """Bites when the first wrong cell of a row hides the others until it is put right."""
    bad = changed(执法类别="行政处法", 存储期限="-3年", 记录开始时间="25:00", 记录方式="", 备注="电话 13800138000")
    told = "".join(read(HEAD, bad, GOOD).problems)
    assert [name for name in HEAD if f"第 2 行的“{name}”" in told] == [
        "执法类别", "记录方式", "记录开始时间", "存储期限", "备注",
    ]  # fmt: skip


def test_a_missing_column_is_told_once_and_not_again_on_every_row() -> None:
    short = [
        tuple(cell for at, cell in enumerate(row) if at != 4) for row in (HEAD, GOOD, changed(序号="2", 执法事项="乙"))
    ]
    assert problem(*short) == "第 1 行表头缺少“记录方式”一列，请补上。"


def test_a_matter_of_more_steps_than_an_officer_is_shown_is_told_with_all_its_lines() -> None:
    first, second = ("；".join(f"{name}{number}环节" for number in range(21)) for name in "甲乙")
    said = problem(HEAD, changed(记录内容=first), changed(序号="2", 记录环节="听证", 记录内容=second))
    assert said.startswith("第 2、3 行的“记录内容”：行政检查“甲事项”共有 42 个环节，超过 40 个")
    assert read(HEAD, changed(记录内容=first), changed(序号="2", 执法事项="乙", 记录内容=second)).problems == ()


def test_a_step_that_a_recorder_cannot_show_whole_is_taken_and_told() -> None:
    found = read(HEAD, changed(记录内容=f"告知；{'长' * 61}"))
    assert found.problems == ()
    assert found.passed == ("第 2 行的“记录内容”有 61 字的一项，记录仪只显示前 60 字，宜拆分。",)


def test_a_row_that_stands_twice_and_a_number_that_stands_twice() -> None:
    assert problem(HEAD, GOOD, changed(序号="2", 备注="又")) == "第 3 行与第 2 行重复，请删去一行。"
    assert problem(HEAD, GOOD, changed(执法事项="乙事项")) == "第 3 行的序号 1 与第 2 行相同，请改正。"


def test_blank_rows_and_the_header_again_on_every_page_count_for_nothing() -> None:
    blank = ("",) * len(HEAD)
    found = read(("星河区清单（示例）",), blank, HEAD, GOOD, blank, HEAD, changed(序号="2", 执法事项="乙"))
    assert (found.problems, len(found.entries)) == ((), 2)


def test_a_header_of_two_rows_is_read_as_one() -> None:
    upper = ("序号", "执法类别", "执法事项", "记录环节", "记录方式", "记录时间", "", "记录内容", "存储期限", "备注")
    lower = ("", "", "", "", "", "开始", "结束", "", "", "")
    found = read(upper, lower, ("1", "行政检查", "甲", "检查", "录像", "到达", "离开", "检查", "永久", ""))
    assert found.problems == ()
    assert (found.entries[0]["记录开始时间"], found.entries[0]["记录结束时间"]) == ("到达", "离开")


def test_a_title_above_rows_gives_their_category_and_a_stray_line_is_told() -> None:
    found = read(HEAD, ("一、行政强制",), changed(执法类别="", 序号="1"), ("不知何物",))
    assert found.entries[0]["执法类别"] == "行政强制"
    assert found.problems == ("第 4 行只有“不知何物”，不成一条。请补全或删去。",)


def test_nothing_is_carried_from_one_category_into_the_next() -> None:
    said = problem(HEAD, GOOD, changed(序号="2", 执法类别="行政强制", 执法事项=""))
    assert said == "第 3 行的“执法事项”是空的，请补填（没有的填“无”）。"


def test_a_cell_under_no_header_means_that_something_has_shifted() -> None:
    assert "没有表头" in problem(HEAD, (*GOOD, "多出的一格"))


def test_merged_cells_of_a_sheet_share_their_number() -> None:
    second = TableRow(3, changed(执法事项="乙"), frozenset({0, 1}))
    found = import_table(LIST, [*rows(HEAD, GOOD), second])
    assert (found.problems, [entry["序号"] for entry in found.entries]) == ((), ["1", "1-2"])


@pytest.mark.parametrize("kind", SHAPES)
def test_each_kind_that_comes_as_a_table_has_the_columns_its_documents_need(kind: DisclosureKind) -> None:
    assert set(ENTRY_FIELDS[kind]) <= set(SHAPES[kind].columns)
    assert set(SHAPES[kind].carried) <= set(SHAPES[kind].columns)


def test_a_catalogue_without_its_rarer_columns_asks_nothing_by_them() -> None:
    found = import_table(
        CATALOGUE, rows(("序号", "重大执法决定", "执法类别", "金额"), ("1", "罚款", "行政处罚", "5万元以上"))
    )
    assert found.problems == ()
    assert found.entries[0]["社会影响"] == "不限"


def catalogue(amount_column: str = "涉案金额", **cells: str) -> Imported:
    good = {"序号": "1", "决定事项": "罚款", "执法类别": "行政处罚", "执法层级": "不限", "所属领域": "不限"}
    row = {**good, amount_column: "不限", "社会影响": "不限", **cells}
    return import_table(CATALOGUE, rows(tuple(row), tuple(row.values())))


@pytest.mark.parametrize(
    ("column", "cell", "yuan"),
    [("涉案金额（万元）", "5", 50_000), ("金额(元)", "20,000 以上", 20_000), ("涉案金额（万元）", "3000元以上", 3000)],
)
def test_an_amount_under_a_header_with_its_unit_is_read_in_that_unit(column: str, cell: str, yuan: int) -> None:
    found = catalogue(column, **{column: cell})
    assert found.problems == ()
    assert PARSERS[CATALOGUE](found.entries)[0].amount == yuan


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"涉案金额": "5"}, "第 2 行的“涉案金额”是“5”，应为不限，或如"),
        ({"涉案金额": "0元以上"}, "请核对单位是元还是万元"),
        ({"涉案金额": "500000000万元以上"}, "请核对单位是元还是万元"),
        ({"执法层级": "区局"}, "第 2 行的“执法层级”的“区局”不是执法层级（镇级 < 区级 < 市级 < 省级 < 国家级"),
        ({"社会影响": "很大"}, "第 2 行的“社会影响”的“很大”不是社会影响"),
        ({"执法层级": "不限、区级"}, "既写不限又写执法层级"),
        ({"执法类别": "行政处法、行政强制"}, "是否应为“行政处罚”？"),
    ],
)
def test_a_factor_of_the_catalogue_that_no_task_could_meet_is_told(cells: dict[str, str], said: str) -> None:
    (problem,) = catalogue(**cells).problems
    assert said in problem


@given(st.lists(st.lists(st.text(max_size=12), max_size=14).map(tuple), max_size=8))
def test_no_table_breaks_the_reader(table: list[tuple[str, ...]]) -> None:
    found = read(HEAD, *table)
    assert found.problems or found.entries


def test_every_rule_of_the_office_is_read_wherever_it_comes_though_its_reader_is_loaded_late() -> None:
    """Bites when a kind gets a reader that the rules for documents do not know: its entries would pass unread."""
    assert set(PARSERS) <= POLICY_KINDS
    with pytest.raises(SenderFault):
        check_entries(DisclosureKind.RECORDING_LIST, [dict.fromkeys(ENTRY_FIELDS[DisclosureKind.RECORDING_LIST], "?")])
