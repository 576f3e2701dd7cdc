"""The whole job on one computer, as `make demo` shows it, judged by software that none of us wrote."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.agent.evidence.foreign import c2pa_state, encypher_accepts
from tests.scenarios.rehearsing import COMMAND, REHEARSAL, rehearse

FOOTAGE = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
pytestmark = REHEARSAL


def test_the_last_line_tells_what_happened(told: dict[str, Any], place: Path) -> None:
    assert [(row["device"], row["verdict"], row["recovered"]) for row in told["recordings"]] == [
        ("REC-0001", "complete", False),
        ("REC-0002", "explained-gap", True),
    ]
    assert told["broker"]["kind"] in ("mosquitto", "embedded")
    assert told["trust_roots"] == str(place / "authority" / "root.pem")
    assert told["events"]["published"] == told["events"]["received"] == told["events"]["receipted"] > 10
    assert told["tampered"]["verdict"] == "altered"
    assert told["kiosk"]["url"].startswith("http://127.0.0.1:")
    assert told["failures"] == []


def test_recordings_are_as_long_as_they_say(told: dict[str, Any]) -> None:
    for row in told["recordings"]:
        # 0.5 s fragments; the last of a recording that was stopped may be shorter
        assert row["fragments"] == pytest.approx(row["duration_s"] * 2, abs=1.5)
    assert told["recordings"][0]["duration_s"] >= 4


def test_foreign_verifiers_trust_both_recordings(told: dict[str, Any]) -> None:
    root = Path(told["trust_roots"]).read_bytes()
    for row in told["recordings"]:
        film = Path(row["path"]).read_bytes()
        assert c2pa_state(film, root, explicit=False) == "Trusted"
        assert encypher_accepts(film, root)


def test_foreign_verifiers_refuse_the_flipped_byte(told: dict[str, Any], place: Path) -> None:
    root = Path(told["trust_roots"]).read_bytes()
    altered = next((place / "altered").glob("*/segment-0001.mp4")).read_bytes()
    assert c2pa_state(altered, root) == "Invalid"
    assert not encypher_accepts(altered, root)


def test_no_secret_of_the_district_is_readable_by_others(told: dict[str, Any], place: Path) -> None:
    keys = list(place.rglob("*.key"))
    assert len(keys) > 8
    assert {key.stat().st_mode & 0o077 for key in keys} == {0}


def test_a_folder_with_something_in_it_is_left_alone(told: dict[str, Any], place: Path) -> None:
    again = subprocess.run([COMMAND, "rehearse", "--once", "--dir", place], check=False, capture_output=True, text=True)
    assert again.returncode == 2
    assert "不是空目录" in again.stderr
    assert "Traceback" not in again.stderr


@pytest.mark.skipif(not FOOTAGE.exists(), reason="real footage: Debian package opencv-doc is not installed")
def test_real_footage_through_the_embedded_broker_holds_too(tmp_path: Path) -> None:
    told = rehearse(tmp_path / "district", "--seconds", "3", "--broker", "embedded", "--camera", f"file:{FOOTAGE}")
    assert told["broker"]["kind"] == "embedded"
    assert [row["verdict"] for row in told["recordings"]] == ["complete", "explained-gap"]
    film = Path(told["recordings"][0]["path"]).read_bytes()
    assert c2pa_state(film, Path(told["trust_roots"]).read_bytes()) == "Trusted"


@pytest.mark.parametrize("camera", ["bogus", "file:/no/such/film.mp4"])
def test_a_camera_that_cannot_be_is_told_before_anything_is_built(tmp_path: Path, camera: str) -> None:
    argv = [COMMAND, "rehearse", "--once", "--camera", camera, "--dir", tmp_path / "district"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "district").exists()


def test_an_unreadable_camera_ends_with_the_devices_own_words_and_still_with_json(tmp_path: Path) -> None:
    argv = [COMMAND, "rehearse", "--once", "--json", "--camera", "v4l2:/no/such/camera", "--dir", tmp_path / "district"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 4
    assert "/no/such/camera" in done.stderr
    assert "/no/such/camera" in json.loads(done.stdout.splitlines()[-1])["failures"][0]
