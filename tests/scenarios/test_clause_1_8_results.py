"""（一）8 推动行政执法结果公开: results and 双随机 results, nothing personal in them, withdrawn with the reason."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.duty.masking import check_impersonal
from agent.errors import OperatorFault
from agent.wire.disclosures import ENTRY_FIELDS, DisclosureKind
from kiosk.inquiries import lists_page
from kiosk.lists import TOPICS
from kiosk.shelf import Phase, Shelf, restock
from tests.kiosk.bench import HALL, XINGHE, Bench, sample
from tests.kiosk.hall import Hall
from tests.kiosk.office_bench import OfficeBench, document_in, draft_of, sample_of

NAME = "results.decisions"
RESULT = sample_of("results")["entries"][0]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("示例（身份证号 37050219900101123X）", "身份证号"), ("示例，电话 138 0000 0000", "手机号"),
        ("示例，住星河路 1 号 3 单元 502 室", "家庭住址"), ("家庭住址：星河路", "家庭住址"),
        ("电话 0546-1234567", "固定电话"),
        ("账号 6222 0000 0000 0000 123", "银行账号"), ("未成年人范某", "未成年人"), ("范某，15 周岁", "未成年人"),
        ("范某，１５周岁", "未成年人"), ("某初中生", "未成年人"),
    ],
)  # fmt: skip
def test_clause_1_8_what_is_personal_stops_a_result_and_the_place_is_pointed_at(
    text: str, named: str, tmp_path: Path
) -> None:
    entries = (RESULT, {**RESULT, "当事人": text})
    with pytest.raises(OperatorFault, match=f"第 2 条的“当事人”含有.*{named}") as told:
        OfficeBench(tmp_path).draft(draft_of(DisclosureKind.RESULTS, *entries, name="decisions"))
    assert not any(part in str(told.value) for part in ("3705", "0000", "502", "范某"))


@pytest.mark.parametrize(
    "entry",
    [RESULT, *sample_of("random-inspection-results")["entries"],
     {"当事人": "示例公司（统一社会信用代码 见信用代码栏）", "统一社会信用代码": "91370502MA3C000001",
      "处罚内容": "罚款 18 元"},
     {"决定书文号": "星综执罚〔2026〕第 3 号", "违法行为类型": "在 5 号楼前擅自占道经营 21 天"}],
)  # fmt: skip
def test_clause_1_8_what_may_be_published_is_not_stopped(entry: dict[str, Any]) -> None:
    assert check_impersonal("第 1 条", entry) == entry


def test_clause_1_8_a_revoked_decision_goes_with_its_reason_and_never_comes_back(tmp_path: Path) -> None:
    office = OfficeBench(tmp_path)
    office.release(sample_of("results"))
    before = office.released(NAME)

    def looked(shelf: Shelf, envelope: bytes) -> Shelf:
        files = {NAME: envelope}
        return restock(shelf, files, trust=office.bench.trust(), now=office.now, district=XINGHE, audience=HALL)

    shelf = looked(Shelf(), before)
    office.withdraw(NAME, "决定已被复议机关撤销")
    tombstone = document_in(office.released(NAME))
    assert (tombstone.entries, tombstone.withdrawn) == ((), "决定已被复议机关撤销")
    shelf = looked(shelf, office.released(NAME))
    assert shelf.shown[NAME].phase(office.now) is Phase.WITHDRAWN
    assert looked(shelf, before).shown[NAME].document.withdrawn is not None
    with pytest.raises(OperatorFault, match="不能恢复"):
        office.draft(sample_of("results"))


def test_clause_1_8_decisions_and_inspections_with_what_came_of_them_stand_on_one_page(tmp_path: Path) -> None:
    hall = Hall(tmp_path, Bench())
    results = partial(lists_page, next(topic for topic in TOPICS if topic.path == "results"))
    documents = [sample(name) for name in ("results", "random-inspection-results")]
    hall.put(*documents)
    page = hall.page(results)
    for document in documents:
        assert all(f'<th scope="col">{field}</th>' in page for field in ENTRY_FIELDS[document.kind])
        for entry in document.entries:
            assert all(str(entry[field]) in page for field in ENTRY_FIELDS[document.kind]), entry
