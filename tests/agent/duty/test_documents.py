"""Documents: fields left out, values that would steer the paper, reprints, paper against the electronic copy."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.duty.case_assembly import SeenRecording, assemble_case
from agent.duty.case_facts import Served
from agent.duty.documents import (
    Document,
    Head,
    check_against_paper,
    document_number,
    fill,
    parse_templates,
    served_as,
    served_data,
    slip_lines,
)
from agent.duty.party_confirmation import confirmed_data
from agent.duty.policies import PolicyShelf
from agent.errors import OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.device_events import GENESIS, DeviceEvent, EventType
from agent.wire.disclosures import DisclosureKind
from agent.wire.identifiers import District
from agent.wire.instant import TimeState
from firmware_hooks.slip_printer import KANJI_OFF, KANJI_ON, compose_slip
from tests.agent.duty.facts import BEGAN, RECORDER, RECORDING, UNIT, digest_of, recording
from tests.support.policies import NOW, entries_of, policy

KIND = DisclosureKind.DOCUMENT_TEMPLATES
TEMPLATES = PolicyShelf(UNIT, [policy(KIND, 3)]).in_force(NOW).templates
ONSITE = TEMPLATES["onsite-record"]
NUMBER = document_number(ONSITE, 2026, RECORDER, 7)
HEAD = Head(NUMBER, UNIT, "T-2026-0001", NOW, recording=RECORDING, first=600, last=640)
VALUES = {"事由": "日常检查", "依据": "《示例条例》第十条", "权利义务": "有权陈述申辩", "检查情况": "证照齐全"}


def made(**values: str) -> Document:
    return fill(ONSITE, HEAD, {**VALUES, **values})


def entry(**changes: Any) -> dict[str, Any]:
    return {**entries_of(KIND)[0], **changes}


def test_the_template_of_a_document_is_known_with_the_version_of_its_policy() -> None:
    assert (ONSITE.name, NUMBER) == ("onsite-record.3", "星综执检〔2026〕REC-0001-0007号")


@pytest.mark.parametrize("field", ["事由", "依据", "权利义务", "检查情况"])
@pytest.mark.parametrize("value", ["", " \n "])
def test_a_document_without_a_required_field_is_not_made_out(field: str, value: str) -> None:
    with pytest.raises(OperatorFault, match=f"缺少必填项：{field}"):
        made(**{field: value})


@pytest.mark.parametrize("field", ["事由", "依据", "权利义务"])
def test_a_template_that_does_not_tell_reason_basis_and_rights_is_refused(field: str) -> None:
    rest = [name for name in ("事由", "依据", "权利义务", "检查情况") if name != field]
    with pytest.raises(SenderFault, match=f"没有{field}"):
        parse_templates([entry(必填项=rest)])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"模板编号": "A b"}, "小写字母"),
        ({"必填项": ["事由", "依据", "权利义务", "没有的"]}, "没有必填项 没有的"),
        ({"字号": "含 空格"}, "字号"),
    ],
)
def test_a_template_that_cannot_be_filled_or_numbered_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SenderFault, match=said):
        parse_templates([entry(**changes)])
    with pytest.raises(SenderFault, match="重复"):
        parse_templates([entry(), entry()])


def test_a_field_that_the_template_does_not_have_is_named() -> None:
    with pytest.raises(OperatorFault, match="没有“罚款”项"):
        made(罚款="100")


def test_a_value_cannot_pass_for_a_line_or_a_field_of_the_template() -> None:
    text = made(检查情况="一\n文号：伪造\n{事由}").text
    assert [line for line in text.split("\n") if line.startswith("文号：")] == [f"文号：{NUMBER}"]
    assert "{事由}" in text
    with pytest.raises(OperatorFault, match="特殊符号"):
        made(事由="a\x1bb")
    with pytest.raises(OperatorFault, match="1000"):
        made(事由="长" * 1001)


def test_an_optional_field_that_was_left_empty_is_said_to_be_empty() -> None:
    (template,) = parse_templates([entry(必填项=["事由", "依据", "权利义务"])])
    rest = {name: value for name, value in VALUES.items() if name != "检查情况"}
    assert "检查情况：无" in fill(template, HEAD, rest).text


def printed(document: Document, reprint: int = 0) -> bytes:
    return compose_slip(document.template.title, slip_lines(document, reprint), document.code).data


def on_paper(data: bytes) -> str:
    """The text between the printer's Kanji marks, joined: the printer broke lines, not words."""
    parts = re.findall(re.escape(KANJI_ON) + b"(.*?)" + re.escape(KANJI_OFF), data, re.DOTALL)
    return "".join(part.decode("gb18030") for part in parts)


def test_a_reprint_is_the_same_bytes_or_says_that_it_is_a_copy() -> None:
    assert printed(made()) == printed(made())
    copy = printed(made(), 2)
    assert copy != printed(made())
    assert "【副本】第 2 次重印" in on_paper(copy)
    assert "副本" not in on_paper(printed(made()))


def test_what_is_on_paper_is_the_whole_text_with_its_hash() -> None:
    document = made(检查情况="一\n二\u3000三")
    paper = on_paper(printed(document))
    assert all(line in paper for line in document.text.split("\n"))
    assert document.digest in paper
    assert "〓" not in paper
    assert document.code.encode() in printed(document)


def test_paper_that_differs_from_the_electronic_copy_is_found() -> None:
    document = made()
    assert check_against_paper(document.text, document.code) == NUMBER
    for text in (made(检查情况="改过").text, document.text.replace(NUMBER, NUMBER.replace("0007", "0008"))):
        with pytest.raises(SenderFault, match="不一致"):
            check_against_paper(text, document.code)
    other = document.code.replace("0007", "0008")
    with pytest.raises(SenderFault, match="不一致"):
        check_against_paper(document.text, other)
    with pytest.raises(SenderFault, match="不是执法文书"):
        check_against_paper(document.text, "LR1.a.b")


def test_a_document_of_an_unset_clock_or_without_a_recording_says_so() -> None:
    text = fill(ONSITE, replace(HEAD, clock_set=False, recording=None), VALUES).text
    assert "时钟未校准" in text
    assert "对应录像：未录像" in text


def event(at: int, kind: EventType, data: Any) -> DeviceEvent:
    moment = BEGAN + timedelta(minutes=at)
    values = canonical.decode(canonical.encode(data))
    return DeviceEvent(
        District("xinghe"), RECORDER, at + 1, GENESIS, f"e{at}", kind, "boot", at, moment, TimeState.NTP, values
    )


def test_the_centre_reads_from_the_events_what_was_made_out_served_and_confirmed() -> None:
    document, task = made(), "T-2026-0001"
    taken = {
        "category": "行政检查", "major": [], "matter": "示例", "party": "P-0001", "required": [], "retention": "2年",
        "task": task, "unit": UNIT,
    }  # fmt: skip
    told = [
        event(0, EventType.TASK_TAKEN, taken),
        event(1, EventType.DOCUMENT_ISSUED, document.as_data()),
        event(2, EventType.DOCUMENT_SERVED, served_data(task, NUMBER, served_as("当事人拒签"))),
        event(3, EventType.PARTY_CONFIRMED, confirmed_data(task, Served.SIGNED, RECORDING, digest_of("head"), "")),
    ]
    facts = assemble_case(task, told, {RECORDING: SeenRecording(recording(), (), {})})
    (fact,) = facts.documents
    assert (fact.number, fact.template, fact.digest) == (NUMBER, "onsite-record.3", document.digest)
    assert (fact.served, facts.confirmation) == (Served.REFUSED, Served.SIGNED)
    assert fact.span is not None
    assert (fact.span.first, fact.span.last) == (600, 640)


def test_words_and_numbers_that_the_rules_do_not_know_are_refused() -> None:
    with pytest.raises(OperatorFault, match="送达情况应为"):
        served_as("不知道")
    with pytest.raises(OperatorFault, match="不合格式"):
        served_data("T-1", "1号", Served.SIGNED)
