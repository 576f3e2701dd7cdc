"""（一）10 推动行政执法事项网上运行: what was decided is found by its number, at home and in the hall, offline."""

from pathlib import Path

from kiosk.publishing.office import Holding
from kiosk.publishing.show_out import index_document, shown_to
from tests.kiosk.bench import HALL, XINGHE
from tests.kiosk.office_bench import OfficeBench, sample_of
from tests.kiosk.test_attaching import found


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
