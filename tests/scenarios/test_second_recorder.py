"""Two officers, two recorders: what one of them saw proves what the other one's recording has lost."""

import json
import subprocess
from pathlib import Path

import pytest

from agent.evidence.bmff import Source
from agent.evidence.recovery import examine
from agent.wire.device_events import EVENTS_TYPE
from agent.wire.envelope import parse_envelope
from agent.wire.trust import TRUST_TYPE
from provisioning.rehearsal.processes import command, run, wait_until
from provisioning.rehearsal.roles import start_broker, start_center, start_recorder
from provisioning.rehearsal.stage import Stage

pytestmark = pytest.mark.xdist_group("rehearsal")
FIRST, SECOND, SECONDS = "REC-0001", "REC-0002", 30.0


def countersigned(stage: Stage) -> list[dict[str, object]]:
    config = stage.district.center / "center.toml"
    shown = run([command("liuhen-center"), "events", "--config", config, "--device", SECOND, "--json"])
    return [event for event in json.loads(shown)["events"] if event["type"] == "liuhen.recording.countersigned.v1"]


def verdict(stage: Stage, recording: Path, *more: str | Path) -> tuple[str, str]:
    """The verdict and the whole report."""
    words = [command("liuhen-verify"), recording, "--roots", stage.district.root, "--json", *more]
    shown = subprocess.run(list(map(str, words)), capture_output=True, check=False, text=True).stdout
    (report,) = shown.splitlines()
    return json.loads(report)["verdict"], report


def in_the_clear(config: Path) -> None:
    config.write_text("".join(line for line in config.read_text().splitlines(True) if "archive_key" not in line))


def test_a_tail_cut_from_one_recorder_is_proved_by_the_other_ones_signed_word(stage: Stage, tmp_path: Path) -> None:
    start_broker(stage)
    start_center(stage)
    in_the_clear(stage.district.device(FIRST) / "agent.toml")  # what is cut away has to be looked at
    for device in (FIRST, SECOND):
        start_recorder(stage, device)
    stage.press(FIRST)
    film = stage.wait_for_file(FIRST, "recordings/*/segment-0001.mp4", SECONDS)
    wait_until("film", lambda: film.stat().st_size > 300_000, SECONDS, [stage.roles[FIRST]])
    copy = tmp_path / "cut" / film.parent.name
    copy.mkdir(parents=True)
    held = film.read_bytes()[:200_000]  # somebody holds the device; the end is gone, cut cleanly behind a fragment
    (copy / film.name).write_bytes(held[: examine(Source.of_bytes(held)).intact_bytes])
    stage.press(FIRST)
    stage.wait_for_file(FIRST, "recordings/*/SHA256SUMS.p7s", SECONDS)
    wait_until("the witness", lambda: countersigned(stage), SECONDS, [stage.roles[SECOND]])
    whole = tmp_path / "account.jsonl"
    run([command("liuhen-center"), "export", "--config", stage.district.center / "center.toml", "--device", FIRST,
         "--out", whole])  # fmt: skip
    lines = [line for line in whole.read_bytes().splitlines() if SECOND.encode() in parse_envelope(line).payload]
    kinds = {parse_envelope(line).payload_type for line in lines}
    assert kinds == {EVENTS_TYPE, TRUST_TYPE}  # no receipt, nothing of the centre's
    alone = tmp_path / "second.jsonl"
    alone.write_bytes(b"\n".join(lines))
    assert verdict(stage, film.parent, "--receipts", alone)[0] == "complete"
    assert verdict(stage, copy)[0] == "unexplained-gap"  # the file alone does not show that anything followed
    found, told = verdict(stage, copy, "--receipts", alone)
    assert found == "missing"
    assert f"{SECOND} 于" in told
