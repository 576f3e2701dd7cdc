"""The on-scene inspection of the rehearsal: real recorder, broker, centre, kiosk and review, and what the recorder's
button, card reader and printer (pseudo-terminals) were told."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from agent.duty.documents import check_against_paper
from agent.duty.party_receipt import open_receipt
from agent.duty.policies import POLICIES
from agent.evidence.bmff import Source
from agent.evidence.journal import STEP
from agent.evidence.recovery import examine
from agent.wire.disclosures import POLICY_KINDS
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import District
from agent.wire.signing import load_pem_certificates
from firmware_hooks.simulated_printer import SimulatedPrinter
from provisioning.center.review_packet import check_packet
from provisioning.rehearsal.district import OFFICERS
from tests.scenarios.rehearsing import REHEARSAL, heads

STEPS = ["表明身份、出示证件", "说明事由和依据", "告知权利义务", "听取陈述申辩", "制作并送达文书"]
pytestmark = REHEARSAL


@pytest.fixture
def facts(told: dict[str, Any]) -> dict[str, Any]:
    """The facts that the centre put together for the review."""
    found: dict[str, Any] = json.loads((Path(told["review"]["packet"]) / "facts.json").read_text(encoding="utf-8"))
    return found


def test_five_steps_of_the_signed_list_stand_in_the_recording_itself(told: dict[str, Any]) -> None:
    inspection = told["inspection"]
    assert (inspection["marked"], inspection["required"]) == (STEPS, STEPS)
    lines = (Path(inspection["path"]) / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    events = [event for line in lines for event in json.loads(line)["events"]]
    assert [event["note"] for event in events if event["kind"] == STEP] == STEPS


def test_every_recording_says_which_rules_held(told: dict[str, Any]) -> None:
    films = [Path(told["inspection"]["path"]) / "segment-0001.mp4", Path(told["recordings"][0]["path"])]
    for film in films:
        origin = examine(Source.of_bytes(film.read_bytes())).origin
        assert origin is not None
        named = {policy.partition(".")[0] for policy in str(origin.context[POLICIES]).split()}
        assert named == {*POLICY_KINDS, "personnel-list"}


def test_the_interruption_is_explained_and_its_reason_is_known_at_the_centre(
    told: dict[str, Any], facts: dict[str, Any]
) -> None:
    assert told["inspection"]["verdict"] == "explained-gap"
    assert [(gap["reason"], gap["explained"]) for gap in facts["gaps"]] == [("paused", True)]


def test_the_centre_has_two_licensed_officers_five_steps_and_a_major_decision(facts: dict[str, Any]) -> None:
    assert [(one["certificate"], one["labels"]) for one in facts["officers"]] == [(it, []) for it in OFFICERS]
    assert [step["step"] for step in facts["steps"]] == STEPS
    firsts = [step["span"]["first"] for step in facts["steps"]]
    assert firsts == sorted(firsts)  # two of them in one fragment where the disk was slow
    assert "决定事项：涉及公共安全的处罚决定" in facts["major"]
    assert facts["missing"] == []


def test_two_documents_are_served_and_refused_and_their_texts_are_those_of_the_scene(
    told: dict[str, Any], facts: dict[str, Any]
) -> None:
    assert [(one["title"], one["served"]) for one in facts["documents"]] == [
        ("现场检查笔录", "当事人签收"),
        ("责令改正通知书", "当事人拒签"),
    ]
    texts = [Path(path).read_bytes() for path in told["inspection"]["documents"]]
    assert [hashlib.sha256(text).hexdigest() for text in texts] == [one["digest"] for one in facts["documents"]]
    packet = Path(told["review"]["packet"])  # they came to the centre beside the recording, for the archive's key
    travelled = [(packet / "documents" / f"{one['number']}.txt").read_bytes() for one in facts["documents"]]
    assert travelled == texts
    page = (packet / "review.html").read_text(encoding="utf-8")
    assert page.count("原文在案，与现场出具的一致</a>") == 2


def test_what_came_out_of_the_printer_is_what_was_signed(told: dict[str, Any], place: Path) -> None:
    printer = SimulatedPrinter()
    printer.paper = (place / "devices" / "REC-0001" / "printer.paper").read_bytes()
    record, notice, receipt = printer.codes()
    texts = [Path(path).read_text(encoding="utf-8") for path in told["inspection"]["documents"]]
    for text, code in zip(texts, (record, notice), strict=True):
        assert check_against_paper(text, code) in text
    paper = "".join(printer.lines())
    for text in texts:
        unit, title, *body = text.split("\n")
        assert f"{title}{unit}{''.join(body)}" in paper
    assert receipt == told["inspection"]["receipt"]
    assert "执法记录回执" in paper


def test_the_partys_receipt_is_of_the_recording_and_the_party_signed_for_it(
    told: dict[str, Any], facts: dict[str, Any], place: Path
) -> None:
    (root,) = load_pem_certificates((place / "authority" / "root.pem").read_bytes())
    trust = open_trust_list((place / "center" / "trust.dsse").read_bytes(), root)
    receipt = open_receipt(told["inspection"]["receipt"], trust, District("xinghe"))
    assert (receipt.recording, receipt.task) == (facts["recordings"][0]["recording"], facts["task"])
    assert facts["confirmation"] == "当事人签收"
    assert heads(Path(told["inspection"]["path"]))[receipt.last] == receipt.head


def test_the_case_is_reviewed_to_its_decision_and_the_packet_holds(told: dict[str, Any], place: Path) -> None:
    (root,) = load_pem_certificates((place / "authority" / "root.pem").read_bytes())
    checked = check_packet(Path(told["review"]["packet"]), root)
    assert checked.review.stage.value == told["review"]["stage"] == "已决定"
    assert checked.absent == ()
    assert [signed.act.kind for signed in checked.review.acts] == ["submit", "accept", "approve", "decide"]


def test_six_exports_tell_of_the_case_and_only_the_credit_system_of_the_party(told: dict[str, Any]) -> None:
    exports = {name: Path(path).read_text(encoding="utf-8-sig") for name, path in told["review"]["exports"].items()}
    assert set(exports) == {"案卷评查", "执法监督", "评议考核", "舆情应对", "行政决策", "信用体系"}
    assert [name for name, text in exports.items() if "P-7f3a" in text] == ["信用体系"]
    (row,) = csv.DictReader(exports["案卷评查"].splitlines())
    assert (row["已记环节"], row["录像检验"], row["审核状态"]) == ("5", "有说明中断", "已决定")
