import json
from typing import Any

import pytest

from agent.duty.masking import check_masked
from agent.duty.recording_list import REQUIRED_COLUMNS, RecordClass, parse_recording_list
from agent.errors import SenderFault
from tests.kiosk.bench import SAMPLE

ROWS = json.loads((SAMPLE / "recording-list.json").read_text(encoding="utf-8"))["entries"]


@pytest.mark.parametrize(
    "text",
    [
        "110101199001011234",
        "证件11010119900101123X号",
        "110101 19900101 123x",
        "１１０１０１１９９００１０１１２３４",
        "999999999999999999",
    ],
)
def test_an_identity_number_is_stopped(text: str) -> None:
    with pytest.raises(SenderFault, match="身份证号"):
        check_masked("第 1 条", {"当事人": text})


@pytest.mark.parametrize(
    "text", ["13800000000", "电话138 0000 0000", "+86-13800000000", "１３８００００００００", "138-0000-0000"]
)
def test_a_mobile_number_is_stopped_wherever_it_hides(text: str) -> None:
    for entry in ({"当事人": text}, {"名单": ["甲", text]}, {"嵌套": {"里层": [text]}}, {text: "值"}):
        with pytest.raises(SenderFault, match=r"第 4 条.*手机号"):
            check_masked("第 4 条", entry)


@pytest.mark.parametrize(
    "text", ["0000-0000000", "示例-000001", "110101********1234", "138****0000", "2026-11-22", "12345"]
)
def test_what_may_be_published_passes(text: str) -> None:
    assert check_masked("第 1 条", {"字段": text}) == {"字段": text}


def test_an_all_digit_credit_code_is_told_apart_by_its_field() -> None:
    code = "913705000000000000"
    assert check_masked("第 1 条", {"统一社会信用代码": code})
    with pytest.raises(SenderFault, match="身份证号"):
        check_masked("第 1 条", {"当事人": code})


def test_the_sample_list_is_read_with_its_published_columns() -> None:
    items = parse_recording_list(ROWS)
    assert tuple(ROWS[0])[: len(REQUIRED_COLUMNS)] == REQUIRED_COLUMNS
    assert items[0].starts == "执法人员抵达现场"
    assert items[0].contents[2] == "表明身份、出示证件"
    assert (items[2].record_class, items[4].whole) == (RecordClass.INTERVIEW, False)


@pytest.mark.parametrize("column", REQUIRED_COLUMNS)
def test_a_missing_column_is_named(column: str) -> None:
    row: dict[str, Any] = {name: value for name, value in ROWS[0].items() if name != column}
    with pytest.raises(SenderFault, match=column):
        parse_recording_list([row])


def test_a_number_twice_and_an_empty_list_are_refused() -> None:
    with pytest.raises(SenderFault, match="序号"):
        parse_recording_list([ROWS[0], ROWS[0]])
    with pytest.raises(SenderFault, match="没有任何条目"):
        parse_recording_list([])
