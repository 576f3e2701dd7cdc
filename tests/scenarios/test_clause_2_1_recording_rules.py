"""（二）1 制定具体办法: 明确各执法环节记录的内容、方式、载体等事项."""

from agent.control.effects import StartRecording
from agent.duty.requirements import PolicyEngine
from agent.wire.disclosures import DisclosureKind
from tests.agent.control.test_policy_desk import Recorder
from tests.support.policies import entries_of, policy

RULES = DisclosureKind.RECORDING_RULES


def test_clause_2_1_the_departments_own_rules_say_content_method_carrier_and_term_of_every_stage() -> None:
    recorder = Recorder()
    recorder.arrive(policy(RULES))
    engine = PolicyEngine(recorder.shelf.in_force(recorder.now.wall))
    for entry in entries_of(RULES):
        asked = engine.requirement("行政处罚", "未列入清单的事项", (entry["执法环节"],))
        assert asked.steps == tuple(entry["记录内容"])
        assert (asked.methods, asked.carriers) == ((entry["记录方式"],), (entry["记录载体"],))
        assert (asked.starts, asked.ends) == (entry["开始记录"], entry["停止记录"])
        assert asked.retention.text == entry["存储期限"]


def test_clause_2_1_another_version_of_the_rules_changes_what_is_asked_without_another_program() -> None:
    recorder = Recorder()
    recorder.arrive(policy(RULES, 1))
    shorter = {**entries_of(RULES)[1], "记录内容": ["表明身份、出示证件"], "存储期限": "6个月"}
    recorder.arrive(policy(RULES, 2, entries=(shorter,)))
    engine = PolicyEngine(recorder.shelf.in_force(recorder.now.wall))
    asked = engine.requirement("行政检查", "任一事项", ("现场检查",))
    assert (asked.steps, asked.retention.text) == (("表明身份、出示证件",), "6个月")
    (start,) = (effect for effect in recorder.machine.pressed(recorder.now) if isinstance(effect, StartRecording))
    assert "recording-rules.main=2/" in str(start.context["policies"])
