"""The hall's pages against what citizens, staff and attackers do with them."""

import datetime as dt
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from agent.wire.disclosures import DisclosureKind
from kiosk.asked import Asked, NotThere
from kiosk.display import CACHED_PAGES
from kiosk.furniture import attached
from kiosk.inquiries import item_page, lists_page, matter_page, proof_page, search_page
from kiosk.lists import TOPICS
from kiosk.search import PAGE_ROWS, SearchIndex, question
from kiosk.states import HallState
from kiosk.views import board_page, window_page
from tests.kiosk.bench import HALL, NOW, Bench, sample
from tests.kiosk.hall import Hall, make_index, staff_until

PEOPLE = partial(lists_page, next(topic for topic in TOPICS if topic.path == "people"))
ITEMS = "item-list.items"


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@pytest.fixture
def hall(bench: Bench, tmp_path: Path) -> Hall:
    hall = Hall(tmp_path, bench)
    hall.put(sample("window-board"), sample("personnel-list"), sample("service-guide"), sample("flow-chart"))
    return hall


def test_is_this_person_licensed_is_answered_without_a_network(hall: Hall) -> None:
    assert "的执法证件今日有效" in hall.page(PEOPLE, q="丁四")
    assert "示例-000004" in hall.page(PEOPLE, q="示例-000004")
    assert "没有“王莫须”" in hall.page(PEOPLE, q="王莫须")


def test_a_licence_that_ran_out_overnight_is_told_as_no_licence(hall: Hall) -> None:
    hall.put(replace(staff_until("2026-11-22"), version=2))
    assert "今日有效" in hall.page(PEOPLE, q="丁四")
    hall.clock.step(86400)
    page = hall.page(PEOPLE, q="丁四")
    assert "您可以拒绝检查" in page
    assert "今日有效" not in page


def test_addresses_without_end_fill_no_memory_and_a_field_is_cut(hall: Hall) -> None:
    for number in range(2 * CACHED_PAGES + 1):
        hall.display.kept(f"/w/{number}", False, lambda: hall.page(board_page))
    assert len(hall.display._cache) <= CACHED_PAGES
    assert Asked(query={"q": "长" * 5000}).text("q") == "长" * 64


def test_what_somebody_asked_is_in_no_log(hall: Hall) -> None:
    hall.page(PEOPLE, q="丁四")
    tag, surface = hall.display.painted.newest
    assert surface.facts(tag, "t")["html"] == surface.facts(tag, "t")["tag"] == ""


def test_a_guide_has_its_flow_as_ordered_text_and_a_code_to_take_home(hall: Hall) -> None:
    page = hall.page(item_page, name="户外广告设施设置许可")
    assert "<svg" in page.partition("带回家")[2]
    assert "场地使用权" in page
    flow = hall.page(item_page, name="行政处罚普通程序")
    assert flow.index("<li>立案</li>") < flow.index("调查取证（两名以上")


def test_who_cannot_see_a_flow_charts_arrows_reads_where_each_step_leads(hall: Hall) -> None:
    entry = {
        "名称": "示例程序",
        "步骤": ["立案", "审核", "决定"],
        "走向": ["立案->审核", "审核->决定：同意", "2->1：补充"],
    }
    wrong = {**entry, "名称": "没有去处", "走向": ["立案->没有的步骤"]}
    hall.put(replace(sample("flow-chart"), version=2, entries=(entry, wrong)))
    page = hall.page(item_page, name="示例程序")
    assert "<li>立案</li>" in page
    assert "<li>审核<br>→ 第 3 步 决定（同意）<br>→ 第 1 步 立案（补充）</li>" in page
    assert "<li>审核</li>" in hall.page(item_page, name="没有去处")


def test_a_flow_charts_picture_is_shown_by_hash_only_when_it_was_signed(hall: Hall) -> None:
    chart = replace(sample("flow-chart"), version=2)
    hall.put(hall.attach(chart, "flow-1.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"))
    assert '<img class="chart" src="/content/' in hall.page(item_page, name="行政处罚普通程序")


def test_a_file_of_a_document_that_has_ended_is_given_to_nobody(hall: Hall) -> None:
    ends = replace(sample("flow-chart"), version=2, effective_until=NOW + dt.timedelta(hours=1))
    chart = hall.attach(ends, "flow-1.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    hall.put(chart)
    [file] = chart.attachments
    assert attached(hall.feed.shelf, hall.display.now(), file.sha256) == file
    hall.clock.step(3600)
    assert attached(hall.feed.shelf, hall.display.now(), file.sha256) is None


def test_an_item_nobody_published_is_not_there(hall: Hall) -> None:
    for name in ("没有的事项", "../etc/passwd", ""):
        with pytest.raises(NotThere):
            hall.page(item_page, name=name)


def test_a_matter_is_found_by_its_number_alone_and_names_nobody(hall: Hall) -> None:
    assert "尚未收到办件进度" in hall.page(matter_page)
    entry = {"受理编号": "SL-2026-0001", "事项名称": "户外广告", "办理状态": "审核中", "更新日期": "2026-11-20",
             "申请人": "王某某", "备注": "补正两次"}  # fmt: skip
    hall.put(replace(sample("notice"), kind=DisclosureKind.MATTER_STATUS, disclosure_id="matters", entries=(entry,)))
    assert "审核中" in hall.page(matter_page, c="SL-2026-0001")
    assert "王某某" not in hall.page(matter_page, c="SL-2026-0001")
    assert "补正" not in hall.page(matter_page, c="SL-2026-0001")
    assert "没有受理编号" in hall.page(matter_page, c="SL-2026")
    assert "审核中" not in hall.page(matter_page)


def test_a_guide_and_a_matter_that_have_ended_are_told_to_nobody(hall: Hall) -> None:
    ends = NOW + dt.timedelta(hours=1)
    entry = {"受理编号": "SL-1", "事项名称": "户外广告", "办理状态": "审核中", "更新日期": "2026-11-20"}
    matters = replace(sample("notice"), kind=DisclosureKind.MATTER_STATUS, disclosure_id="matters", entries=(entry,))
    guide = replace(sample("service-guide"), version=2, effective_until=ends)
    hall.put(guide, replace(matters, effective_until=ends))
    name = str(guide.entries[0]["事项名称"])
    assert "带回家" in hall.page(item_page, name=name)
    assert "审核中" in hall.page(matter_page, c="SL-1")
    hall.clock.step(3600)
    assert "审核中" not in hall.page(matter_page, c="SL-1")
    with pytest.raises(NotThere):
        hall.page(item_page, name=name)


def test_a_pinned_screen_shows_its_window_alone(bench: Bench, tmp_path: Path) -> None:
    hall = Hall(tmp_path, bench, window="03")
    hall.put(sample("window-board"), sample("personnel-list"))
    page = hall.page(board_page)
    assert "丁四" in page
    assert "甲一" not in page


def test_every_page_has_a_large_mode_and_the_way_back(hall: Hall) -> None:
    small, large = board_page(hall.display, Asked()).html, board_page(hall.display, Asked(large=True)).html
    assert 'class="large"' not in small
    assert 'class="large"' in large
    assert "/mode?large=1&amp;back=/board" in small
    assert "/mode?large=0&amp;back=/board" in large


def test_the_board_alone_never_resets_itself(hall: Hall) -> None:
    assert "data-idle" not in hall.page(board_page)
    for page in (hall.page(search_page), hall.page(proof_page), hall.page(window_page, number="03")):
        assert 'data-idle="45"' in page


def test_an_emergency_takes_the_place_of_every_page_at_once(hall: Hall) -> None:
    before = hall.display.generation
    entry = {"标题": "停电疏散", "正文": "请从东门离开。", "级别": "紧急"}
    until = NOW + dt.timedelta(hours=2)
    hall.put(replace(sample("notice"), disclosure_id="urgent", entries=(entry,), effective_until=until))
    assert hall.display.condition.state is HallState.EMERGENCY
    assert hall.display.generation != before
    hall.clock.step(2 * 3600)
    hall.display.refresh()
    assert hall.display.condition.state is HallState.NORMAL


def test_a_page_says_on_itself_which_page_it_is(hall: Hall) -> None:
    page = hall.page(board_page)
    tag, _ = hall.display.painted.newest
    assert f'data-tag="{tag}"' in page
    assert hall.display.painted.acknowledged(tag, hall.clock.read())
    assert not hall.display.painted.acknowledged("LH1/KSK-0001/000000000000", hall.clock.read())
    log = hall.display.hall.log
    assert log is not None
    assert log.head.number == 2


# --- search


def test_one_and_two_characters_and_initials_find(tmp_path: Path) -> None:
    rows = [("事项", *named, ITEMS, "1") for named in (("食品经营许可", "spjyxk"), ("户外广告", "hwgg"))]
    index = SearchIndex(make_index(tmp_path / "s.sqlite", rows))
    for text in ("食", "许可", "食品经营许可", "SPJY", "s", "sp jy"):
        assert [one.title for one in index.look(text, 0, [f"{ITEMS}@1"])[0]] == ["食品经营许可"], text
    assert index.look("许经", 0, [f"{ITEMS}@1"])[0] == ()


def test_a_corrected_or_withdrawn_document_is_no_longer_found(tmp_path: Path) -> None:
    index = SearchIndex(make_index(tmp_path / "s.sqlite", [("事项", "食品经营许可", "spjyxk", "item-list.items", "1")]))
    assert index.look("食品", 0, [f"{ITEMS}@1"])[0]
    assert index.look("食品", 0, [f"{ITEMS}@2"])[0] == ()
    assert index.look("食品", 0, [])[0] == ()


def test_newest_first_in_pages_of_twenty(tmp_path: Path) -> None:
    rows = [("结果", f"案件{number:03d}", "aj", "results.all", "1") for number in range(45)]
    index = SearchIndex(make_index(tmp_path / "s.sqlite", rows))
    pages = [index.look("aj", page, ["results.all@1"]) for page in range(3)]
    assert [len(found) for found, _ in pages] == [PAGE_ROWS, PAGE_ROWS, 5]
    assert [more for _, more in pages] == [True, True, False]
    assert pages[0][0][0].title == "案件044"


@pytest.mark.parametrize("text", ['" OR 1', "*", "NEAR(a b)", "a' --", "words:食", "😀", "(", '食"品'])
def test_no_question_breaks_out_of_its_phrase(tmp_path: Path, text: str) -> None:
    index = SearchIndex(make_index(tmp_path / "s.sqlite", [("事项", "食品经营许可", "spjyxk", "item-list.items", "1")]))
    index.look(text, 0, [f"{ITEMS}@1"])
    asked = question(text)
    assert asked is None or '"' not in asked[1].strip('"*')


def test_search_works_from_the_signed_file_and_not_from_an_altered_one(hall: Hall, tmp_path: Path) -> None:
    assert "尚未收到检索文件" in hall.page(search_page, q="丁")
    hall.index(tmp_path / "s.sqlite", [("人员", "丁四", "ds", "personnel-list.staff", "1")])
    assert "<b>丁四</b>" in hall.page(search_page, q="ds")
    for path in hall.config.content.iterdir():
        path.write_bytes(path.read_bytes() + b"\0")
    assert "尚未收到检索文件" in hall.page(search_page, q="ds")


def test_a_hall_asks_its_own_index_and_not_that_for_all(hall: Hall, tmp_path: Path) -> None:
    for audience, name in (("all", "main"), (HALL, "window")):
        path = make_index(tmp_path / name, [("人员", f"丁四 {audience}", "ds", "personnel-list.staff", "1")])
        entry = {"公示文件": "personnel-list.staff", "版本": "1", "条数": "1"}
        kind = DisclosureKind.SEARCH_INDEX
        index = replace(sample("notice"), kind=kind, disclosure_id=name, audience=audience, entries=(entry,))
        hall.put(hall.attach(index, "search.sqlite", "application/vnd.sqlite3", path.read_bytes()))
    page = hall.page(search_page, q="ds")
    assert "丁四 hall-1" in page
    assert "丁四 all" not in page


def test_script_in_a_question_is_text(hall: Hall) -> None:
    evil = "<script>alert(1)</script>"
    for view in (search_page, matter_page, PEOPLE):
        for name in ("q", "c"):
            assert "<script>alert" not in hall.page(view, **{name: evil})
