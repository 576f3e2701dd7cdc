"""Two officers on scene with a real daemon: take-out, task, steps, code; told by the centre and the verifier."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.duty.asks import What
from agent.duty.documents import check_against_paper
from agent.duty.enrolment import pin_record
from agent.duty.identity_code import check_code
from agent.duty.key_content import open_sheet
from agent.duty.papers import parse_paper
from agent.duty.party_receipt import open_receipt
from agent.duty.roster import parse_roster
from agent.wire.device_events import EventType
from agent.wire.disclosures import DisclosureKind
from firmware_hooks.simulated_mcu import SimulatedMcu
from firmware_hooks.simulated_printer import SimulatedPrinter
from tests.agent.test_app import Site
from tests.agent.test_officer_end_to_end import verified
from tests.support.broker import needs_mosquitto
from tests.support.center import until
from tests.support.clocks import SteppedClock
from tests.support.documents import signed
from tests.support.duty import FIELDS, FIRST, SECOND, STEPS, Duty, personnel, recording_list, task
from tests.support.policies import policy

RECORDING = "REC-0001-R000001"
NAME = "示例当事人甲"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with SimulatedMcu() as mcu, SimulatedPrinter() as printer:
        made = Site(tmp_path, mcu)
        made.printer = printer
        text = made.config.read_text()
        made.config.write_text(text.replace("[hooks]\n", f'[hooks]\nprinter = "{printer.device}"\n'))
        disclosed = made.state / "disclosed"
        disclosed.mkdir(parents=True)
        for document in (personnel(), recording_list(), policy(DisclosureKind.DOCUMENT_TEMPLATES)):
            sealed = signed(document, made.keys.editor.signer, made.keys.reviewer.signer)
            (disclosed / f"{document.kind}.{document.disclosure_id}.dsse").write_bytes(sealed)
        yield made
        made.end()


def told(site: Site, kind: EventType) -> list[dict[str, Any]]:
    return [dict(event.data) for event, _ in site.center.events.values() if event.type is kind]


def papers_of_the_scene(site: Site, duty: Duty, tmp_path: Path) -> tuple[str, str]:
    """A document and a receipt, made and printed by the commands, refused and confirmed; their numbers."""
    fields = tmp_path / "fields.json"
    fields.write_text(json.dumps({**FIELDS, "依据": ""}, ensure_ascii=False))
    new = ("document", "new", "现场检查笔录", "--fields", str(fields))
    assert "缺少必填项：依据" in duty.run(*new, fails=2)
    shown = duty.run(*new, "--field", "依据=《示例条例》第十条", "--print")
    (paper,) = (parse_paper(place.read_bytes()) for place in site.state.glob("papers/document-*.json"))
    assert f"已打印 {paper.number}" in shown
    site.printer.feed()
    (code,) = site.printer.codes()
    assert check_against_paper(paper.text, code) == paper.number
    on_paper = "".join(site.printer.lines())
    assert all(line in on_paper for line in paper.text.split("\n"))
    duty.ask(What.SERVE, served="当事人拒签")
    duty.run("receipt", "new")
    receipt, (note,) = duty.state()["papers"][-1], site.state.glob("papers/receipt-*.json")
    opened = open_receipt(parse_paper(note.read_bytes()).code, site.keys.trust, site.keys.authority.district)
    assert (opened.name, opened.recording) == (receipt["number"], RECORDING)
    duty.ask(What.CONFIRM, served="当事人签收", name=NAME)
    return paper.number, opened.name


def key_content(site: Site, duty: Duty, tmp_path: Path) -> str:
    """The sheet, drafted into a file, worded and signed by the commands; its hash."""
    file, pdf = tmp_path / "sheet.txt", tmp_path / "sheet.pdf"
    until(lambda: duty.ask(What.SHEET_DRAFT), "the recording's end is kept")
    duty.run("keycontent", "draft", "--out", str(file))
    assert "尚未填写" in duty.run("keycontent", "sign", str(file), fails=2)
    file.write_text(file.read_text().replace("说明：\n", "说明：出示证件，当事人知悉\n"))
    signed = json.loads(duty.run("keycontent", "sign", str(file), "--json"))
    envelope = parse_paper((site.state / f"papers/{signed['name']}.json").read_bytes()).envelope
    assert len(open_sheet(envelope.encode(), site.keys.trust).sheet.lines) == 3
    duty.run("keycontent", "show", "--out", str(pdf))
    assert pdf.read_bytes().startswith(b"%PDF")
    return str(signed["digest"])


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
    number, receipt = papers_of_the_scene(site, duty, tmp_path)
    site.mcu.press()
    folder = site.state / "recordings" / RECORDING
    until(lambda: (folder / "SHA256SUMS.p7s").exists(), "the seal")
    assert duty.state()["asking_reason"] == RECORDING
    sheet = key_content(site, duty, tmp_path)
    assert "2 项" in duty.ask(What.REASON, reason="当事人拒绝陈述，文书另行送达")
    assert "已结束" in duty.ask(What.END)
    until(lambda: told(site, EventType.TASK_ENDED), "the end of the task at the centre")
    assert daemon.stop() == 0

    lines = verified(folder, site)["layers"]["duty"]["lines"]
    assert any("任务：T-2026-0001" in line for line in lines)
    assert sum(line.startswith("执法人员") for line in lines) == 2
    labels = [line for line in lines if line.startswith("标注")]
    assert labels in ([], ["标注：clock-unset 设备时钟未校准"])  # as the clock of this computer is
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
    assert any(f"文书：出具 {number}" in line for line in lines)
    assert any(f"回执：{receipt}" in line for line in lines)
    assert any("当事人确认：当事人签收" in line and "P-7f3a" in line for line in lines)
    assert [it["served"] for it in told(site, EventType.DOCUMENT_SERVED)] == ["当事人拒签"]
    assert told(site, EventType.KEY_CONTENT_SIGNED)[0]["digest"] == sheet
    assert NAME not in json.dumps([dict(event.data) for event, _ in site.center.events.values()], ensure_ascii=False)
    checked = check_code(
        answer["code"], trust=site.keys.trust, now=SteppedClock().read().wall, place=site.keys.authority.district,
        roster=parse_roster(personnel().entries), clock_set=False,
    )  # fmt: skip
    assert (checked.officer is not None, checked.labels) == (True, ())
