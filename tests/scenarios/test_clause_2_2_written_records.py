"""（二）2 规范文字记录: 纸质文书和电子文书一致: the paper, its number and the case agree."""

import json
from datetime import timedelta

import pytest

from agent.duty.asks import What
from agent.duty.case_assembly import assemble_case
from agent.duty.case_facts import DocumentFact, Served
from agent.duty.documents import Head, check_against_paper, document_number, fill
from agent.duty.key_content import check_sheet, draft_sheet, open_sheet, reworded, sign_sheet
from agent.duty.policies import PolicyShelf
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.device_events import GENESIS, DeviceEvent
from agent.wire.disclosures import DisclosureKind
from agent.wire.instant import TimeState
from agent.wire.trust import Role
from tests.agent.duty.facts import BEGAN, RECORDER, RECORDING, UNIT, case, span
from tests.support.duty import personnel, recording_list
from tests.support.duty_bench import KEYS, DutyBench
from tests.support.policies import NOW, policy
from tests.support.signers import NOW as SIGNED_AT
from tests.support.signers import holder, trusting

TEMPLATE = PolicyShelf(UNIT, [policy(DisclosureKind.DOCUMENT_TEMPLATES)]).in_force(NOW).templates["onsite-record"]
VALUES = {"事由": "日常检查", "依据": "《示例条例》第十条", "权利义务": "有权陈述申辩", "检查情况": "证照齐全"}


def test_clause_2_2_paper_and_electronic_copy_are_one_text_and_a_change_of_either_shows() -> None:
    number = document_number(TEMPLATE, 2026, RECORDER, 1)
    head = Head(number, UNIT, "T-2026-0001", BEGAN + timedelta(minutes=5), recording=RECORDING, first=600, last=640)
    document = fill(TEMPLATE, head, VALUES)
    fact = DocumentFact(number, TEMPLATE.name, TEMPLATE.title, document.digest, Served.SIGNED, span(600, 640))
    assert check_against_paper(document.text, document.code) == case(documents=(fact,)).documents[0].number
    with pytest.raises(SenderFault, match="不一致"):
        check_against_paper(document.text.replace("证照齐全", "无证经营"), document.code)


def test_clause_2_2_what_the_device_printed_is_what_the_case_at_the_centre_has() -> None:
    bench = DutyBench((personnel(), recording_list(), policy(DisclosureKind.DOCUMENT_TEMPLATES)))
    bench.pick()
    bench.record()
    made = bench.ask(What.DOCUMENT, template="onsite-record", fields=json.dumps(VALUES))
    bench.ask(What.SERVE, served="当事人签收")
    moments = [BEGAN + timedelta(seconds=at) for at in range(len(bench.told))]
    events = [
        DeviceEvent(KEYS.authority.district, KEYS.device, at + 1, GENESIS, f"e{at}", kind, "boot", at, moment,
                    TimeState.NTP, canonical.decode(canonical.encode(data)))
        for at, (moment, (kind, data)) in enumerate(zip(moments, bench.told, strict=True))
    ]  # fmt: skip
    (fact,) = assemble_case("T-2026-0001", events, {}).documents
    paper = bench.papers[made["name"]]
    assert check_against_paper(paper.text, paper.code) == fact.number
    assert (fact.digest, fact.served, fact.template) == (paper.digest, Served.SIGNED, "onsite-record.1")


def test_clause_2_2_a_recording_can_stand_for_a_written_record_by_its_signed_sheet_of_key_content() -> None:
    handler, facts = holder("示例-000001", Role.HANDLER, 41), case()
    sheet = draft_sheet(facts, handler.credential.subject, SIGNED_AT)
    for number in range(1, len(sheet.lines) + 1):
        sheet = reworded(sheet, number, "如录像所示")
    signed = open_sheet(sign_sheet(sheet, handler.signer), trusting(handler))
    assert check_sheet(signed, facts).signer == "示例-000001"
