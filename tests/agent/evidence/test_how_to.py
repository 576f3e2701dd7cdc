"""The page beside a recording: its very commands are run, on a sealed recording and on one from a dead device."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import SenderFault
from agent.evidence.bmff import Source
from agent.evidence.how_to import ALONE_NAME, ANSWER, COMMAND, HOW_TO_NAME, how_to_verify
from agent.evidence.how_to_signed import ROWS_NAME, rows_of, signed_steps
from agent.evidence.places import SegmentFile
from agent.evidence.recovery import examine
from tests.agent.evidence.attacks import AUTHORITY, Folder, recordings
from tests.agent.evidence.bench import flipped, make_authority
from tests.agent.evidence.handed_out import commands_of
from tests.agent.evidence.test_standalone import ALONE

RECORDINGS = recordings()
MAX_PAGE_LINES = 66  # one sheet of A4 at 10 points
SIDECARS = ("SHA256SUMS", "SHA256SUMS.p7s", "journal.jsonl")


def _exported(place: Path, folder: Folder) -> Path:
    for name, data in folder.items():
        (place / name).write_bytes(data)
    file = SegmentFile("segment-0001.mp4", Source.of_bytes(folder["segment-0001.mp4"]))
    by_hand, found = None, examine(file.source)
    if "SHA256SUMS.p7s" not in folder:
        rows = rows_of(ROWS_NAME, [(file, found)])
        (place / ROWS_NAME).write_bytes(rows.content)
        by_hand = signed_steps(file, found, rows)
    beside = {name: folder.get(name) for name in SIDECARS}
    page = how_to_verify(file, found, AUTHORITY.root, beside, by_hand=by_hand)
    (place / HOW_TO_NAME).write_text(page, encoding="utf-8")
    (place / "root.pem").write_bytes(AUTHORITY.root_pem)
    shutil.copy(ALONE, place / ALONE_NAME)
    return place


def follow(place: Path) -> dict[str, tuple[int, bool]]:
    """What every command of the page ended with, and whether it printed what it must."""
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # python3 with cryptography and cbor2
    results = {}
    for command, answer in commands_of((place / HOW_TO_NAME).read_text(encoding="utf-8")):
        line = ["bash", "-o", "pipefail", "-c", command]
        done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=place, timeout=60, env=path)
        results[command] = (done.returncode, _as_told(answer, done.stdout))
    return results


def _as_told(answer: str, printed: str) -> bool:
    """Whether a person who compares letter by letter finds what the page tells; an answer may end within a line."""
    return printed == f"{answer}\n" or (answer.endswith(": ") and printed.startswith(answer)) or printed == answer == ""


def _of(results: dict[str, tuple[int, bool]], word: str) -> list[tuple[int, bool]]:
    return [result for command, result in results.items() if word in command]


def test_sealed_recording_verifies_by_the_page_alone(tmp_path: Path) -> None:
    results = follow(_exported(tmp_path, RECORDINGS["three segments"]))
    assert list(results.values()) == [(0, True)] * 10
    for tool in ("openssl cms", "openssl verify", "sha256sum -c", "| sha256sum", "| od", ALONE_NAME):
        assert _of(results, tool), tool


@pytest.mark.parametrize(("name", "code"), [("never sealed", 11), ("live, cut by 500", 12)])
def test_unsealed_recording_of_a_dead_device_verifies_by_the_page_alone(tmp_path: Path, name: str, code: int) -> None:
    place = _exported(tmp_path, RECORDINGS[name])
    assert "没有签名的散列清单" in (place / HOW_TO_NAME).read_text(encoding="utf-8")
    *by_hand, alone = follow(place).values()
    assert by_hand == [(0, True)] * 8
    assert alone == (code, True)


@pytest.mark.parametrize("name", ["clock never set", "one segment"])
def test_recording_of_a_clock_that_was_never_set_verifies_by_the_page(tmp_path: Path, name: str) -> None:
    """Its certificates are asked about today: nobody knows when it was."""
    results = follow(_exported(tmp_path, RECORDINGS[name]))
    assert set(results.values()) == {(0, True)}, results


@pytest.mark.parametrize("at", ["media", "journal", "last", "manifest"])
def test_change_in_a_dead_devices_recording_is_noticed_by_hand(tmp_path: Path, at: str) -> None:
    """Without the last step, which is a program of ours: dd, sha256sum and openssl alone."""
    folder = RECORDINGS["never sealed"]
    place, data = _exported(tmp_path, folder), folder["segment-0001.mp4"]
    records = examine(Source.of_bytes(data)).fragments
    claim = data.index(b"c2pa.claim.v2") + 200
    offset = {"media": records[2].media_offset + 900, "journal": records[2].media_offset - 60,
              "last": records[-1].media_offset - 60, "manifest": claim}[at]  # fmt: skip
    (place / "segment-0001.mp4").write_bytes(flipped(data, offset))
    *by_hand, _ = follow(place).values()
    assert not all(told for _, told in by_hand)
    assert len((place / HOW_TO_NAME).read_text(encoding="utf-8").splitlines()) <= MAX_PAGE_LINES


def test_command_whose_answer_is_not_told_leaves_nobody_guessing(tmp_path: Path) -> None:
    lines = (_exported(tmp_path, RECORDINGS["one segment"]) / HOW_TO_NAME).read_text(encoding="utf-8").splitlines()
    after = [lines[number + 1] for number, line in enumerate(lines) if line.startswith(COMMAND)]
    assert len(after) == 10
    assert all(line.startswith(ANSWER) for line in after)


def test_changed_fragment_is_noticed_by_hand(tmp_path: Path) -> None:
    folder = RECORDINGS["one segment"]
    place = _exported(tmp_path, folder)
    record = examine(Source.of_bytes(folder["segment-0001.mp4"])).fragments[2]
    (place / "segment-0001.mp4").write_bytes(flipped(folder["segment-0001.mp4"], record.media_offset + 900))
    results = follow(place)
    assert _of(results, "sha256sum -c") == [(1, False)]
    assert _of(results, f"skip={record.media_offset} ") == [(0, False)]
    assert _of(results, ALONE_NAME) == [(13, True)]


def test_another_root_is_noticed_at_the_first_step(tmp_path: Path) -> None:
    place = _exported(tmp_path, RECORDINGS["one segment"])
    (place / "root.pem").write_bytes(make_authority("beidou").root_pem)
    results = follow(place)
    assert _of(results, "-fingerprint") == [(0, False)]
    assert all(code != 0 for code, _ in [*_of(results, "openssl cms"), *_of(results, "openssl verify")])
    assert _of(results, ALONE_NAME) == [(14, True)]


def test_page_is_one_page() -> None:
    folder = RECORDINGS["one segment"]
    file = SegmentFile("segment-0001.mp4", Source.of_bytes(folder["segment-0001.mp4"]))
    page = how_to_verify(file, examine(file.source), AUTHORITY.root, {name: folder.get(name) for name in SIDECARS})
    assert len(page.splitlines()) <= MAX_PAGE_LINES


def test_file_that_nothing_can_be_checked_in_gets_no_page() -> None:
    file = SegmentFile("segment-0001.mp4", Source.of_bytes(bytes(500)))
    with pytest.raises(SenderFault, match="没有可验证的片段"):
        how_to_verify(file, examine(file.source), AUTHORITY.root, {})


def test_standalone_verifier_without_its_packages_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", ALONE, "."], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "needs: pip install cryptography cbor2\n")
