"""（一）4 公开行政执法人员资格清单 in the hall: published, asked of by anybody, alive with the annual check."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from kiosk.inquiries import lists_page
from kiosk.lists import TOPICS
from kiosk.views import window_page
from tests.kiosk.bench import Bench, sample
from tests.kiosk.hall import Hall

SIX = ("姓名", "单位", "职务", "证件编号", "执法类别", "执法区域")
PEOPLE = partial(lists_page, next(topic for topic in TOPICS if topic.path == "people"))


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    hall = Hall(tmp_path, Bench())
    hall.put(sample("personnel-list"), sample("window-board"))
    return hall


def test_clause_1_4_everybody_reads_six_fields_of_every_officer(hall: Hall) -> None:
    page = hall.page(PEOPLE)
    assert all(f'<th scope="col">{field}</th>' in page for field in SIX)
    licensed = [entry for entry in sample("personnel-list").entries if f'<td class="short">{entry["姓名"]}<' in page]
    assert len(licensed) >= 8
    for entry in licensed:
        texts = [entry[field] if isinstance(entry[field], list) else [entry[field]] for field in SIX]
        assert all(text in page for several in texts for text in several), entry


@pytest.mark.parametrize("asked", ["丁四", "示例-000004"])
def test_clause_1_4_anybody_asks_by_name_or_number_and_is_told_where_to_complain(hall: Hall, asked: str) -> None:
    answer = hall.page(PEOPLE, q=asked)
    assert "丁四 的执法证件今日有效" in answer
    assert all(f"<dt>{field}</dt>" in answer for field in SIX)
    assert "或拨打 0000-0000000 核实" in hall.page(PEOPLE, q="示例-999999")


@pytest.mark.parametrize("change", [{"年度审验": "不合格"}, {"年度审验": "未审验"}, {"证件有效期至": "2026-11-21"}])
def test_clause_1_4_who_fails_the_annual_check_leaves_list_and_window_with_the_next_version(
    hall: Hall, change: dict[str, str]
) -> None:
    people = sample("personnel-list", 2)
    failed = tuple({**it, **change} if it["姓名"] == "丁四" else it for it in people.entries)
    assert "丁四" in hall.page(PEOPLE)
    assert "丁四" in hall.page(window_page, number="03")
    hall.put(replace(people, entries=failed))
    assert "丁四" not in hall.page(PEOPLE)
    assert "丁四" not in hall.page(window_page, number="03")
    assert "您可以拒绝检查并拨打 0000-0000000 核实" in hall.page(PEOPLE, q="丁四")
