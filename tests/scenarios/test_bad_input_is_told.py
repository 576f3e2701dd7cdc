"""Bad input on scene: each is told in Chinese, keeps the recording, and is seen by whoever oversees.

Lists with unknown columns, duplicate rows and impossible values: `tests/agent/duty/test_tables.py`; a reviewer who is a
handler: `test_clause_3_2_review_body.py`.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from agent.control import messages as happened
from agent.control.effects import Effect, RaiseAlarm
from agent.duty.asks import What
from agent.duty.case_assembly import assemble_case
from agent.duty.record_counts import UsedCase
from agent.duty.record_use import Use, tables
from agent.duty.refusals import refusals
from agent.wire.device_events import GENESIS, DeviceEvent
from agent.wire.disclosures import DUTY_AUDIENCE, Disclosure, DisclosureKind
from agent.wire.instant import TimeState
from agent.wire.topics import publication_topic
from tests.support.device import DistrictKeys
from tests.support.documents import signed
from tests.support.duty import FIRST, SECOND, STEPS, UNIT, personnel, recording_list
from tests.support.duty_bench import KEYS, DutyBench
from tests.support.policies import policy

TASK = "T-2026-0001"
RULES = DisclosureKind.RECORDING_RULES
STRANGERS = DistrictKeys()


def on_scene(*lists: Disclosure) -> DutyBench:
    """Two officers record for a task."""
    bench = DutyBench((personnel(), recording_list(), *lists))
    bench.take_out(FIRST, SECOND)
    bench.pick()
    bench.record()
    return bench


def events(bench: DutyBench) -> list[DeviceEvent]:
    """What the device has told, as the centre holds it."""
    at = bench.now()
    return [
        DeviceEvent(
            KEYS.authority.district, KEYS.device, number, GENESIS, f"e{number}", kind, at.boot, number,
            at.wall + timedelta(seconds=number), bench.state_of_clock, data,
        )
        for number, (kind, data) in enumerate(bench.told, 1)
    ]  # fmt: skip


def overseen(bench: DutyBench) -> set[str]:
    """The troubles of the case in the export 执法监督, and what devices refused."""
    told = events(bench)
    facts = assemble_case(TASK, told, {})
    rows = next(table.rows for table in tables([UsedCase(facts)], facts.began) if table.use is Use.OVERSIGHT)
    return {str(row["问题"]) for row in rows} | {f"{it.what}：{it.why}" for it in refusals(told)}


def published(bench: DutyBench, document: Disclosure, keys: DistrictKeys = KEYS) -> list[Effect]:
    topic = publication_topic(KEYS.authority.district, DUTY_AUDIENCE, document.kind.value, document.disclosure_id)
    return bench.handle(happened.MessageArrived(1, topic, signed(document, keys.editor.signer, keys.reviewer.signer)))


def a_forged_policy(bench: DutyBench) -> str:
    return next(it.text for it in published(bench, policy(RULES, 9), STRANGERS) if isinstance(it, RaiseAlarm))


def an_older_policy(bench: DutyBench) -> str:
    published(bench, policy(RULES, 5))
    return next(it.text for it in published(bench, policy(RULES, 4)) if isinstance(it, RaiseAlarm))


def a_task_for_another_device(bench: DutyBench) -> str:
    bench.ask(What.END)
    return str(bench.pick(task="T-2026-0002", device="REC-0009")["text"])


@pytest.mark.parametrize(
    ("bad", "words", "seen"),
    [
        (a_forged_policy, "签名", "公示、执法规则：签名不可信"),
        (an_older_policy, "旧", "公示、执法规则：比已采用的旧"),
        (a_task_for_another_device, "REC-0009", "任务：派给其他设备"),
    ],
)
def test_what_is_refused_is_told_keeps_the_recording_and_is_overseen(
    bad: Callable[[DutyBench], str], words: str, seen: str
) -> None:
    bench = on_scene()
    recording = bench.state["recording"]
    assert words in bad(bench)
    assert (bench.state["recording"], seen in overseen(bench)) == (recording, True)


def test_a_policy_past_its_end_labels_the_recording_and_is_overseen() -> None:
    yesterday = DutyBench().now().wall - timedelta(days=1)
    bench = on_scene(policy(RULES, effective_until=yesterday), policy(DisclosureKind.RECORDING_LIST))
    assert bench.state["recording"]
    assert "设备上的清单已过期" in overseen(bench)


def test_a_step_marked_twice_counts_once_and_the_second_mark_is_kept() -> None:
    bench = on_scene()
    first, second = bench.ask(What.STEP, step=STEPS[0]), bench.ask(What.STEP, step=STEPS[0])
    assert "第 2 次标记" not in first["text"]
    assert "第 2 次标记，前次保留" in second["text"]
    assert bench.state["steps_missing"] == list(STEPS[1:])
    assert [data["repeated"] for kind, data in bench.told if kind.value == "liuhen.duty.step-marked.v1"] == [0, 1]


def test_an_unset_clock_is_a_label_on_everything_that_is_recorded() -> None:
    bench = DutyBench()
    bench.state_of_clock = TimeState.UNSET
    bench.take_out(FIRST, SECOND)
    bench.pick()
    recording = bench.record()
    assert (bench.state["recording"], UNIT) == (recording, bench.state["task"]["unit"])
    assert "设备时钟未校准" in overseen(bench)
