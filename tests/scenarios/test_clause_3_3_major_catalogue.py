"""（三）3 编制目录清单: 结合执法类别、执法层级、所属领域、涉案金额、社会影响等因素."""

from pathlib import Path

import pytest

from agent.duty.major_catalogue import MajorMatter
from agent.duty.requirements import PolicyEngine
from agent.duty.tables import import_table
from agent.wire.disclosures import DisclosureKind
from kiosk.publishing.table_files import read_rows
from tests.support.duty import FIRST, SECOND, personnel, recording_list
from tests.support.duty_bench import DutyBench
from tests.support.policies import policy, sample_policies

MATTER = "对擅自占道经营的处罚"


@pytest.mark.parametrize(
    ("about", "decision"),
    [
        (MajorMatter("行政处罚", "区级", "市容", 50_000, "一般"), "较大数额罚款"),
        (MajorMatter("行政处罚", "区级", "市容", 200, "重大"), "责令停产停业、吊销许可证件"),
        (MajorMatter("行政强制", "镇级", "市容", 0, "一般"), "查封、扣押经营场所或者财物"),
        (MajorMatter("行政强制", "镇级", "城乡规划", 0, "一般"), "强制拆除建筑物"),
        (MajorMatter("行政处罚", "镇级", "燃气管理", 20_000, "一般"), "涉及公共安全的处罚决定"),
        (MajorMatter("行政许可", "区级", "市容", 0, "较大"), "直接关系公共利益的许可决定"),
    ],
)
def test_clause_3_3_each_entry_of_the_catalogue_marks_its_decision_as_major(about: MajorMatter, decision: str) -> None:
    found = PolicyEngine(sample_policies()).decide(MATTER, about)
    assert f"决定事项：{decision}" in found.major.factors
    assert found.requirement.whole


def test_clause_3_3_an_ordinary_decision_is_none_and_an_unknown_amount_stays_open() -> None:
    engine = PolicyEngine(sample_policies())
    assert engine.decide(MATTER, MajorMatter("行政处罚", "区级", "市容", 200, "一般")).major.factors == ()
    open_ = engine.decide(MATTER, MajorMatter("行政处罚", "区级", "市容", None, "一般")).major
    assert (open_.factors, open_.open) == ((), ("涉案金额",))


TABLE = """序号,重大执法决定,执法类别,执法层级,所属领域,涉案金额（万元）,社会影响
1,较大数额罚款,行政处罚,区级以上,市容、燃气管理,5,较大以上
"""
KNOWN = {"category": "行政处罚", "level": "市级", "domain": "市容", "amount": 60_000, "impact": "重大"}


@pytest.mark.parametrize(
    ("factor", "other"),
    [("category", "行政许可"), ("level", "镇级"), ("domain", "园林"), ("amount", 49_999), ("impact", "一般")],
)
def test_clause_3_3_each_of_the_five_factors_of_an_imported_table_decides_on_scene(
    factor: str, other: object, tmp_path: Path
) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_bytes(TABLE.encode("gbk"))
    table = import_table(DisclosureKind.MAJOR_CATALOGUE, read_rows(path))
    assert table.problems == ()
    bench = DutyBench((personnel(), recording_list(), policy(DisclosureKind.MAJOR_CATALOGUE, entries=table.entries)))
    bench.take_out(FIRST, SECOND)
    assert "重大执法决定，须法制审核" in bench.pick(**KNOWN)["text"]
    bench = DutyBench((personnel(), recording_list(), policy(DisclosureKind.MAJOR_CATALOGUE, entries=table.entries)))
    bench.take_out(FIRST, SECOND)
    assert "重大执法决定" not in bench.pick(**{**KNOWN, factor: other})["text"]
