"""（三）3 编制目录清单: 结合执法类别、执法层级、所属领域、涉案金额、社会影响等因素."""

import pytest

from agent.duty.major_catalogue import MajorMatter
from agent.duty.requirements import PolicyEngine
from tests.support.policies import sample_policies

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
