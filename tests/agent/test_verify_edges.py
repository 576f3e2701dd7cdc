"""`liuhen-verify` where it is easy to go wrong: no root, excerpts, thousands of files, long names, small screens."""

import json
import re
import resource
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from agent.evidence.bmff import Source
from agent.evidence.clip import cut
from agent.evidence.journal import Reason
from agent.evidence.recovery import examine
from agent.evidence.report import NO_ROOTS
from tests.agent.evidence.bench import NOW, Authority, Bench, flipped, make_authority
from tests.agent.evidence.photos import photo
from tests.agent.test_verify_cli import _verify_exactly, _write
from tests.support.media import FRAGMENT_MS
from tests.support.terminal import on_terminal

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
FEW_FILES = 64


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture
def recording(tmp_path: Path, authority: Authority) -> Path:
    """A whole recording with a root.pem in its folder and above it, as an attacker may lay them there."""
    bench = Bench(authority.signer())
    place = tmp_path / "REC-0001-R000001"
    _write(place, bench, [bench.sealed()])
    for folder in (place, tmp_path):
        (folder / "root.pem").write_bytes(authority.root_pem)
    return place


def _excerpt(data: bytes, first: int, last: int) -> bytes:
    source = Source.of_bytes(data)
    begin = NOW + timedelta(milliseconds=FRAGMENT_MS) * (first - 1)
    clip = cut(source, examine(source), begin, begin + timedelta(milliseconds=FRAGMENT_MS) * (last - first + 1))
    return clip.head + data[clip.offset : clip.offset + clip.size]


def test_root_that_lies_beside_the_recording_is_not_trusted(recording: Path) -> None:
    """Whoever forges a recording can lay the root of his own making beside it."""
    for path in (recording, recording / "segment-0001.mp4"):
        done = _verify_exactly(path, "--json")
        report = json.loads(done.stdout)
        assert (done.returncode, report["verdict"]) == (14, "untrusted")
        assert report["layers"]["trust"] == {"ok": None, "status": "not-judged", "lines": [NO_ROOTS]}
        assert report["layers"]["integrity"]["ok"] is True
    assert "--roots" in NO_ROOTS


def test_photo_without_a_given_root_is_not_trusted(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "p.jpg").write_bytes(photo(authority.signer()))
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    done = _verify_exactly(tmp_path / "p.jpg", "--json")
    assert (done.returncode, json.loads(done.stdout)["layers"]["trust"]["status"]) == (14, "not-judged")


def test_photo_is_called_a_photo_and_not_a_film_of_nothing(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "p.jpg").write_bytes(photo(authority.signer()))
    done = _verify_exactly(tmp_path / "p.jpg")
    assert ("照片" in done.stdout, "0 段" in done.stdout) == (True, False)


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_command_without_a_path_says_so_in_one_chinese_line(words: list[str]) -> None:
    done = _verify_exactly(*words)
    assert (done.returncode, done.stderr.count("\n"), "没有给出 PATH" in done.stderr) == (2, 1, True)


def test_folder_without_anything_to_verify_passes_nothing(tmp_path: Path, authority: Authority) -> None:
    """Bites when no finding is taken for a good one: an empty folder is not unchanged."""
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    (tmp_path / "empty").mkdir()
    done = _verify_exactly(tmp_path / "empty", "--roots", tmp_path / "root.pem", "--json")
    report = json.loads(done.stdout)
    assert done.returncode != 0
    assert report["layers"]["integrity"]["status"] == "not-judged"
    assert "这里没有可核验的录像" in report["layers"]["integrity"]["lines"][0]


def test_every_photo_in_a_folder_of_photos_is_judged(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    good = photo(authority.signer())
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(good)
    (folder / "b.jpg").write_bytes(flipped(good, len(good) - 9))
    done = _verify_exactly(folder, "--roots", tmp_path / "root.pem", "--json")
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(Path(it["path"]).name, it["verdict"]) for it in reports] == [("a.jpg", "complete"), ("b.jpg", "altered")]
    assert done.returncode == 13


def test_photos_of_a_recording_whose_segments_are_gone_do_not_hide_that(recording: Path, authority: Authority) -> None:
    for segment in recording.glob("segment-*.mp4"):
        segment.unlink()
    (recording / "photo-20261122T020000000Z-0a1b2c3d.jpg").write_bytes(photo(authority.signer()))
    report = json.loads(_verify_exactly(recording, "--roots", recording.parent / "root.pem", "--json").stdout)
    assert "文件夹中没有任何分段文件" in report["layers"]["completeness"]["lines"][0]


def test_change_is_worse_than_a_root_that_was_not_given(recording: Path) -> None:
    segment = recording / "segment-0001.mp4"
    segment.write_bytes(flipped(segment.read_bytes(), segment.stat().st_size - 9))
    assert _verify_exactly(recording).returncode == 13


@pytest.mark.parametrize("option", ["PATH", "photo", "--roots", "--trust", "--receipts", "--report"])
def test_name_of_300_characters_is_one_line_and_2(recording: Path, option: str) -> None:
    long = recording.parent / ("长" * 300 + (".jpg" if option == "photo" else ""))
    root = recording.parent / "root.pem"
    asked = [recording, option, long] if option.startswith("--") else [long]
    done = _verify_exactly(*asked, *([] if option == "--roots" else ["--roots", root]))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_more_segments_than_files_may_be_open_are_verified(tmp_path: Path, authority: Authority) -> None:
    bench = Bench(authority.signer())
    bench.media = type(bench.media)(bench.media.init, bench.media.fragments[:1])
    count = FEW_FILES * 2
    _write(tmp_path / "r", bench, [bench.sealed(Reason.CONTINUED) for _ in range(count - 1)] + [bench.sealed()])
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    command = [sys.executable, "-m", "agent.verify_cli", str(tmp_path / "r"), "--roots", str(tmp_path / "root.pem")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_FILES, FEW_FILES)),
    )
    assert (done.returncode, f"{count} 段" in done.stdout) == (0, True), done.stdout + done.stderr


def test_excerpt_is_called_an_excerpt_and_not_missing(tmp_path: Path, authority: Authority) -> None:
    bench = Bench(authority.signer())
    place = tmp_path / "excerpt-segment-0001-3-4.mp4"
    place.write_bytes(_excerpt(bench.sealed(), 3, 4))
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    done = _verify_exactly(place, "--roots", tmp_path / "root.pem", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"], report["places"]) == (11, "unexplained-gap", [])
    words = "".join(report["layers"]["completeness"]["lines"])
    assert "节选，录制 REC-0001-R000001 第 3 至 4 片段" in words
    assert "原签名均有效" in words
    assert "恢复封存" not in words


@pytest.mark.parametrize("attack", ["bit", "hole", "tail"])
def test_changed_excerpt_is_no_excerpt(tmp_path: Path, authority: Authority, attack: str) -> None:
    data = _excerpt(Bench(authority.signer()).sealed(), 2, 5)
    rows = examine(Source.of_bytes(data)).fragments
    changed = {
        "bit": flipped(data, rows[1].media_offset + 900),
        "hole": data[: rows[1].offset] + data[rows[2].offset :],
        "tail": data[:-7],
    }[attack]
    (tmp_path / "x.mp4").write_bytes(changed)
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    done = _verify_exactly(tmp_path / "x.mp4", "--roots", tmp_path / "root.pem")
    assert (done.returncode, "节选" in done.stdout) == ({"bit": 13, "hole": 12, "tail": 12}[attack], False)


def test_recording_whose_beginning_was_taken_away_is_missing_it_and_no_excerpt(
    recording: Path, authority: Authority
) -> None:
    """In the folder of a recording the file is meant to be a segment: there the first fragments are missing."""
    segment = recording / "segment-0001.mp4"
    segment.write_bytes(_excerpt(segment.read_bytes(), 3, 6))
    for name in ("journal.jsonl", "SHA256SUMS", "SHA256SUMS.p7s"):
        (recording / name).unlink()
    done = _verify_exactly(recording, "--roots", recording.parent / "root.pem")
    assert (done.returncode, "节选" in done.stdout) == (12, False)


def test_60_columns_break_no_line_in_its_middle(recording: Path) -> None:
    root = recording.parent / "root.pem"
    command = [sys.executable, "-m", "agent.verify_cli", str(recording), "--roots", str(root)]
    code, screen = on_terminal(command, 60)
    lines = ESCAPE.sub("", screen).split("\r\n")
    assert code == 0
    assert max(map(cell_len, lines)) <= 60
    continued = [line for line in lines if line.startswith("    ") and not line.startswith("     ")]
    assert any("误差界" in line or "时间戳" in line for line in continued)


def test_thousand_bad_fragments_are_told_on_one_screen(tmp_path: Path, authority: Authority) -> None:
    bench = Bench(authority.signer())
    bench.media = type(bench.media)(bench.media.init, bench.media.fragments[:1] * 1000)
    data = bytearray(bench.sealed())
    for record in bench.records[::2]:
        data[record.offset + record.size - 5] ^= 1
    (tmp_path / "segment-0001.mp4").write_bytes(data)
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    done = _verify_exactly(tmp_path / "segment-0001.mp4", "--roots", tmp_path / "root.pem")
    assert done.returncode == 13
    assert len(done.stdout.splitlines()) < 80
    assert "…另有 480 处，见 --json。" in done.stdout
