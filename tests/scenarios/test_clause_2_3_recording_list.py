"""（二）3 推行音像记录: 编制音像记录事项清单, from the published table to what a recorder asks for on scene."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.duty.asks import What
from agent.duty.requirements import PolicyEngine
from agent.duty.tables import import_table
from agent.wire.device_events import EventType
from agent.wire.disclosures import Disclosure, DisclosureKind
from agent.wire.identifiers import District
from kiosk.publishing.drafting import compose
from kiosk.publishing.importing import Heading, split
from kiosk.publishing.table_files import read_rows
from tests.agent.control.test_policy_desk import Recorder
from tests.support.duty import FIRST, SECOND, personnel
from tests.support.duty_bench import DutyBench
from tests.support.policies import SAMPLE, UNIT, policy

LIST = DisclosureKind.RECORDING_LIST
ISSUED = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def published(path: Path) -> Disclosure:
    """The document that the office drafts from a department's table."""
    table = import_table(LIST, read_rows(path))
    assert table.problems == ()
    (source,) = split(Heading(LIST, "main", "音像记录事项清单", "duty", UNIT), table.entries)
    return compose(source, district=District("xinghe"), now=ISSUED, latest=None)


@pytest.mark.parametrize(
    ("shape", "category", "matter", "stage", "steps", "kept"),
    [
        ("jiaozuo", "行政检查", "市容环境卫生责任区检查", "现场检查", 5, "同案卷保留期限"),
        ("jiaozuo", "行政处罚", "对擅自占道经营的处罚", "留置送达", 2, "永久"),
        ("menghai", "行政强制", "扣押占道经营的工具和物品", "实施扣押", 4, "同案卷保留期限"),
        ("menghai", "行政处罚", "对擅自占道经营的处罚", "听证", 3, "永久"),
    ],
)
def test_clause_2_3_a_published_list_drives_the_recorder_in_both_published_shapes(
    shape: str, category: str, matter: str, stage: str, steps: int, kept: str
) -> None:
    recorder = Recorder()
    recorder.arrive(published(SAMPLE / "policies" / f"recording-list-{shape}.csv"))
    recorder.arrive(policy(DisclosureKind.RECORDING_RULES))
    asked = PolicyEngine(recorder.shelf.in_force(recorder.now.wall)).requirement(category, matter, (stage,))
    assert asked.listed
    assert len(asked.steps) == steps
    assert asked.starts
    assert asked.ends
    assert asked.retention.text == kept


def test_clause_2_3_a_matter_recorded_from_beginning_to_end_is_told_from_others() -> None:
    recorder = Recorder()
    recorder.arrive(policy(LIST))
    engine = PolicyEngine(recorder.shelf.in_force(recorder.now.wall))
    assert engine.requirement("行政强制", "扣押占道经营的工具和物品").whole
    assert not engine.requirement("行政处罚", "各类处罚决定的送达").whole


@pytest.mark.parametrize(
    ("stages", "steps", "starts"), [([], 7, "执法人员抵达现场"), (["留置送达"], 2, "到达送达地点")]
)
def test_clause_2_3_a_published_list_is_what_an_officer_is_asked_for_on_scene(
    stages: list[str], steps: int, starts: str
) -> None:
    lists = published(SAMPLE / "policies" / "recording-list-jiaozuo.csv"), policy(DisclosureKind.RECORDING_RULES)
    bench = DutyBench((personnel(), *lists, policy(DisclosureKind.REASON_CODES)))
    bench.take_out(FIRST, SECOND)
    told = bench.pick(category="行政处罚", matter="对擅自占道经营的处罚", stages=stages)["text"]
    assert f"应录环节 {len(bench.state['steps_required'])} 项" in told
    assert len(bench.state["steps_required"]) == steps
    assert bench.state["asked"]["starts"].startswith(starts)
    recording = bench.record()
    bench.ask(What.STEP)
    bench.seal(recording)
    assert {"party-absent", "not-needed"} <= {it["code"] for it in bench.state["reasons"]}
    assert bench.ask(What.REASON, reason="not-needed")["done"]
    assert bench.of(EventType.STEPS_MISSING)[-1]["reason"] == "本次执法无须进行该步骤"
