"""Two officers on scene with a real daemon: take-out, task, steps, code; told by the centre and the verifier."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.duty.asks import What
from agent.duty.enrolment import pin_record
from agent.duty.identity_code import check_code
from agent.duty.roster import parse_roster
from agent.wire.device_events import EventType
from firmware_hooks.simulated_mcu import SimulatedMcu
from tests.agent.test_app import Site
from tests.agent.test_officer_end_to_end import verified
from tests.support.broker import needs_mosquitto
from tests.support.center import until
from tests.support.clocks import SteppedClock
from tests.support.documents import signed
from tests.support.duty import FIRST, SECOND, STEPS, Duty, personnel, recording_list, task

RECORDING = "REC-0001-R000001"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with SimulatedMcu() as mcu:
        made = Site(tmp_path, mcu)
        disclosed = made.state / "disclosed"
        disclosed.mkdir(parents=True)
        for document in (personnel(), recording_list()):
            sealed = signed(document, made.keys.editor.signer, made.keys.reviewer.signer)
            (disclosed / f"{document.kind}.{document.disclosure_id}.dsse").write_bytes(sealed)
        yield made
        made.end()


def told(site: Site, kind: EventType) -> list[dict[str, Any]]:
    return [dict(event.data) for event, _ in site.center.events.values() if event.type is kind]


@needs_mosquitto
def test_five_steps_of_two_officers_stand_in_the_recording_and_at_the_centre(site: Site, tmp_path: Path) -> None:
    site.up()
    daemon, duty = site.daemon().ready(), Duty(site.config)
    for certificate in (FIRST, SECOND):
        duty.ask(What.ENROL, certificate=certificate, pin=pin_record("135790", b"salt"))
        assert "已领用" in duty.ask(What.TAKE_OUT, certificate=certificate, pin="135790")
    file = tmp_path / "task.json"
    file.write_text(json.dumps(task(), ensure_ascii=False))
    assert "应录环节 5 项" in duty.run("task", "pick", str(file))
    assert "没有在录制" in duty.run("step", fails=2)

    site.mcu.press()
    until(lambda: site.segment_bytes() > 20_000, "some fragments are on the disk")
    answer = json.loads(duty.run("identity", "--json"))
    for _ in range(2):
        assert "已标记" in duty.ask(What.STEP)
    assert "第 2 次标记" in duty.ask(What.STEP, step=STEPS[1])
    assert f"[未标记] 4 {STEPS[3]}" in duty.run("task", "show")
    assert duty.state()["steps_missing"] == list(STEPS[3:])
    site.mcu.press()
    folder = site.state / "recordings" / RECORDING
    until(lambda: (folder / "SHA256SUMS.p7s").exists(), "the seal")
    assert duty.state()["asking_reason"] == RECORDING
    assert "2 项" in duty.ask(What.REASON, reason="当事人拒绝陈述，文书另行送达")
    assert "已结束" in duty.ask(What.END)
    until(lambda: told(site, EventType.TASK_ENDED), "the end of the task at the centre")
    assert daemon.stop() == 0

    lines = verified(folder, site)["layers"]["duty"]["lines"]
    assert any("任务：T-2026-0001" in line for line in lines)
    assert sum(line.startswith("执法人员") for line in lines) == 2
    labels = [line for line in lines if line.startswith("标注")]
    assert labels in ([], ["标注：clock-unset 时钟未校准"])  # as the clock of this computer is
    assert any(f"环节 {STEPS[1]}" in line and "共标记 2 次" in line for line in lines)
    assert f"应录环节未标记 2 项：{'、'.join(STEPS[3:])}。" in lines

    marks = told(site, EventType.STEP_MARKED)
    assert [(mark["step"], mark["repeated"]) for mark in marks] == [
        (STEPS[0], 0), (STEPS[1], 0), (STEPS[2], 0), (STEPS[1], 1),
    ]  # fmt: skip
    assert {mark["recording"] for mark in marks} == {RECORDING}
    (ended,) = told(site, EventType.TASK_ENDED)
    assert (ended["missing"], set(ended["reasons"])) == (list(STEPS[3:]), set(STEPS[3:]))
    assert told(site, EventType.IDENTITY_SHOWN)[0]["certificate"] == FIRST
    checked = check_code(
        answer["code"], trust=site.keys.trust, now=SteppedClock().read().wall, place=site.keys.authority.district,
        roster=parse_roster(personnel().entries), clock_set=False,
    )  # fmt: skip
    assert (checked.officer is not None, checked.labels) == (True, ())
