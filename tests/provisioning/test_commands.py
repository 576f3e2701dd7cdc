"""The commands as people type them: exit codes, one Chinese line, JSON, no traceback."""

import json
import subprocess
from pathlib import Path

import pytest

from agent import durable
from provisioning.center.config import read_config
from provisioning.center.ingest import Ingest
from provisioning.center.store import open_store
from tests.provisioning.district import (
    NOW,
    PLACE,
    Chain,
    TestDistrict,
    events_topic,
    load_signer,
    sealed_batch,
)
from tests.support.commands import run_here


def run(module: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return run_here(module, *words)


def provision(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return run("provisioning.cli", *words)


def test_a_technicians_morning(tmp_path: Path) -> None:
    ca = tmp_path / "ca"
    assert provision("init-ca", ca, "--district", "xinghe", "--name", "星河区").returncode == 0
    device = ["add-device", "REC-0001", "--authority", ca, "--unit", "星河区综合行政执法局"]
    device += ["--broker", "127.0.0.1:8883", "--out", tmp_path / "r", "--json"]
    first, second = provision(*device), provision(*device)
    assert json.loads(first.stdout)["changed"] is True
    assert json.loads(second.stdout)["changed"] is False
    person = ["--subject", "示例-000001", "--authority", ca, "--out", tmp_path / "p"]
    assert provision("add-person", "--role", "editor", *person).returncode == 0
    assert provision("add-person", "--role", "king", *person).returncode == 2
    listed = json.loads(provision("trust", "--authority", ca, "--install", tmp_path / "r", "--json").stdout)
    assert (listed["version"], len(listed["credentials"]), listed["installed"]) == (3, 2, [str(tmp_path / "r")])
    revoked = provision("revoke", "REC-0001", "--authority", ca, "--reason", "遗失")
    assert "下一步" in revoked.stdout
    broker = ["broker-config", "--authority", ca, "--out", tmp_path / "b", "--port", "8883", "--json"]
    assert json.loads(provision(*broker).stdout)["config"] == str(tmp_path / "b" / "mosquitto.conf")
    assert "topic deny #" in (tmp_path / "b" / "access.acl").read_text(encoding="utf-8")


def test_a_recorder_encrypts_unless_somebody_says_not_to(tmp_path: Path) -> None:
    ca = tmp_path / "ca"
    assert provision("init-ca", ca, "--district", "xinghe", "--name", "星河区").returncode == 0
    assert (ca / "archive.key").stat().st_mode & 0o077 == 0
    device = ["--authority", ca, "--unit", "甲", "--broker", "127.0.0.1:8883"]
    assert "在卡上加密" in provision("add-device", "REC-0001", *device, "--out", tmp_path / "r").stdout
    assert (tmp_path / "r" / "archive.pub").read_bytes() == (ca / "archive.pub").read_bytes()
    plain = provision("add-device", "REC-0002", *device, "--out", tmp_path / "p", "--no-archive")
    assert (plain.returncode, "明文" in plain.stdout) == (0, True)
    told = (tmp_path / "p" / "agent.toml").read_text(encoding="utf-8")
    assert ("archive_key" in told, 'papers_key = "archive.pub"' in told) == (False, True)  # what documents say, always
    (ca / "archive.pub").unlink()  # an authority made before there were archive keys
    (ca / "archive.key").unlink()
    refused = provision("add-device", "REC-0003", *device, "--out", tmp_path / "q")
    assert (refused.returncode, "archive-key" in refused.stderr) == (2, True)
    assert not (tmp_path / "q").exists()
    for changed in (True, False):
        made = provision("archive-key", "--authority", ca, "--json")
        assert json.loads(made.stdout)["changed"] is changed
    assert provision("add-device", "REC-0003", *device, "--out", tmp_path / "q").returncode == 0
    wrong = provision("add-device", "REC-0004", *device, "--out", tmp_path / "w", "--archive", ca / "root.pem")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "words",
    [
        ["add-device", "REC-0001/up", "--unit", "甲", "--broker", "b:1", "--out", "OUT", "--authority", "CA"],
        ["add-device", "REC-0001", "--unit", "甲", "--broker", "b", "--out", "OUT", "--authority", "CA"],
        ["add-device", "REC-0001", "--unit", "甲", "--broker", "b:1", "--out", "OUT", "--authority", "NOWHERE"],
        ["add-receiver", "Receiver/1", "--broker", "b:1", "--out", "OUT", "--authority", "CA"],
        ["revoke", "REC-0009", "--reason", "遗失", "--authority", "CA"],
        ["broker-config", "--for", "kafka", "--out", "OUT", "--authority", "CA"],
        ["trust", "--authority", "CA", "--install", "NOWHERE"],
        ["init-ca", "CA", "--district", "OTHER", "--name", "别区"],
    ],
)
def test_a_mistake_is_one_chinese_line_and_exit_code_2(tmp_path: Path, words: list[str]) -> None:
    TestDistrict(tmp_path / "x", 1, moment=lambda: NOW)
    places = {"CA": str(tmp_path / "x" / "authority"), "OUT": str(tmp_path / "out"), "NOWHERE": str(tmp_path / "no")}
    found = provision(*[places.get(word, word) for word in words])
    assert found.returncode == 2
    assert len(found.stderr.strip().splitlines()) == 1
    assert "Traceback" not in found.stderr
    assert any("\u4e00" <= letter <= "\u9fff" for letter in found.stderr)


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ('reciever = "x"', "receiver"),
        ('district = "xinghe"\nkeepalive_s = 3', "未知的键"),
    ],
)
def test_unknown_key_in_center_toml_comes_with_a_suggestion(tmp_path: Path, change: str, hint: str) -> None:
    durable.write_bytes(tmp_path / "center.toml", change.encode())
    found = run("provisioning.center.cli", "summary", "--config", tmp_path / "center.toml")
    assert found.returncode == 2
    assert hint in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("port = 1", "port = 70000", "65535"),
        ('protocol = "5"', 'protocol = "4"', "3.1.1"),
        ("keepalive_s = 30", "keepalive_s = 1", "120"),
        ("keepalive_s = 30", 'keepalive_s = "30"', "整数"),
        ("keepalive_s = 30", "keepalive = 30", "是否想写 keepalive_s"),
        ('root = "root.pem"\n', "", "identity.root"),
        ('district = "xinghe"', 'district = "Xing/he"', "区域代号"),
        ('district = "xinghe"', "district = ", "TOML"),
    ],
)
def test_every_wrong_value_is_named(tmp_path: Path, old: str, new: str, hint: str) -> None:
    from agent.errors import OperatorFault

    folder = TestDistrict(tmp_path, 1, moment=lambda: NOW).receiver()
    text = (folder / "center.toml").read_text(encoding="utf-8")
    assert old in text
    durable.write_bytes(folder / "center.toml", text.replace(old, new, 1).encode())
    with pytest.raises(OperatorFault, match=hint):
        read_config(folder / "center.toml")


def test_receiver_with_another_ones_key_does_not_start(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, 1, moment=lambda: NOW)
    first, second = district.receiver(), district.receiver("receiver-2")
    for name in ("receiver.key", "receiver.pem", "trust.dsse"):
        durable.write_bytes(first / name, (second / name).read_bytes(), durable.PRIVATE)
    found = run("provisioning.center.cli", "receive", "--config", first / "center.toml")
    assert found.returncode == 2
    assert "receiver-1" in found.stderr


def test_receiver_whose_key_others_can_read_does_not_start(tmp_path: Path) -> None:
    folder = TestDistrict(tmp_path, 1, moment=lambda: NOW).receiver()
    (folder / "receiver.key").chmod(0o640)
    found = run("provisioning.center.cli", "receive", "--config", folder / "center.toml")
    assert found.returncode == 2
    assert "chmod 600" in found.stderr


def test_database_that_cannot_be_opened_is_an_environment_fault(tmp_path: Path) -> None:
    folder = TestDistrict(tmp_path, 1, moment=lambda: NOW).receiver()
    durable.write_bytes(folder / "center.db", b"not a database, but long enough to look like one" * 20)
    found = run("provisioning.center.cli", "summary", "--config", folder / "center.toml")
    assert found.returncode == 4
    assert "Traceback" not in found.stderr


def test_summary_of_an_empty_centre_says_what_to_do(tmp_path: Path) -> None:
    folder = TestDistrict(tmp_path, 1, moment=lambda: NOW).receiver()
    open_store("sqlite:///center.db", folder).close()
    found = run("provisioning.center.cli", "summary", "--config", folder / "center.toml")
    assert found.returncode == 0
    assert "liuhen-center receive" in found.stdout


@pytest.mark.parametrize("words", [["summary"], ["events", "--device", "REC-0001"]])
def test_reading_with_a_wrong_configuration_makes_no_database(tmp_path: Path, words: list[str]) -> None:
    folder = TestDistrict(tmp_path, 1, moment=lambda: NOW).receiver()
    found = run("provisioning.center.cli", *words, "--config", folder / "center.toml")
    assert found.returncode == 2
    assert "center.db" in found.stderr
    assert not list(folder.glob("*.db*"))
    durable.write_bytes(folder / "center.db", b"")
    assert run("provisioning.center.cli", *words, "--config", folder / "center.toml").returncode == 2


def test_events_of_a_long_life_are_all_shown(tmp_path: Path) -> None:
    district = TestDistrict(tmp_path, 1, moment=lambda: NOW)
    folder, signer, chain = district.receiver(), load_signer(district.device("REC-0001"), "evidence"), Chain("REC-0001")
    store = open_store("sqlite:///center.db", folder)
    ingest = Ingest(PLACE, "receiver-1", store, district.authority.trust(), load_signer(folder, "receiver"))
    ingest.begin()
    bodies = chain.add(1_150)
    batches = [sealed_batch(signer, bodies[start : start + 50]) for start in range(0, len(bodies), 50)]
    ingest.take([(events_topic("REC-0001"), batch) for batch in batches], NOW, 0)
    store.close()
    words = ["events", "--device", "REC-0001", "--after", "10", "--json", "--config", folder / "center.toml"]
    shown = json.loads(run("provisioning.center.cli", *words).stdout)["events"]
    assert [event["devseq"] for event in shown] == list(range(11, 1_151))


def test_a_kiosk_is_not_made_without_the_number_that_citizens_will_call(tmp_path: Path) -> None:
    TestDistrict(tmp_path, 1, moment=lambda: NOW)
    words = ["add-device", "KSK-0001", "--unit", "甲", "--broker", "b:1", "--hall", "大厅", "--audience", "hall-1"]
    place = ["--authority", tmp_path / "authority", "--out", tmp_path / "out"]
    found = provision(*words, *place)
    assert (found.returncode, (tmp_path / "out").exists()) == (2, False)
    assert "--complaint-phone" in found.stderr
    assert provision(*words, *place, "--complaint-phone", "0000-0000000").returncode == 0
    assert "8480" in (tmp_path / "out" / "kiosk.toml").read_text(encoding="utf-8")
