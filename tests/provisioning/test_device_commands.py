"""Commands from the centre to a device and back: numbered, sent again to whoever was away, closed by the chain."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.errors import LiuhenFault, SenderFault
from agent.wire.commands import CommandKind
from agent.wire.identifiers import device_id
from agent.wire.trust import Role
from provisioning.center.command_book import CommandBook, Sent, answers
from provisioning.center.command_post import CommandPost
from provisioning.center.config import read_config
from provisioning.center.store import open_store
from provisioning.fleet.identity_files import write_trust
from tests.provisioning.district import (
    REPOSITORY,
    Process,
    TestDistrict,
    broker_process,
    events_topic,
    eventually,
    receiver_process,
    running,
    state_topic,
    today,
)
from tests.support.broker import free_port, needs_mosquitto
from tests.support.device import DistrictKeys

DEVICE = device_id("REC-0001")
LIFE = timedelta(hours=1)


class Told:
    """The events of devices that a test has told by hand."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def of_types(self, device: str, types: Iterable[str]) -> tuple[bytes, ...]:
        return tuple(json.dumps(it).encode() for it in self.events if it["device"] == device and it["type"] in types)

    def answered(self, sent: Sent, **more: Any) -> None:
        data = {"id": sent.command.command_id, "counter": sent.command.counter, "done": True, "code": "", "text": "好"}
        self._add("liuhen.command.answered.v1", {**data, "result": {}, **more})

    def refused(self, digest: str, code: str, last: int) -> None:
        self._add("liuhen.command.refused.v1", {"digest": digest, "code": code, "last": last})

    def _add(self, kind: str, data: dict[str, Any]) -> None:
        self.events.append({"device": DEVICE, "type": kind, "devseq": len(self.events) + 1, "data": data})


class Office:
    def __init__(self, base: Path) -> None:
        self.district = TestDistrict(base, free_port())
        self.signer = self.district.person("示例-000009", Role.COMMANDER)
        self.trust = self.district.authority.trust()
        self.told, self.book = Told(), CommandBook(base / "center")
        self.post = CommandPost(self.book, self.told)

    def issue(self, kind: CommandKind = CommandKind.SHOW_MESSAGE, life: timedelta = LIFE) -> Sent:
        body = {"text": "请归还设备"}
        return self.book.issue(self.told, self.signer, self.trust, DEVICE, kind, body, today(), life)

    def due(self, later: timedelta = timedelta(0)) -> list[int]:
        return [sent.command.counter for sent in self.post.due(today() + later)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("office"))


@pytest.fixture
def office(made: Office, tmp_path: Path) -> Office:
    made.told, made.book = Told(), CommandBook(tmp_path)
    made.post = CommandPost(made.book, made.told)
    return made


def test_numbers_go_on_after_the_centre_lost_its_files(office: Office) -> None:
    assert [office.issue().command.counter for _ in range(2)] == [1, 2]
    office.told.refused("x", "replayed", 41)
    assert office.issue().command.counter == 42


def test_a_command_that_is_closed_while_the_list_is_read_stands_in_it_once(office: Office, tmp_path: Path) -> None:
    office.issue(), office.issue()
    name = f"{DEVICE}-000001.dsse"
    (tmp_path / "commands/closed" / name).write_bytes((tmp_path / "commands/waiting" / name).read_bytes())
    assert [(it.command.counter, it.waiting) for it in office.book.sent()] == [(1, False), (2, True)]


def test_a_command_that_no_device_would_take_is_never_laid_ready(office: Office) -> None:
    handler = office.district.person("示例-000010", Role.HANDLER)
    with pytest.raises(SenderFault, match="commander"):
        office.book.issue(
            office.told, handler, office.district.authority.trust(), DEVICE, CommandKind.SYNC_TIME, {}, today(), LIFE
        )
    with pytest.raises(LiuhenFault):
        office.issue(life=timedelta(days=40))
    assert office.book.sent() == []


def test_a_device_that_was_away_gets_its_commands_when_it_comes_up_and_in_order(office: Office) -> None:
    office.issue(), office.issue()
    assert office.due() == [1, 2]
    assert office.due() == []
    office.post.heard(events_topic(DEVICE))
    assert office.due() == []
    office.post.heard(state_topic(DEVICE))
    assert office.due() == [1, 2]
    office.post.forget()
    assert office.due() == [1, 2]


def test_an_answer_or_a_refusal_closes_a_command_and_an_echo_of_it_does_not(office: Office) -> None:
    first, second, third = office.issue(), office.issue(), office.issue()
    assert office.due() == [1, 2, 3]
    office.told.answered(first)
    office.told.refused(second.digest, "clock-unset", 1)
    office.told.refused(third.digest, "replayed", 3)
    office.post.heard(state_topic(DEVICE))
    assert office.due() == [3]
    found = answers(office.told, office.book.sent())
    assert [(found[it.digest].done, found[it.digest].code) for it in (first, second, third)] == [
        (True, ""), (False, "clock-unset"), (False, "replayed"),
    ]  # fmt: skip
    assert [sent.waiting for sent in office.book.sent()] == [False, False, True]


def test_a_command_past_its_end_is_not_sent(office: Office) -> None:
    office.issue()
    assert office.due(timedelta(hours=2)) == []
    assert [sent.waiting for sent in office.book.sent()] == [False]


def test_an_answer_of_another_command_with_that_number_is_not_taken_for_it(office: Office) -> None:
    sent = office.issue()
    office.told.answered(sent, id="c-other")
    assert answers(office.told, [sent]) == {}


@pytest.mark.parametrize("more", [{"done": "yes"}, {"text": None}, {"result": []}, {"code": 7}])
def test_an_answer_that_nobody_can_read_stops_no_listing(office: Office, more: dict[str, Any]) -> None:
    sent, other = office.issue(), office.issue()
    office.told.answered(sent, **more)
    office.told.answered(other)
    found = answers(office.told, [sent, other])
    assert (found[sent.digest].code, found[other.digest].done) == ("unreadable", True)
    assert "无法读取" in found[sent.digest].text


def test_a_device_that_claims_the_last_number_of_all_can_still_be_commanded(office: Office) -> None:
    office.told.refused("x", "replayed", 2**31)
    office.told.refused("y", "replayed", 7)
    assert office.issue().command.counter == 8


def test_a_key_that_nobody_listed_is_told_what_to_do(office: Office) -> None:
    stranger = DistrictKeys().commander.signer
    with pytest.raises(SenderFault, match="add-person --role commander"):
        office.book.issue(office.told, stranger, office.trust, DEVICE, CommandKind.SYNC_TIME, {}, today(), LIFE)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[tuple[TestDistrict, Path, Process]]:
    district = TestDistrict(tmp_path, free_port())
    center, device = district.receiver(), district.device("KSK-0001")
    district.person("示例-000009", Role.COMMANDER)
    for folder in (center, device):
        write_trust(folder, district.authority)
    agent = Process([sys.executable, "-m", "agent.daemon", str(device / "agent.toml"), "info"], device / "agent.log")
    with running(broker_process(district), district.port), running(receiver_process(center)):
        yield district, center, agent


def ask(district: TestDistrict, center: Path, *words: str) -> tuple[int, dict[str, Any]]:
    key = district.base / "示例-000009" / "commander"
    signed = ["--key", f"{key}.key", "--chain", f"{key}.pem"] if words[0] == "command" else []
    arguments = [*words, *signed, "--config", str(center / "center.toml"), "--json"]
    command = [sys.executable, "-m", "provisioning.center.cli", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False, timeout=60)
    return done.returncode, json.loads(done.stdout or b"{}")


@needs_mosquitto
def test_a_real_device_is_asked_and_answers_now_or_when_it_is_back(scene: tuple[TestDistrict, Path, Process]) -> None:
    district, center, agent = scene
    with running(agent):
        eventually(lambda: "is ready" in agent.text, "the agent is ready")
        code, told = ask(district, center, "command", "KSK-0001", "pull-diagnostics", "--wait")
        assert (code, told["answer"]["done"]) == (0, True), agent.text
        assert told["answer"]["result"]["config"]["device"] == "KSK-0001"
    code, told = ask(district, center, "command", "KSK-0001", "rotate-certificate")
    assert (code, told["waiting"]) == (0, True)
    settings = read_config(center / "center.toml")
    store, book = open_store(settings.database, center, create=False), CommandBook(center)
    with running(agent):
        eventually(lambda: len(answers(store, book.sent())) == 2, "the command that it had missed")
    store.close()
    code, listed = ask(district, center, "commands")
    assert [(it["id"], it["answer"]["done"]) for it in listed["commands"]] == [("c-000001", True), ("c-000002", True)]
    request = listed["commands"][1]["answer"]["result"]["request"]
    assert request.startswith("-----BEGIN CERTIFICATE REQUEST-----")
