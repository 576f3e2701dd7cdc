"""The verifier in one file: it knows nothing of ours, and says the same about every recording, honest or attacked."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509

from agent.evidence.bmff import Source
from agent.evidence.reasons import EXPLANATION, Explained
from agent.evidence.report import Verdict
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording
from tests.agent.evidence.attacks import AUTHORITY, Folder, recordings
from tests.agent.evidence.bench import NOW

ALONE = Path(__file__).parents[3] / "agent" / "evidence" / "standalone" / "liuhen_verify.py"
VECTOR = Path(__file__).parents[2] / "vectors" / "evidence_segment.mp4"
RECORDINGS = recordings()
MAX_LINES = 300


@pytest.fixture(scope="module")
def alone() -> ModuleType:
    spec = importlib.util.spec_from_file_location("liuhen_verify", ALONE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _written(place: Path, folder: Folder) -> Path:
    place.mkdir()
    for name, data in folder.items():
        (place / name).write_bytes(data)
    return place


def _ours(folder: Folder, *, whole: bool = True) -> str:
    names = sorted(name for name in folder if name.endswith(".mp4"))
    files = [SegmentFile(name, Source.of_bytes(folder[name])) for name in names]
    beside = Sidecars(*(folder.get(name) for name in ("journal.jsonl", "SHA256SUMS", "SHA256SUMS.p7s")))
    return verify_recording(files, [AUTHORITY.root], NOW, beside if whole else None).verdict.value


def _alone(alone: ModuleType, place: Path) -> str:
    return str(alone.verify(place, [x509.load_pem_x509_certificate(AUTHORITY.root_pem)])[0])


@pytest.mark.parametrize("name", RECORDINGS)
def test_both_verifiers_agree(alone: ModuleType, tmp_path: Path, name: str) -> None:
    folder = RECORDINGS[name]
    place = _written(tmp_path / "recording", folder)
    assert _alone(alone, place) == _ours(folder)
    if set(folder) == {"segment-0001.mp4"}:
        assert _alone(alone, place / "segment-0001.mp4") == _ours(folder, whole=False)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("words after the gap", "explained-gap"),
        ("words before the gap", "unexplained-gap"),
        ("words only while muted", "unexplained-gap"),
        ("words about the last of two", "unexplained-gap"),
        ("words about two of the same cause", "explained-gap"),
        ("words about each of two", "explained-gap"),
        ("ten minutes, covered", "explained-gap"),
        ("ten minutes, in two parts", "explained-gap"),
        ("ten minutes, beside 200 ms", "unexplained-gap"),
        ("ten minutes, with 200 ms in it", "unexplained-gap"),
        ("ten minutes, while frozen", "unexplained-gap"),
        ("ten minutes, only an end", "unexplained-gap"),
        ("ten minutes, never closed", "explained-gap"),
    ],
)
def test_words_and_gaps_explain_only_what_they_are_about(name: str, verdict: str) -> None:
    assert _ours(RECORDINGS[name]) == verdict


def test_several_paths_end_with_the_worst_and_one_unreadable_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(AUTHORITY.root_pem)
    altered = _written(tmp_path / "altered", RECORDINGS["sealed, two swapped"])
    foreign = _written(tmp_path / "foreign", RECORDINGS["certificate of a stranger"])
    paths = [str(altered), "nowhere", str(foreign)]
    command = [sys.executable, "-I", str(ALONE), *paths, "--root", "root.pem", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert [json.loads(line)["verdict"] for line in done.stdout.splitlines()] == ["altered", "untrusted"]
    assert (done.returncode, "nowhere" in done.stderr) == (13, True)


def test_the_recordings_play_every_verdict() -> None:
    assert {_ours(folder) for folder in RECORDINGS.values()} == {verdict.value for verdict in Verdict}


def test_committed_vector_is_complete_by_itself(alone: ModuleType) -> None:
    assert _alone(alone, VECTOR) == "complete"


def test_it_runs_alone_isolated_from_the_house(tmp_path: Path) -> None:
    """A copy elsewhere, `-I` (no PYTHONPATH, no current folder): only cryptography and cbor2 can be found."""
    copy = shutil.copy(ALONE, tmp_path)
    (tmp_path / "root.pem").write_bytes(AUTHORITY.root_pem)
    good = _written(tmp_path / "good", RECORDINGS["one segment"])
    bad = _written(tmp_path / "bad", RECORDINGS["sealed, two swapped"])
    command = [sys.executable, "-I", copy, str(good), str(bad), "--root", str(tmp_path / "root.pem"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (13, "")
    assert [json.loads(line)["verdict"] for line in done.stdout.splitlines()] == ["complete", "altered"]
    absent = [*command[:3], "nowhere", "--root", "root.pem"]
    nothing = subprocess.run(absent, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert nothing.returncode == 2
    assert "Traceback" not in nothing.stderr


def test_it_is_short_enough_to_be_read() -> None:
    assert len(ALONE.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_it_asks_nobody_to_explain_what_the_one_table_leaves_to_the_device() -> None:
    by_device = {reason.value for reason, needs in EXPLANATION.items() if needs is Explained.BY_DEVICE}
    line = re.search(r"^BY_DEVICE = \((.*?)\)", ALONE.read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None
    assert set(re.findall(r'"([a-z-]+)"', line[1])) == by_device
