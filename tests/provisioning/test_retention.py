"""What keeps a recording at the centre, and the only way it ever leaves it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.duty.holds import Deed
from agent.errors import OperatorFault, SenderFault
from agent.wire.device_events import EventType
from agent.wire.identifiers import parse_recording_id
from agent.wire.signing import KeySigner
from agent.wire.trust import Role
from provisioning.center.cli import app
from provisioning.center.retention_room import RetentionRoom
from provisioning.fleet.folders import write_trust
from tests.provisioning.district import load_signer
from tests.provisioning.review_office import HANDLER, LEADER, ReviewOffice

R1 = parse_recording_id("REC-0001-R000001")
HALF_A_YEAR = timedelta(days=184)


@pytest.fixture
def office(tmp_path: Path) -> ReviewOffice:
    found = ReviewOffice(tmp_path)
    found.people["commander"] = found.district.person("示例-000031", Role.COMMANDER)
    write_trust(found.center, found.district.authority)
    return found


def _at(office: ReviewOffice, later: timedelta = timedelta()) -> RetentionRoom:
    return RetentionRoom(office.room(later=later))


def _centre(office: ReviewOffice) -> KeySigner:
    return load_signer(office.center, "receiver")


def _for_six_months(office: ReviewOffice) -> None:
    """The list says 永久: a shorter time takes two people."""
    _at(office).act(R1, Deed.CLASSIFY, {"term": "6个月"}, office.people[HANDLER])
    _at(office).act(R1, Deed.APPROVE, {"term": "6个月"}, office.people[LEADER])


def test_a_recording_past_its_term_goes_and_the_act_stays(office: ReviewOffice) -> None:
    _for_six_months(office)
    with pytest.raises(SenderFault, match="须保存到"):
        _at(office, HALF_A_YEAR - timedelta(days=2)).delete(R1, _centre(office))
    assert (office.recordings / R1).is_dir()
    assert _at(office, HALF_A_YEAR).delete(R1, _centre(office)).deleted is not None
    assert list(office.recordings.iterdir()) == []
    assert _at(office).keeping(R1).acts[-1].act.kind == "delete"


def test_a_held_recording_stays_whatever_its_term(office: ReviewOffice) -> None:
    _at(office).act(R1, Deed.CLASSIFY, {"term": "6个月"}, _centre(office))
    hold = {"hold": "诉讼-1", "reason": "行政诉讼调取"}
    with pytest.raises(SenderFault, match="须由签发人签名"):
        _at(office).act(R1, Deed.HOLD, hold, office.people[HANDLER])
    _at(office).act(R1, Deed.HOLD, hold, office.people["commander"])
    with pytest.raises(SenderFault, match="冻结"):
        _at(office, HALF_A_YEAR).delete(R1, _centre(office))
    assert (office.recordings / R1).is_dir()


def test_a_power_cut_between_the_act_and_the_files_is_finished_the_next_time(office: ReviewOffice) -> None:
    _for_six_months(office)
    _at(office, HALF_A_YEAR).delete(R1, _centre(office))
    (office.recordings / R1).mkdir()  # as if the cut had come before the folder went
    (office.recordings / R1 / "segment-0001.mp4").write_bytes(b"left")
    _at(office, HALF_A_YEAR).delete(R1, _centre(office))
    assert list(office.recordings.iterdir()) == []


def test_a_shorter_term_needs_the_leader_and_deletion_is_no_ordinary_act(office: ReviewOffice) -> None:
    _at(office).act(R1, Deed.CLASSIFY, {"term": "永久"}, _centre(office))
    waiting = _at(office).act(R1, Deed.CLASSIFY, {"term": "1年"}, office.people[HANDLER])
    assert (waiting.term and waiting.term.text, waiting.proposal and waiting.proposal.term.text) == ("永久", "1年")
    after = _at(office).act(R1, Deed.APPROVE, {"term": "1年"}, office.people[LEADER])
    assert after.term
    assert after.term.text == "1年"
    with pytest.raises(SenderFault):
        _at(office).act(R1, Deed.DELETE, {}, _centre(office))


def test_a_recording_that_is_not_here_is_not_deleted(office: ReviewOffice) -> None:
    other = parse_recording_id("REC-0001-R000009")
    with pytest.raises(OperatorFault, match="REC-0001-R000009"):
        _at(office).delete(other, _centre(office))


@pytest.mark.parametrize("who", [HANDLER, "centre"])
def test_the_first_filing_alone_lets_nothing_go_earlier_than_the_list_says(office: ReviewOffice, who: str) -> None:
    """Neither an officer nor the centre's own key: the class of the list, as the task was told it, is the least."""
    signer = _centre(office) if who == "centre" else office.people[who]
    waiting = _at(office).act(R1, Deed.CLASSIFY, {"term": "1个月"}, signer)
    assert (waiting.term, waiting.proposal and waiting.proposal.term.text) == (None, "1个月")
    with pytest.raises(SenderFault, match="永久"):
        _at(office, HALF_A_YEAR).delete(R1, _centre(office))
    assert (office.recordings / R1).is_dir()


def test_a_longer_class_that_is_told_after_the_filing_counts(office: ReviewOffice) -> None:
    """The second recorder's word came late; what one person filed until then is not what two agreed on."""
    (taken,) = [event.data for event in office.room().events if event.type is EventType.TASK_TAKEN]
    other = {**taken, "task": "T-2026-0002", "retention": "6个月"}
    second = parse_recording_id("REC-0001-R000002")
    office.tell((40, EventType.TASK_TAKEN, other), (41, EventType.OFFICERS_LABELLED, _there(other["task"], second)))
    filed = _at(office).act(second, Deed.CLASSIFY, {"term": "1年"}, office.people[HANDLER])
    assert filed.in_force
    assert filed.in_force.text == "1年"
    office.tell((42, EventType.OFFICERS_LABELLED, _there(taken["task"], second)))
    after = _at(office).keeping(second)
    assert (after.term and after.term.text, after.in_force and after.in_force.text) == ("1年", "永久")


def _there(task: str, recording: str) -> dict[str, Any]:
    return {"task": task, "recording": recording, "officers": [], "labels": []}


def test_the_command_files_a_recording_and_says_what_waits(office: ReviewOffice) -> None:
    where = ["--config", str(office.center / "center.toml"), "--recordings", str(office.recordings)]

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["retention", *arguments, *where], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    key, chain = office.key_files(HANDLER)
    signed = ("--key", str(key), "--chain", str(chain))
    assert "期限 永久（按清单 永久）" in run("show", R1)
    assert "待批准：缩短为 30年" in run("act", R1, "classify", "--term", "30 年", *signed)
    leader, leaders = office.key_files(LEADER)
    run("act", R1, "approve-shorter", "--term", "30年", "--key", str(leader), "--chain", str(leaders))
    assert "待批准：缩短为 1年" in run("act", R1, "classify", "--term", "1年", *signed)
    assert "期限 30年（人工归类）" in run("show", R1)
