"""What the bench's commands say is what the next command takes; words that contradict each other do nothing."""

import json
import re
from datetime import datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from agent.wire.instant import BEIJING
from provisioning.authority.authority import Authority
from tests.provisioning.bench_room import NewDevice, bench, planned
from tests.provisioning.district import today
from tests.support.commands import run_here

A = "REC-0001"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """With one device that is enrolled."""
    with bench(tmp_path / "ca", now=today()) as desk:
        desk.inventory.plan(planned(1), today())
        device = NewDevice(desk, desk.card(A, today()), today())
        device.granted(desk.answer(device.request(), today()))
        return desk.authority


def types(authority: Authority, *words: object) -> CompletedProcess[str]:
    return run_here("provisioning.cli", *words, "--authority", authority.folder)


def test_the_audit_shows_the_moments_that_revoke_since_takes(authority: Authority) -> None:
    """In the computer's own zone, or in UTC, a theft would be dated hours away from what was read here."""
    acts = json.loads(types(authority, "audit", "show", "--json").stdout)["acts"]
    title, *lines = types(authority, "audit", "show").stdout.splitlines()
    assert "北京时间" in title
    assert len(lines) == len(acts)
    for line, act in zip(lines, acts, strict=True):
        moment = datetime.fromisoformat(act["at"]).astimezone(BEIJING)
        assert re.match(rf" *{act['number']} {moment:%Y-%m-%d %H:%M:%S} {act['by']} ", line)
        assert "{'" not in line


@pytest.mark.parametrize(
    "words",
    [
        ["inventory", "--csv", "--json"],
        ["inventory", "--csv", "--pending"],
        ["decommission", A, "--order", "order.dsse", "--reason", "已焚毁"],
        ["decommission", A, "--order", "order.dsse", "--statement", "said.dsse"],
    ],
)
def test_words_that_contradict_each_other_do_nothing(
    authority: Authority, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = types(authority, *words)
    assert (said.returncode, said.stdout) == (2, "")
    assert "单独使用" in said.stderr
    assert not (tmp_path / "order.dsse").exists()


@pytest.mark.parametrize("name", ["张三", "zhang-san", "REC-0001", "示例 1"])
def test_a_name_is_not_signed_into_an_assignment(authority: Authority, name: str) -> None:
    said = types(authority, "assign", A, "--officer", name)
    assert (said.returncode, "人员编号" in said.stderr) == (2, True)


def test_a_device_that_is_assigned_too_early_is_told_to_be_checked_first(authority: Authority) -> None:
    said = types(authority, "assign", A, "--officer", "示例-000001")
    assert (said.returncode, f"liuhen-provision check {A}" in said.stderr) == (2, True)


def test_a_mistyped_folder_is_not_said_to_need_an_authority_of_its_own(tmp_path: Path) -> None:
    said = run_here("provisioning.cli", "inventory", "--authority", tmp_path)
    assert (said.returncode, "请检查 --authority" in said.stderr) == (2, True)
    assert f"init-ca {tmp_path}" not in said.stderr
