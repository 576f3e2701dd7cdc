"""二（二）1 全过程记录具体办法: what each stage asks for is asked for on scene, and what is missing is said there."""

from agent.duty.asks import What
from agent.wire.device_events import EventType
from tests.support.duty import FIRST, SECOND, STEPS
from tests.support.duty_bench import DutyBench


def test_clause_2_1_the_list_prompts_each_step_in_order_and_names_what_is_missing_on_scene() -> None:
    bench = DutyBench()
    bench.take_out(FIRST, SECOND)
    bench.pick()
    recording = bench.record()
    for step in STEPS[:-1]:
        assert bench.state["step_next"] == step
        bench.ask(What.STEP)
    assert bench.state["steps_missing"] == [STEPS[-1]]
    bench.seal(recording)
    bench.ask(What.REASON, reason="文书改由邮寄送达")
    bench.ask(What.END)
    (ended,) = bench.of(EventType.TASK_ENDED)
    assert (ended["missing"], ended["reasons"]) == ([STEPS[-1]], {STEPS[-1]: "文书改由邮寄送达"})


def test_clause_2_1_a_matter_of_no_list_is_recorded_with_steps_in_the_officers_own_words() -> None:
    bench = DutyBench()
    bench.pick(matter="清单外的示例事项")
    bench.record()
    assert bench.ask(What.STEP, step="查看现场")["done"]
    assert bench.of(EventType.STEP_MARKED)[0]["step"] == "查看现场"
    assert "写明环节名称" in bench.ask(What.STEP)["text"]
