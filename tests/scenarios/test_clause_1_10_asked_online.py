"""（一）10 推动行政执法事项网上运行: a decision is found by its number, and how far a matter is by its own, offline."""

from pathlib import Path

import pytest

from agent import durable
from agent.errors import OperatorFault
from agent.wire.disclosures import DisclosureKind
from kiosk.inquiries import matter_page, search_page
from kiosk.publishing.office import Holding
from kiosk.publishing.show_out import index_document, shown_to
from tests.kiosk.bench import HALL, NOW, XINGHE, Bench, sample
from tests.kiosk.hall import Hall
from tests.kiosk.office_bench import OfficeBench, draft_of, sample_of
from tests.kiosk.test_attaching import found

NUMBER = "SL-2026-0001"
MATTER = {"受理编号": NUMBER, "事项名称": "户外广告设施设置许可", "办理状态": "审核中", "更新日期": "2026-11-20"}


def test_clause_1_10_a_decision_is_found_by_its_number_and_a_matter_by_its_initials(tmp_path: Path) -> None:
    office = OfficeBench(tmp_path)
    for name in ("results", "item-list", "service-guide"):
        office.release(sample_of(name))
    held = shown_to([one for one in office.office.show() if isinstance(one, Holding)], HALL)
    documents = [one.document for one in held]
    document, contents = index_document(documents, 1, "星河区司法局", "all", XINGHE, office.now)
    office.office.put(document, contents)
    office.sign("search-index.main")
    office.office.release("search-index.main", office.now)
    index = next(one for one in document.attachments if one.name == "search.sqlite")
    path = office.folder / "released/content" / index.sha256
    assert [row for row in found(path, "words", '"0002"') if "第 0002 号" in row]
    assert "户外广告设施设置许可" in found(path, "initials", '"hwgg"*')
    assert {entry["公示文件"] for entry in document.entries} == {one.name for one in held}


def test_clause_1_10_a_screen_finds_them_too_and_leads_to_the_page_that_has_them(tmp_path: Path) -> None:
    hall, documents = Hall(tmp_path, Bench()), [sample(name) for name in ("results", "item-list")]
    index, contents = index_document(documents, 1, "星河区司法局", "all", XINGHE, NOW)
    for sha256, content in contents.items():
        durable.write_bytes(durable.make_directory(hall.config.content) / sha256, content)
    hall.put(*documents, index)
    decision = hall.page(search_page, q="0002")
    assert 'href="/results"' in decision
    assert "第 0002 号" in decision
    assert 'href="/item/%E6%88%B7' in hall.page(search_page, q="hwgg")


def test_clause_1_10_how_far_a_matter_is_goes_from_the_office_to_whoever_has_its_number(tmp_path: Path) -> None:
    office = OfficeBench(tmp_path)
    hall = Hall(tmp_path, office.bench)

    def published(status: str) -> str:
        entry = {**MATTER, "办理状态": status}
        held = office.release(draft_of(DisclosureKind.MATTER_STATUS, entry, name="matters"))
        durable.write_bytes(hall.config.disclosed / f"{held.name}.dsse", office.released(held.name))
        hall.put()
        return hall.page(matter_page, c=NUMBER)

    durable.make_directory(hall.config.disclosed)
    answer = published("审核中")
    assert all(f"<dt>{name}</dt><dd>{text}</dd>" in answer for name, text in MATTER.items())
    assert "审核中" not in hall.page(matter_page, c=NUMBER[:-1])
    assert "准予许可" in published("准予许可")


@pytest.mark.parametrize("field", MATTER)
def test_clause_1_10_a_matter_without_its_number_or_how_far_it_is_is_not_drafted(field: str, tmp_path: Path) -> None:
    gap = {name: text for name, text in MATTER.items() if name != field}
    with pytest.raises(OperatorFault, match=field):
        OfficeBench(tmp_path).draft(draft_of(DisclosureKind.MATTER_STATUS, gap))
