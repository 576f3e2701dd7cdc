"""（一）6 规范文书出具: 告知行政相对人执法事由、执法依据、权利义务等内容, from the template to the paper."""

import json

import pytest

from agent.duty.asks import What
from agent.duty.documents import TOLD, Head, Template, check_against_paper, document_number, fill, slip_lines
from agent.duty.policies import PolicyShelf
from agent.errors import OperatorFault
from agent.evidence.journal import DOCUMENT
from agent.wire.device_events import EventType
from agent.wire.disclosures import DisclosureKind
from agent.wire.identifiers import DeviceId
from firmware_hooks.slip_printer import compose_slip
from tests.support.duty import FIELDS, FIRST, SECOND, personnel, recording_list
from tests.support.duty_bench import DutyBench
from tests.support.policies import NOW, UNIT, policy

TEMPLATES = PolicyShelf(UNIT, [policy(DisclosureKind.DOCUMENT_TEMPLATES)]).in_force(NOW).templates
DEVICE = DeviceId("REC-0001")


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=list(TEMPLATES))
def test_clause_1_6_every_document_of_the_department_tells_reason_basis_and_rights_on_paper(template: Template) -> None:
    head = Head(document_number(template, 2026, DEVICE, 1), UNIT, "T-2026-0001", NOW)
    values = {name: f"示例{name}内容" for name in template.fields}
    for told in TOLD:
        with pytest.raises(OperatorFault, match=told):
            fill(template, head, {**values, told: ""})
    document = fill(template, head, values)
    slip = compose_slip(template.title, slip_lines(document), document.code)
    assert slip.missing == ""
    assert all(f"示例{told}内容".encode("gb18030") in slip.data for told in TOLD)
    assert check_against_paper(document.text, document.code) == head.number


def test_clause_1_6_on_scene_the_party_gets_it_on_paper_and_the_recording_says_when_and_what_became_of_it() -> None:
    bench = DutyBench((personnel(), recording_list(), policy(DisclosureKind.DOCUMENT_TEMPLATES)))
    bench.take_out(FIRST, SECOND)
    bench.pick()
    recording = bench.record()
    for told in TOLD:
        answer = bench.ask(What.DOCUMENT, template="onsite-record", fields=json.dumps({**FIELDS, told: ""}))
        assert told in answer["text"]
    number = bench.ask(What.DOCUMENT, template="onsite-record", fields=json.dumps(FIELDS))["number"]
    bench.ask(What.PRINT)
    (slip,) = bench.slips
    assert all(any(FIELDS[told] in line for line in slip) for told in TOLD)
    bench.ask(What.SERVE, served="当事人拒签")
    (served,) = bench.of(EventType.DOCUMENT_SERVED)
    assert (served["number"], served["served"], served["recording"]) == (number, "当事人拒签", recording)
    assert [note.split()[0] for kind, note in bench.notes if kind == DOCUMENT] == ["出具", "当事人拒签"]
