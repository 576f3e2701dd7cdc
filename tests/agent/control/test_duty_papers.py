"""Papers on scene: fields left out, a full disk, numbers used twice, another task's paper, a name told, moved marks."""

import json
from datetime import timedelta
from typing import Any

import pytest

from agent.control.messages import AsksRead, FragmentStored, RecordingSealed
from agent.control.paper_acts import MakePaper, PaperNotMade, PaperNotPrinted, PrintPaper
from agent.duty.asks import Ask, What
from agent.duty.case_assembly import SeenRecording, assemble_case
from agent.duty.documents import check_against_paper
from agent.duty.identity_code import check_code
from agent.duty.key_content import check_sheet, open_sheet
from agent.duty.party_receipt import open_receipt
from agent.duty.shift import parse_shift
from agent.evidence.journal import CONFIRMED, DOCUMENT, RECEIPT
from agent.sheet_file import draft_text, read_words
from agent.wire import canonical
from agent.wire.device_events import GENESIS, DeviceEvent, EventType
from agent.wire.disclosures import DisclosureKind
from agent.wire.identifiers import RecordingId, parse_recording_id
from agent.wire.instant import BEIJING, TimeState
from tests.agent.duty.facts import BEGAN, RECORDING, recording
from tests.support.duty import EXPIRED, FIELDS, FIRST, SECOND, STEPS, UNIT, personnel, recording_list
from tests.support.duty_bench import KEYS, DutyBench
from tests.support.policies import policy

LISTS = (personnel(), recording_list(), policy(DisclosureKind.DOCUMENT_TEMPLATES))
NAME = "示例当事人甲"
DEEP = "[" * 20_000  # Python's own parser runs out of stack


def document(bench: DutyBench, template: str = "onsite-record", **changes: str) -> dict[str, Any]:
    return bench.ask(What.DOCUMENT, template=template, fields=json.dumps({**FIELDS, **changes}))


@pytest.fixture
def scene() -> DutyBench:
    """An officer with a task, recording; two fragments are on the disk and two steps are marked."""
    bench = DutyBench(LISTS)
    bench.take_out(FIRST)
    bench.pick()
    bench.record()
    for _ in range(2):
        bench.ask(What.STEP)
    return bench


def test_a_document_is_numbered_kept_told_and_linked_to_what_was_recorded(scene: DutyBench) -> None:
    made = document(scene)
    (told,) = scene.of(EventType.DOCUMENT_ISSUED)
    paper = scene.papers[made["name"]]
    assert made["number"] == "星综执检〔2026〕REC-0001-0001号" == check_against_paper(paper.text, made["code"])
    assert (told["digest"], told["task"], told["template"]) == (paper.digest, "T-2026-0001", "onsite-record.1")
    assert (told["recording"], told["first"], told["last"]) == ("REC-0001-R000001", 3, 3)
    assert any(kind == DOCUMENT and paper.digest[:16] in note for kind, note in scene.notes)
    assert NAME not in json.dumps(scene.told, ensure_ascii=False, default=str)


def test_a_document_travels_with_what_runs_or_with_the_last_recording_of_its_task(scene: DutyBench) -> None:
    beside: list[RecordingId | None] = []
    scene.disk = lambda order: beside.append(order.beside)
    document(scene)
    scene.seal(running(scene))
    document(scene)
    scene.ask(What.RECEIPT)  # the party has it on paper; it says nothing that the chain does not
    assert beside == ["REC-0001-R000001", "REC-0001-R000001", None]


@pytest.mark.parametrize(
    ("template", "changes", "said"),
    [
        ("onsite-record", {"依据": " "}, "缺少必填项：依据"),
        ("onsite-record", {"罚款": "100"}, "没有“罚款”项"),
        ("penalty", {}, "可选：onsite-record 现场检查笔录；rectify-notice"),
    ],
)
def test_a_document_that_cannot_be_made_out_uses_no_number(
    scene: DutyBench, template: str, changes: dict[str, str], said: str
) -> None:
    answer = document(scene, template, **changes)
    assert (said in answer["text"], answer["done"]) == (True, False)
    assert document(scene)["number"].endswith("-0001号")


def test_without_templates_the_officer_is_told_where_they_come_from() -> None:
    bench = DutyBench()
    assert "没有执法文书标准文本" in document(bench)["text"]


def test_fields_that_are_no_texts_are_refused(scene: DutyBench) -> None:
    for fields in ("{", "[]", '{"事由": 1}', DEEP):
        assert "名称=内容" in scene.ask(What.DOCUMENT, template="onsite-record", fields=fields)["text"]


@pytest.mark.parametrize("words", ["9" * 5_000, "²" * 3, "٣", "-1", "0", "99999"])
def test_a_number_of_no_step_is_refused_and_the_recording_goes_on(scene: DutyBench, words: str) -> None:
    """5 000 digits ended the agent while it recorded: Python itself refuses to read such a number."""
    answer = scene.ask(What.STEP, step=words)
    assert (answer["done"], "环节" in answer["text"]) == (False, True)
    assert scene.state["recording"]


def test_a_paper_that_the_disk_refuses_was_never_issued_and_its_number_is_gone(scene: DutyBench) -> None:
    scene.disk = lambda order: PaperNotMade(order.ask, "没有出具：存储卡已满。", order.name)
    assert document(scene)["text"] == "没有出具：存储卡已满。"
    assert (scene.of(EventType.DOCUMENT_ISSUED), scene.state["papers"]) == ([], [])
    scene.disk = lambda _: None
    assert document(scene)["number"].endswith("-0002号")


def test_a_device_that_forgot_its_numbers_goes_on_after_the_papers_in_its_folder(scene: DutyBench) -> None:
    taken = [PaperNotMade("", "编号已用过", "", 41)]

    def disk(order: MakePaper) -> PaperNotMade | None:
        return PaperNotMade(order.ask, taken.pop().detail, order.name, 41) if taken else None

    scene.disk = disk
    assert "编号已用过" in document(scene)["text"]
    assert document(scene)["number"].endswith("-0042号")


def test_two_documents_asked_for_at_once_have_two_numbers(scene: DutyBench) -> None:
    values = {"template": "onsite-record", "fields": json.dumps(FIELDS)}
    for name in "ab":
        scene.handle(AsksRead(Ask(name * 32, What.DOCUMENT, values).encode()))
    assert [it["number"][-5:] for it in scene.of(EventType.DOCUMENT_ISSUED)] == ["0001号", "0002号"]


def test_a_reprint_says_that_it_is_a_copy_and_a_restart_forgets_none(scene: DutyBench) -> None:
    number = document(scene)["number"]
    for _ in range(2):
        assert scene.ask(What.PRINT, number="0001")["done"]
    again = DutyBench(LISTS, scene.kept[-1])
    again.papers = scene.papers
    assert "副本第 2 次" in again.ask(What.PRINT, number=number)["text"]
    original, copy = scene.slips
    assert (copy[0], copy[1:]) == ("【副本】第 1 次重印，内容与原件相同", original)
    assert again.slips[0][0].startswith("【副本】第 2 次")


def test_a_slip_that_did_not_come_out_is_still_the_original_the_next_time(scene: DutyBench) -> None:
    document(scene)
    number = scene.state["papers"][0]["number"]
    scene.handle(PaperNotPrinted("f" * 32, number, "打印机连接不上。"))
    assert "没有打印" in scene.state["answers"]["f" * 32]["text"]
    assert "副本" not in scene.ask(What.PRINT)["text"]


def test_what_became_of_a_document_is_told_with_the_fragments_that_show_it(scene: DutyBench) -> None:
    assert "还没有出具" in DutyBench(LISTS).ask(What.SERVE, served="当事人拒签", number="0001")["text"]
    number = document(scene)["number"]
    assert "送达情况应为" in scene.ask(What.SERVE, served="不知道")["text"]
    assert scene.ask(What.SERVE, served="当事人拒签")["done"]
    assert "此前登记为当事人拒签" in scene.ask(What.SERVE, served="当事人签收", number=number)["text"]
    told = scene.of(EventType.DOCUMENT_SERVED)
    assert [(it["number"], it["served"]) for it in told] == [(number, "当事人拒签"), (number, "当事人签收")]
    assert (told[0]["recording"], told[0]["first"]) == ("REC-0001-R000001", 3)


def test_a_document_of_another_task_is_not_served_in_this_one(scene: DutyBench) -> None:
    document(scene)
    scene.ask(What.END)
    scene.pick(task="T-2026-0002")
    assert "属于任务 T-2026-0001" in scene.ask(What.SERVE, served="当事人签收")["text"]
    assert scene.of(EventType.DOCUMENT_SERVED) == []


def test_a_receipt_names_the_head_of_what_is_on_the_disk(scene: DutyBench) -> None:
    made = scene.ask(What.RECEIPT)
    receipt = open_receipt(made["code"], KEYS.trust, KEYS.authority.district)
    (told,) = scene.of(EventType.RECEIPT_ISSUED)
    assert (told["code"], told["head"], told["last"]) == (receipt.short_code, GENESIS, 2)
    assert (receipt.name, receipt.recording, receipt.task) == ("REC-0001-H000001", "REC-0001-R000001", "T-2026-0001")
    assert any(kind == RECEIPT and receipt.name in note for kind, note in scene.notes)
    assert "录制刚开始" in _just_pressed().ask(What.RECEIPT)["text"]


def _just_pressed() -> DutyBench:
    bench = DutyBench()
    assert "还没有录制" in bench.ask(What.RECEIPT)["text"]
    bench.press()
    return bench


def test_a_receipt_after_the_end_is_of_the_recording_that_was_sealed_even_after_a_restart(scene: DutyBench) -> None:
    scene.seal(running(scene))
    again = DutyBench(LISTS, scene.kept[-1])
    made = again.ask(What.RECEIPT)
    receipt = open_receipt(made["code"], KEYS.trust, KEYS.authority.district)
    assert (receipt.recording, receipt.last, receipt.task) == ("REC-0001-R000001", 2, "T-2026-0001")


def running(bench: DutyBench) -> RecordingId:
    return parse_recording_id(bench.state["recording"])


def test_a_partys_name_stays_on_the_device_and_only_its_salted_hash_is_told(scene: DutyBench) -> None:
    assert "还没有出具回执" in scene.ask(What.CONFIRM, served="当事人签收", name=NAME)["text"]
    scene.ask(What.RECEIPT)
    assert "--name" in scene.ask(What.CONFIRM, served="当事人签收")["text"]
    first, second = (scene.ask(What.CONFIRM, served="当事人签收", name=NAME) for _ in range(2))
    told = scene.of(EventType.PARTY_CONFIRMED)
    assert [it["party"] for it in told] == ["P-7f3a"] * 2
    assert len({it["signature"] for it in told}) == 2
    everything = json.dumps([scene.told, scene.notes, scene.state], ensure_ascii=False, default=str)
    assert NAME not in everything
    paper = scene.papers[first["name"]]
    assert NAME in paper.text
    assert told[0]["signature"] in paper.text
    assert (first["number"], second["number"]) == ("REC-0001-Q000001", "REC-0001-Q000002")
    assert NAME not in scene.kept[-1].encode().decode()
    assert any(kind == CONFIRMED and "P-7f3a" in note for kind, note in scene.notes)


def test_an_older_receipt_is_confirmed_by_its_number_and_a_document_is_none(scene: DutyBench) -> None:
    first, second = (scene.ask(What.RECEIPT)["number"] for _ in range(2))
    number = document(scene)["number"]
    for receipt in (first, ""):
        assert scene.ask(What.CONFIRM, served="当事人拒签", receipt=receipt)["done"]
    assert [it["receipt"] for it in scene.of(EventType.PARTY_CONFIRMED)] == [first, second]
    assert "还没有出具回执" in scene.ask(What.CONFIRM, served="当事人拒签", receipt=number)["text"]


def test_a_party_may_sign_the_paper_or_refuse(scene: DutyBench) -> None:
    receipt = scene.ask(What.RECEIPT)["number"]
    assert "没有编号" in scene.ask(What.CONFIRM, served="当事人签收", paper="REC-0001-H000099")["text"]
    assert scene.ask(What.CONFIRM, served="当事人签收", paper=receipt)["done"]
    assert scene.ask(What.CONFIRM, served="当事人拒签")["done"]
    assert "之一" in scene.ask(What.CONFIRM, served="未送达")["text"]
    told = scene.of(EventType.PARTY_CONFIRMED)
    assert [(it["served"], it["paper"], it["signature"]) for it in told] == [
        ("当事人签收", receipt, ""), ("当事人拒签", "", ""),
    ]  # fmt: skip


def test_an_unset_clock_stands_on_every_paper_and_stops_none(scene: DutyBench) -> None:
    scene.state_of_clock = TimeState.UNSET
    names = [document(scene)["name"], scene.ask(What.RECEIPT)["name"]]
    names.append(scene.ask(What.CONFIRM, served="当事人拒签")["name"])
    assert all("时钟未校准" in scene.papers[name].text for name in names)


def test_a_code_on_a_slip_is_whole_says_when_it_ends_and_is_kept_nowhere(scene: DutyBench) -> None:
    answer = scene.ask(What.SHOW_IDENTITY, print="yes")
    assert (answer["done"], "已打印 身份码" in answer["text"]) == (True, True)
    (slip,) = scene.slips
    (order,) = [effect for effect in scene.seen if isinstance(effect, PrintPaper)]
    assert order.paper is not None
    checked = check_code(
        order.paper.code, trust=KEYS.trust, now=scene.now().wall, place=KEYS.authority.district, roster=None
    )
    assert checked.code.certificate == FIRST
    assert any(line.startswith("有效至 ") for line in slip)
    assert any("示例甲123" in line for line in slip)
    assert (scene.papers, scene.state["papers"]) == ({}, [])
    assert len(scene.of(EventType.IDENTITY_SHOWN)) == 1


def test_a_slip_of_a_code_says_that_a_clock_is_not_set(scene: DutyBench) -> None:
    scene.state_of_clock = TimeState.UNSET
    scene.ask(What.SHOW_IDENTITY, print="yes")
    assert any("时钟未校准" in line for line in scene.slips[0])


def worded(answer: dict[str, Any]) -> str:
    return json.dumps([[f"内容 {number}", ""] for number, _ in enumerate(answer["lines"])], ensure_ascii=False)


def test_a_sheet_speaks_of_exactly_the_fragments_that_the_centre_finds(scene: DutyBench) -> None:
    assert "正在录制" in scene.ask(What.SHEET_DRAFT)["text"]
    scene.handle(FragmentStored(running(scene), 1, 3, GENESIS, scene.now(), 500, 1000))
    scene.ask(What.STEP)
    scene.seal(running(scene), 5)
    draft = scene.ask(What.SHEET_DRAFT)
    spans = [(line["step"], line["first"], line["last"]) for line in draft["lines"]]
    assert spans == [(STEPS[0], 3, 3), (STEPS[1], 3, 3), (STEPS[2], 4, 5)]
    made = scene.ask(What.SHEET_SIGN, draft=draft["draft"], lines=worded(draft))
    (told,) = scene.of(EventType.KEY_CONTENT_SIGNED)
    signed = open_sheet(scene.papers[made["name"]].envelope.encode(), KEYS.trust)
    assert (signed.digest, signed.sheet.author) == (told["digest"], FIRST)
    seen = SeenRecording(recording(head=GENESIS, fragments=5), (), {})
    facts = assemble_case("T-2026-0001", [event(*it) for it in enumerate(scene.told)], {RECORDING: seen})
    assert (len(facts.steps), check_sheet(signed, facts)) == (3, signed)


def event(at: int, told: tuple[EventType, Any]) -> DeviceEvent:
    moment = BEGAN + timedelta(seconds=at)
    data = canonical.decode(canonical.encode(told[1]))
    place, device = KEYS.authority.district, KEYS.device
    return DeviceEvent(place, device, at + 1, GENESIS, f"e{at}", told[0], "boot", at, moment, TimeState.NTP, data)


def test_a_correction_follows_the_sheet_before_it(scene: DutyBench) -> None:
    scene.seal(running(scene))
    for version in (1, 2):
        draft = scene.ask(What.SHEET_DRAFT)
        assert draft["version"] == version
        assert scene.ask(What.SHEET_SIGN, draft=draft["draft"], lines=worded(draft))["done"]
    first, second = (open_sheet(scene.papers[f"key-content-{n:06d}"].envelope.encode(), KEYS.trust) for n in (1, 2))
    assert second.sheet.previous == first.digest


def test_a_sheet_is_worded_by_nobody_who_was_not_there(scene: DutyBench) -> None:
    """`--author 编造的人` was signed by the device."""
    scene.seal(running(scene))
    for author in ("编造的人", "示例-000999"):
        draft = scene.ask(What.SHEET_DRAFT, author=author)
        assert ("不是本任务的执法人员" in draft["text"], FIRST in draft["text"], draft["done"]) == (True, True, False)
    draft = scene.ask(What.SHEET_DRAFT, author=SECOND)  # of the task, without the device
    sign = {"draft": draft["draft"], "lines": worded(draft)}
    assert not scene.ask(What.SHEET_SIGN, author="编造的人", **sign)["done"]
    made = scene.ask(What.SHEET_SIGN, author=SECOND, **sign)
    sheet = open_sheet(scene.papers[made["name"]].envelope.encode(), KEYS.trust).sheet
    assert (sheet.author, draft["author"]) == (SECOND, SECOND)
    assert len(scene.of(EventType.KEY_CONTENT_SIGNED)) == 1


def test_who_had_the_device_may_word_the_sheet_after_handing_it_in(scene: DutyBench) -> None:
    scene.take_out(EXPIRED)
    scene.press()
    scene.ask(What.HAND_IN, certificate=EXPIRED)  # before the recording is sealed
    recording = parse_recording_id("REC-0001-R000001")
    scene.handle(RecordingSealed(recording, 1, 2, GENESIS, 1000, 9, "stopped", False, 0, scene.now()))
    scene.ask(What.END)
    scene.ask(What.HAND_IN, certificate=FIRST)
    again = DutyBench(LISTS, scene.kept[-1])
    assert f"--author 写明制作人的执法证件编号（{FIRST}、{EXPIRED}、{SECOND}）" in again.ask(What.SHEET_DRAFT)["text"]
    assert again.ask(What.SHEET_DRAFT, author=EXPIRED)["done"]


def test_a_range_or_a_step_that_was_edited_in_the_draft_is_told_and_not_signed(scene: DutyBench) -> None:
    """Both were swallowed: the writer believed that the sheet said what stood in the file."""
    scene.seal(running(scene))
    draft = scene.ask(What.SHEET_DRAFT)
    text = draft_text(draft).replace("说明：\n", "说明：当事人知悉\n")
    for before, after, said in (
        ("第 3 至 3 段", "第 3 至 9 段", "第 1 段的时间段或环节被改动"),
        (STEPS[1], "听取申辩", "第 2 段的时间段或环节被改动"),
        ("第 1 版", "第 7 版", "首行被改动"),
    ):
        assert before in text
        assert said in scene.ask(What.SHEET_SIGN, **read_words(text.replace(before, after)))["text"]
    assert scene.of(EventType.KEY_CONTENT_SIGNED) == []
    assert scene.ask(What.SHEET_SIGN, **read_words(text))["done"]


def test_a_draft_that_was_signed_before_says_so_instead_of_speaking_of_changes(scene: DutyBench) -> None:
    scene.seal(running(scene))
    for version in (1, 2):
        draft = scene.ask(What.SHEET_DRAFT)
        sign = {"draft": draft["draft"], "lines": worded(draft)}
        scene.ask(What.SHEET_SIGN, **sign)
        assert f"已经签名，即 T-2026-0001-K{version}。" in scene.ask(What.SHEET_SIGN, **sign)["text"]
    assert [it["replaced_by"] for it in scene.state["papers"]] == ["T-2026-0001-K2", ""]


def test_a_printed_sheet_says_of_which_day_and_unit_it_is_and_when_it_was_made(scene: DutyBench) -> None:
    scene.state_of_clock = TimeState.UNSET
    scene.seal(running(scene))
    draft = scene.ask(What.SHEET_DRAFT)
    made = scene.ask(What.SHEET_SIGN, draft=draft["draft"], lines=worded(draft))
    paper = scene.papers[made["name"]]
    day = f"{scene.now().wall.astimezone(BEIJING):%Y-%m-%d}"
    assert all(word in paper.text for word in (f"单位：{UNIT}", f"记录时间：{day} ", f"制作时间：{day} ", "时钟未校准"))
    sheet = open_sheet(paper.envelope.encode(), KEYS.trust).sheet
    assert (sheet.unit, sheet.clock_set) == (UNIT, False)


def test_a_recording_is_of_the_task_in_hand_when_it_stopped_whatever_is_picked_before_its_seal() -> None:
    """A task picked between the press and the seal was signed into the receipt of a film that was never of it."""
    bench = DutyBench(LISTS)
    recording = bench.record()
    bench.press()
    bench.pick()
    bench.handle(RecordingSealed(recording, 1, 2, GENESIS, 1000, 9, "stopped", False, 0, bench.now()))
    receipt = open_receipt(bench.ask(What.RECEIPT)["code"], KEYS.trust, KEYS.authority.district)
    assert (receipt.recording, receipt.task) == (recording, "")


def test_a_recording_whose_task_ended_before_the_press_is_still_of_that_task(scene: DutyBench) -> None:
    """The officer's page showed no task beside it."""
    scene.ask(What.END)
    scene.seal(running(scene))
    assert scene.state["recordings"]["REC-0001-R000001"] == {"steps_missing": list(STEPS[2:]), "task": "T-2026-0001"}
    receipt = open_receipt(scene.ask(What.RECEIPT)["code"], KEYS.trust, KEYS.authority.district)
    assert receipt.task == "T-2026-0001"


def test_words_that_were_written_for_other_marks_are_not_signed(scene: DutyBench) -> None:
    scene.seal(running(scene))
    draft = scene.ask(What.SHEET_DRAFT)
    sign = {"draft": draft["draft"], "lines": worded(draft)}
    assert "尚未填写" in scene.ask(What.SHEET_SIGN, **{**sign, "lines": '[["", ""], ["a", ""]]'})["text"]
    assert "不要增删行" in scene.ask(What.SHEET_SIGN, **{**sign, "lines": '[["a", ""]]'})["text"]
    assert "无法读取" in scene.ask(What.SHEET_SIGN, **{**sign, "lines": DEEP})["text"]
    assert "无法读取" in scene.ask(What.SHEET_SIGN, **{**sign, "lines": '{"a": 1}'})["text"]
    second = scene.record(2)
    scene.ask(What.STEP)
    scene.seal(second)
    assert "有变化，未签名" in scene.ask(What.SHEET_SIGN, **sign)["text"]
    assert scene.of(EventType.KEY_CONTENT_SIGNED) == []


def test_without_marks_there_is_nothing_to_word() -> None:
    assert "没有可说明的环节" in DutyBench().ask(What.SHEET_DRAFT)["text"]


def test_a_shift_that_was_kept_before_there_were_papers_is_still_read(scene: DutyBench) -> None:
    old = canonical.decode(scene.kept[-1].encode())
    del old["papers"], old["closed"]
    assert parse_shift(canonical.encode(old)).task == scene.kept[-1].task
