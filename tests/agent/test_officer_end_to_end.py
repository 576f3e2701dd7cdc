"""An officer at a real daemon: presses on the serial line, then a written note; told by `liuhen-verify`."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.evidence.journal import Reason
from firmware_hooks.frames import Action, Press
from firmware_hooks.simulated_mcu import SimulatedMcu
from tests.agent.test_app import Site
from tests.support.center import until
from tests.support.commands import run_here

RECORDING = "REC-0001-R000001"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with SimulatedMcu() as mcu:
        made = Site(tmp_path, mcu)
        yield made
        made.end()


def verified(path: Path, site: Site) -> dict:
    root = site.config.with_name("root.pem")
    return json.loads(run_here("agent.verify_cli", path, "--roots", root, "--json").stdout)


def add_note(site: Site, *words: str, recording: str = RECORDING) -> subprocess.CompletedProcess[str]:
    return run_here("agent.cli", "note", recording, "--config", site.config, *words)


def tree(folder: Path) -> dict[str, str]:
    return {place.name: hashlib.sha256(place.read_bytes()).hexdigest() for place in folder.iterdir() if place.is_file()}


def test_muted_recording_with_a_photo_is_unexplained_until_somebody_writes_why(site: Site) -> None:
    daemon = site.daemon().ready()
    site.mcu.press()
    until(lambda: site.segment_bytes() > 50_000, "some fragments are on the disk")
    site.mcu.ask(Action.MUTE, 7)
    site.mcu.press(Press.DOUBLE)
    until(lambda: list(site.state.glob("recordings/*/photo-*.jpg")), "a photo")
    before = site.segment_bytes()
    until(lambda: site.segment_bytes() > before + 50_000, "some silence is on the disk")
    site.mcu.press()
    folder = site.state / "recordings" / RECORDING
    until(lambda: (folder / "SHA256SUMS.p7s").exists(), "the seal")
    (photo,) = site.state.glob("recordings/*/photo-*.jpg")
    assert verified(photo, site)["verdict"] == "complete"
    report = verified(folder, site)
    assert (report["verdict"], report["exit_code"]) == ("unexplained-gap", 11)
    assert any("涉密/商业秘密/个人隐私" in line for line in report["layers"]["completeness"]["lines"])

    words = ["--reason", "secrecy", "--author", "示例-000001", "--text"]
    untouched = tree(folder)
    for wrong, told in (
        ([*words[:1], "because", *words[2:], "x"], "没有原因代码"),
        ([*words, " "], "说明文字应有"),
        ([*words, "电话 13800138000"], "手机号"),
        ([*words, "x", "--first", "9", "--last", "2"], "片段范围应在"),
        ([*words, "x", "--last", "90000"], "片段范围应在"),
    ):
        refused = add_note(site, *wrong)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
        assert told in refused.stderr
    assert "没有录制" in add_note(site, *words, "x", recording="REC-0001-R000009").stderr
    for text in ("现场出现商业秘密，应当事人要求静音。", "补充：静音约两秒。"):
        done = add_note(site, *words, text)
        assert done.returncode == 0, done.stderr
    assert tree(folder) == untouched
    assert sorted(place.name for place in (folder / "notes").iterdir()) == ["0001.dsse", "0002.dsse"]
    report = verified(folder, site)
    assert (report["verdict"], report["exit_code"]) == ("explained-gap", 10)
    assert any("应当事人要求静音" in line for line in report["layers"]["completeness"]["lines"])
    assert daemon.stop() == 0

    (folder / "notes" / "0001.dsse").unlink()
    assert verified(folder, site)["verdict"] == "missing"
    assert "编号不连续" in add_note(site, *words, "x").stderr
    assert Reason.MUTED in {
        event["reason"]
        for line in (folder / "journal.jsonl").read_text().splitlines()
        for event in json.loads(line)["events"]
    }


def test_unsealed_recording_takes_no_note(site: Site) -> None:
    folder = site.state / "recordings" / RECORDING
    folder.mkdir(parents=True)
    refused = add_note(site, "--reason", "other", "--author", "示例-000001", "--text", "x")
    assert refused.returncode == 2
    assert "还没有封存" in refused.stderr
