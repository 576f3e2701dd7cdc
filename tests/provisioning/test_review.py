"""Legal review at the centre: from stored events and a real recording to a packet that anybody can check."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from typer.testing import CliRunner

from agent.duty.act_bodies import Finding
from agent.duty.case_json import case_digest
from agent.duty.review import Move
from agent.duty.review_admission import decision, opinion, overtaken, submission
from agent.duty.review_elements import Prefill, review_elements
from agent.duty.review_rules import Stage
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.wire.device_events import EventType
from provisioning.center.act_folder import MAX_REFUSED
from provisioning.center.cli import app
from provisioning.center.review_packet import Seal, check_packet, write_packet
from provisioning.center.review_page import Dossier, review_page
from provisioning.center.use_room import gather
from tests.agent.duty.office import MATERIALS, findings
from tests.provisioning.district import load_signer
from tests.provisioning.review_office import EXAMINER, HANDLER, LEADER, STRANGER, TASK, ReviewOffice


@pytest.fixture
def office(tmp_path: Path) -> ReviewOffice:
    return ReviewOffice(tmp_path)


def _act(office: ReviewOffice, person: str, move: Move, body: Mapping[str, Any]) -> None:
    room = office.room()
    room.act(TASK, move, body, office.people[person], room.facts(TASK))


def _submit(office: ReviewOffice) -> None:
    _act(office, HANDLER, Move.SUBMIT, submission(office.room().facts(TASK), MATERIALS))


def _review(office: ReviewOffice, move: Move = Move.APPROVE) -> None:
    _act(office, EXAMINER, Move.ACCEPT, {})
    others = {} if move is Move.APPROVE else {"e6": (Finding.UNMET, "裁量档次偏高")}
    _act(office, EXAMINER, move, opinion(office.room().review(TASK), findings(**others), "审核意见"))


def _packet(office: ReviewOffice, out: Path, papers: list[Path] | None = None) -> Path:
    room = office.room()
    facts, center = room.facts(TASK), office.center
    seal = Seal(
        "receiver-1", load_signer(center, "receiver"), office.root.read_bytes(), (center / "trust.dsse").read_bytes()
    )
    return write_packet(
        out, facts, room.review(TASK), room.ruling(facts.unit), acts=room.folder.envelopes(TASK),
        grounds=room.folder.grounds(TASK),
        documents=room.papers(facts), papers=papers or [], recordings=office.recordings, seal=seal, now=room.now,
    )  # fmt: skip


def test_a_packet_is_refused_in_words_where_the_disk_takes_no_folder(office: ReviewOffice) -> None:
    with pytest.raises(EnvironmentFault, match="/proc/packet"):
        _packet(office, Path("/proc/packet"))


def test_a_real_case_comes_out_of_the_store_and_the_recording(office: ReviewOffice) -> None:
    facts = office.room().facts(TASK)
    assert [recording.verdict for recording in facts.recordings] == ["explained-gap"]
    assert [(gap.reason, gap.explained) for gap in facts.gaps] == [("frames-dropped", True)]
    assert (facts.missing, facts.major, len(facts.steps)) == ((), ("执法类别", "涉案金额"), 6)
    against = [it.number for it in review_elements(facts) if it.prefill is Prefill.AGAINST]
    assert against == []


def test_findings_on_a_recording_are_kept_until_a_file_is_touched(office: ReviewOffice) -> None:
    facts = office.room().facts(TASK)
    assert office.room().facts(TASK) == facts  # from what was kept
    film = office.recordings / "REC-0001-R000001" / "segment-0001.mp4"
    data = bytearray(film.read_bytes())
    data[len(data) // 2] ^= 1
    film.write_bytes(data)
    assert [it.verdict for it in office.room().facts(TASK).recordings] == ["altered"]


def test_a_major_case_goes_the_whole_way_and_its_packet_holds(office: ReviewOffice, tmp_path: Path) -> None:
    facts = office.room().facts(TASK)
    with pytest.raises(SenderFault, match="审核完结前不能作出决定"):
        _act(office, LEADER, Move.DECIDE, decision(facts, "星综执罚〔2026〕REC-0001-0001号", "处罚"))
    _submit(office)
    with pytest.raises(SenderFault, match="不属于审核机构"):
        _act(office, STRANGER, Move.ACCEPT, {})
    _review(office, Move.OBJECT)
    for person, move, body in (
        (HANDLER, Move.DISSENT, {"text": "从重情节有录像为证"}),
        (LEADER, Move.COORDINATE, {"text": "召集两方协调"}),
        (LEADER, Move.RESOLVE, {"text": "裁量降一档", "outcome": "修改后办理"}),
        (LEADER, Move.DECIDE, decision(facts, "星综执罚〔2026〕REC-0001-0001号", "按协调结果处罚")),
    ):
        _act(office, person, move, body)
    assert office.room().review(TASK).stage is Stage.DECIDED
    paper = tmp_path / "星综执检〔2026〕REC-0001-0001号.txt"
    paper.write_bytes(office.papers["星综执检〔2026〕REC-0001-0001号"])
    packet = _packet(office, tmp_path / "审核包", [paper])
    checked = check_packet(packet, x509.load_pem_x509_certificate(office.root.read_bytes()))
    assert (checked.review.stage, len(checked.review.acts), checked.sealed_by) == (Stage.DECIDED, 7, "receiver-1")
    page = (packet / "review.html").read_text(encoding="utf-8")
    assert page.count('<tr id="e') == 11
    for words in ("与现场出具的文书一致", "须法制审核", "从重情节有录像为证", "人工判断", "修改后办理"):
        assert words in page, words


@pytest.mark.parametrize(
    "odd", [{"task": "任务 一"}, {"matter": None}, {"required": None}, {"task": "T-2026-0009", "unit": 7}]
)
def test_one_odd_event_of_a_device_takes_no_case_from_report_ledger_and_list(
    office: ReviewOffice, odd: dict[str, Any]
) -> None:
    (told,) = [event.data for event in office.room().events if event.type is EventType.TASK_TAKEN]
    office.tell((40, EventType.TASK_TAKEN, {**told, **odd}))
    found = gather(office.room())
    assert [case.facts.task for case in found.cases] == [TASK]
    assert [line.split(" ")[0] for line in found.troubles] == (["T-2026-0009"] if "unit" in odd else [])


def test_a_damaged_file_of_a_refusal_is_told_and_takes_no_case(office: ReviewOffice) -> None:
    place = office.room().folder.folder(TASK)
    place.mkdir(parents=True)
    (place / "refused-001.json").write_bytes(b"")
    found = gather(office.room())
    assert (len(found.cases), "被拒记录无法读取" in found.troubles[0]) == (1, True)


def test_handler_who_would_review_his_own_case_is_refused_and_stands_in_the_report(office: ReviewOffice) -> None:
    """Also a reviewer of another body, and a decision before the review: whoever tries is named, with the reason."""
    _submit(office)
    with pytest.raises(SenderFault):
        _act(office, HANDLER, Move.ACCEPT, {})
    with pytest.raises(SenderFault):
        _act(office, STRANGER, Move.ACCEPT, {})
    told = gather(office.room()).troubles
    assert [line.split(" 于 ")[0] for line in told] == [f"{TASK}：{HANDLER}", f"{TASK}：{STRANGER}"]
    assert ["被拒" in line and "“受理”" in line for line in told] == [True, True]
    assert "不属于审核机构" in told[1]
    assert len(office.room().review(TASK).acts) == 1
    for move in (Move.ADOPT, Move.DISSENT, Move.COORDINATE):
        with pytest.raises(SenderFault):
            _act(office, HANDLER, move, {"text": "x"})
    for _ in range(MAX_REFUSED):
        with pytest.raises(SenderFault):
            _act(office, HANDLER, Move.ACCEPT, {})
    assert len(office.room().folder.refused(TASK)) == MAX_REFUSED
    where = ["--config", str(office.center / "center.toml"), "--recordings", str(office.recordings)]
    out = office.base / "report"
    done = CliRunner().invoke(app, ["report", *where, "--out", str(out)], catch_exceptions=False)
    assert (done.output.count("被拒"), "另有" in done.output) == (3, True)
    page = (out / "report.html").read_text(encoding="utf-8")
    order = ["项没有计入、被拒", "一、统计", 'id="troubles"', "“受理”被拒"]
    assert [page.index(words) for words in order] == sorted(page.index(words) for words in order)


def test_the_packets_own_page_of_commands_holds_with_openssl_alone(office: ReviewOffice, tmp_path: Path) -> None:
    packet = _packet(office, tmp_path / "审核包")
    lines = (packet / "HOW-TO-CHECK.txt").read_text(encoding="utf-8").splitlines()
    commands = [line[4:] for line in lines if line.startswith("  $ ")]
    answers = [line[4:] for line in lines if line.startswith("  = ")]
    told = ""
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=packet, capture_output=True, text=True, check=False, env=os.environ, timeout=60
        )
        assert done.returncode == 0, command + done.stderr
        told += done.stdout + done.stderr
    assert all(answer in told for answer in answers)


def _drop(packet: Path) -> None:
    (packet / "acts" / "001.dsse").unlink()


def _add(packet: Path) -> None:
    (packet / "materials").mkdir()
    (packet / "materials" / "意见.txt").write_text("同意")


def _edit(packet: Path) -> None:
    page = packet / "review.html"
    page.write_text(page.read_text(encoding="utf-8").replace("待受理", "审核完结"), encoding="utf-8")


def _resum(packet: Path) -> None:
    _edit(packet)
    done = subprocess.run(["sha256sum", "review.html"], cwd=packet, capture_output=True, text=True, check=True)
    lines = (packet / "SHA256SUMS").read_text().splitlines()
    kept = [line for line in lines if not line.endswith("review.html")]
    (packet / "SHA256SUMS").write_text("\n".join([*kept, done.stdout.strip()]) + "\n")


@pytest.mark.parametrize("attack", [_drop, _add, _edit, _resum])
def test_a_packet_that_was_changed_is_refused(
    office: ReviewOffice, tmp_path: Path, attack: Callable[[Path], None]
) -> None:
    _submit(office)
    packet, root = _packet(office, tmp_path / "审核包"), x509.load_pem_x509_certificate(office.root.read_bytes())
    check_packet(packet, root)
    attack(packet)
    with pytest.raises(SenderFault):
        check_packet(packet, root)


def test_a_document_with_other_bytes_than_on_the_scene_is_told(office: ReviewOffice, tmp_path: Path) -> None:
    paper = tmp_path / "星综执检〔2026〕REC-0001-0001号.txt"
    paper.write_text("事后改写的笔录")
    page = (_packet(office, tmp_path / "审核包", [paper]) / "review.html").read_text(encoding="utf-8")
    assert "与现场出具的文书不一致" in page


def test_a_paper_whose_name_holds_an_odd_line_end_does_not_spoil_our_own_packet(
    office: ReviewOffice, tmp_path: Path
) -> None:
    paper = tmp_path / "笔录\u2028第二\x85页.txt"
    paper.write_text("正文")
    packet = _packet(office, tmp_path / "审核包", [paper])
    assert check_packet(packet, x509.load_pem_x509_certificate(office.root.read_bytes())).review.task == TASK


def test_words_of_others_stand_as_words_on_the_page(tmp_path: Path) -> None:
    office = ReviewOffice(tmp_path, papers={"<script>1〔2026〕REC-0001-0001号": b"x"})
    page = (_packet(office, tmp_path / "审核包") / "review.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;1" in page


def test_an_act_taken_out_of_the_office_stops_everything_after_it(office: ReviewOffice) -> None:
    _submit(office)
    _review(office)
    acts = office.room().folder.folder(TASK)
    shutil.move(acts / "003.dsse", acts / "002.dsse")
    with pytest.raises(SenderFault, match="衔接不上"):
        office.room().review(TASK)


def test_lateness_shows_on_the_page_with_who_ended_it(office: ReviewOffice) -> None:
    _submit(office)
    room = office.room(later=timedelta(days=9))
    room.act(TASK, Move.ACCEPT, {}, office.people[EXAMINER], room.facts(TASK))
    late = office.room(later=timedelta(days=9))
    facts = late.facts(TASK)
    page = review_page(Dossier(facts, late.review(TASK), late.ruling(facts.unit).rules, {}, late.now, "receiver-1"))
    assert f"逾期</span>（{EXAMINER} 办结）" in page


def test_a_department_without_released_rules_is_told_what_to_do(office: ReviewOffice) -> None:
    shutil.rmtree(office.center / "released")
    with pytest.raises(OperatorFault, match="liuhen-publish"):
        office.room().ruling("星河区综合行政执法局")


def test_the_command_takes_a_case_from_submission_to_a_checked_packet(office: ReviewOffice, tmp_path: Path) -> None:
    runner = CliRunner()
    where = ["--config", str(office.center / "center.toml"), "--recordings", str(office.recordings)]
    opinions = tmp_path / "意见.json"
    opinions.write_text(json.dumps([judged.as_json() for judged in findings()]), encoding="utf-8")

    def run(*arguments: str) -> str:
        done = runner.invoke(app, ["review", *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    def act(person: str, move: str, *more: str) -> str:
        key, chain = office.key_files(person)
        return run("act", TASK, move, *where, "--key", str(key), "--chain", str(chain), *more)

    assert "未送审" in run("list", *where)
    shown = run("show", TASK, *where)
    assert ("须法制审核" in shown, "submit" in shown, "decide" in shown) == (True, True, False)
    told = act(HANDLER, "submit", "--material", MATERIALS[0])
    assert ("待受理" in told, f"缺少材料：{MATERIALS[1]}" in told.replace("\n", "")) == (True, True)
    act(EXAMINER, "return", "--text", "缺材料")
    assert "缺少材料" not in act(HANDLER, "submit", *(it for name in MATERIALS for it in ("--material", name)))
    act(EXAMINER, "accept")
    assert "审核完结" in act(EXAMINER, "approve", "--findings", str(opinions))
    assert "已决定" in act(LEADER, "decide", "--text", "同意", "--document", "星综执罚〔2026〕REC-0001-0001号")
    run("packet", TASK, *where, "--out", str(tmp_path / "包"))
    told = json.loads(run("check", str(tmp_path / "包"), "--root", str(office.root), "--json"))
    assert (told["stage"], len(told["acts"])) == ("已决定", 6)


def test_a_wrong_folder_of_recordings_is_no_finding_on_evidence(office: ReviewOffice, tmp_path: Path) -> None:
    where = ["--config", str(office.center / "center.toml"), "--recordings"]
    for words in (["review", "show", TASK, *where], ["report", "--out", str(tmp_path / "o"), *where]):
        done = CliRunner().invoke(app, [*words, str(tmp_path / "wrong")])
        assert isinstance(done.exception, OperatorFault)
        assert "请改正 --recordings" in str(done.exception)
    (tmp_path / "empty").mkdir()
    shown = CliRunner().invoke(app, ["review", "show", TASK, *where, str(tmp_path / "empty")], catch_exceptions=False)
    assert "可能只是目录不对" in shown.output
    right = CliRunner().invoke(app, ["review", "show", TASK, *where, str(office.recordings)], catch_exceptions=False)
    assert "目录不对" not in right.output


def test_facts_that_changed_after_the_decision_are_not_printed_under_the_old_opinion(
    office: ReviewOffice, tmp_path: Path
) -> None:
    """Somebody enters afterwards that the paper was refused: page, packet and its check say so."""
    facts = office.room().facts(TASK)
    _submit(office)
    _review(office, Move.OBJECT)
    _act(office, HANDLER, Move.ADOPT, {"text": "采纳"})
    _act(office, LEADER, Move.DECIDE, decision(facts, "星综执罚〔2026〕1号", "处罚"))
    number = facts.documents[0].number
    office.tell((90, EventType.DOCUMENT_SERVED, {"task": TASK, "number": number, "served": "当事人拒签"}))
    changed = office.room().facts(TASK)
    assert changed.documents[0].served is not facts.documents[0].served
    assert "决定之后案件事实有变化" in overtaken(office.room().review(TASK), case_digest(changed))
    assert overtaken(office.room().review(TASK), case_digest(facts)) == ""
    packet = _packet(office, tmp_path / "packet")
    assert "决定之后案件事实有变化" in (packet / "review.html").read_text()
    done = CliRunner().invoke(app, ["review", "check", str(packet), "--root", str(office.root)])
    assert "决定之后案件事实有变化" in done.output


@pytest.mark.parametrize("attack", ["folder", "nowhere", "pipe", "page"])
def test_what_is_no_file_of_the_packet_does_not_ride_along(office: ReviewOffice, tmp_path: Path, attack: str) -> None:
    packet = _packet(office, tmp_path / "packet")
    if attack == "pipe":
        os.mkfifo(packet / "补充证据.pdf")
    elif attack == "page":
        outside = (packet / "review.html").rename(tmp_path / "outside.html")
        (packet / "review.html").symlink_to(outside)
    else:
        (packet / "materials-x").symlink_to("/etc" if attack == "folder" else "nowhere")
    with pytest.raises(SenderFault, match="不是普通文件"):
        check_packet(packet, x509.load_pem_x509_certificate(office.root.read_bytes()))
