"""Faults in mid-recording, played with the real processes of a small district."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from provisioning.rehearsal.processes import command, run, wait_until
from provisioning.rehearsal.roles import start_broker, start_center, start_recorder
from provisioning.rehearsal.stage import Stage

pytestmark = pytest.mark.xdist_group("rehearsal")
DEVICE, FILM, SEALED = "REC-0001", "recordings/*/segment-0001.mp4.enc", "recordings/*/SHA256SUMS.p7s"
SECONDS = 30.0


def stored_events(stage: Stage) -> list[dict[str, Any]]:
    from json import loads

    config = stage.district.center / "center.toml"
    shown = run([command("liuhen-center"), "events", "--config", config, "--device", DEVICE, "--json"])
    events: list[dict[str, Any]] = loads(shown)["events"]
    return events


def record(stage: Stage, until: int) -> Path:
    """Press, let the film grow to `until` bytes, press again, wait for the seal."""
    stage.press(DEVICE)
    film = stage.wait_for_file(DEVICE, FILM, SECONDS)
    wait_until("film", lambda: film.stat().st_size > until, SECONDS, [stage.roles[DEVICE]])
    stage.press(DEVICE)
    stage.wait_for_file(DEVICE, SEALED, SECONDS)
    return film


def test_events_made_while_the_broker_is_down_all_arrive_and_none_twice(stage: Stage) -> None:
    start_broker(stage)
    start_center(stage)
    start_recorder(stage, DEVICE)
    stage.roles["broker"].stop()
    film = record(stage, 500_000)
    waiting = stage.status(DEVICE)["waiting"]
    assert waiting >= 2
    start_broker(stage)
    stage.wait_for_receipts([DEVICE], SECONDS)
    assert stage.findings.failures == []
    events = stored_events(stage)
    assert [event["devseq"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["id"] for event in events}) == len(events)
    kinds = [event["type"] for event in events]
    assert "liuhen.recording.started.v1" in kinds
    assert "liuhen.recording.sealed.v1" in kinds
    assert stage.verify(film.parent)["verdict"] == "complete"


def test_a_centre_killed_with_events_on_the_way_stores_each_once(stage: Stage) -> None:
    start_broker(stage)
    start_center(stage)
    start_recorder(stage, DEVICE)
    stage.press(DEVICE)
    film = stage.wait_for_file(DEVICE, FILM, SECONDS)
    for _ in range(3):
        stage.roles["center"].kill()
        start_center(stage)
    wait_until("film", lambda: film.stat().st_size > 500_000, SECONDS, [stage.roles[DEVICE]])
    stage.press(DEVICE)
    stage.wait_for_file(DEVICE, SEALED, SECONDS)
    stage.wait_for_receipts([DEVICE], SECONDS)
    assert stage.findings.failures == []
    with closing(sqlite3.connect(stage.district.center / "center.db")) as store:
        rows = store.execute("select devseq from event order by devseq").fetchall()
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))


def test_a_recorder_without_any_broker_records_seals_and_keeps_its_events(stage: Stage) -> None:
    link = stage.district.button(DEVICE)
    program = (command("python"), "-m", "firmware_hooks.simulated_mcu", "--link", link)
    stage.start(f"{DEVICE}-button", *program, with_input=True)
    wait_until("button", link.exists, SECONDS)
    stage.start_agent(DEVICE)
    wait_until("agent", lambda: (stage.district.device(DEVICE) / "state" / "agent.db").exists(), SECONDS)
    wait_until("running", lambda: stage.status(DEVICE)["running"] and stage.status(DEVICE)["waiting"], SECONDS)
    film = record(stage, 300_000)
    assert stage.verify(film.parent)["verdict"] == "complete"
    assert stage.status(DEVICE)["waiting"] >= 3
    assert stage.roles[DEVICE].stop() == 0


def test_a_missing_certificate_ends_the_agent_with_one_line(stage: Stage) -> None:
    folder = stage.district.device(DEVICE)
    (folder / "tls.pem").unlink()
    argv = [command("liuhen-agent"), "run", "--config", folder / "agent.toml"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "tls.pem" in done.stderr
    assert "Traceback" not in done.stderr
