"""`liuhen-verify` as a stranger runs it: its exit codes, its words, its patience with bad files."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.evidence.journal import Reason
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.wire.identifiers import Digest
from tests.agent.evidence.bench import Authority, Bench, flipped, make_authority
from tests.support.media import make_media

MAX_RSS_BYTES = 100 * 1024 * 1024
# ru_maxrss would count the parent's memory before exec; the high-water mark of the process itself does not.
WATCHED = """
import atexit, sys
from agent.verify_cli import main
lines = open("/proc/self/status")
atexit.register(lambda: sys.stderr.write(next(line for line in lines if line.startswith("VmHWM"))))
main()
"""
NO_ROOT = "没有找到 root.pem"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture
def place(tmp_path: Path, authority: Authority) -> Path:
    """A state folder with two recordings of REC-0001 and the root above them."""
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    for number, reason in ((1, Reason.STOPPED), (2, Reason.CAMERA_LOST)):
        bench = Bench(authority.signer(), number=number)
        _write(tmp_path / f"REC-0001-R{number:06d}", bench, [bench.sealed(Reason.CONTINUED), bench.sealed(reason)])
    return tmp_path


def _write(folder: Path, bench: Bench, segments: list[bytes]) -> None:
    folder.mkdir()
    files = {f"segment-{number:04d}.mp4": data for number, data in enumerate(segments, start=1)}
    files["journal.jsonl"] = journal_lines(bench.records)
    files["SHA256SUMS"] = sha256sums({name: Digest(hashlib.sha256(data).hexdigest()) for name, data in files.items()})
    files["SHA256SUMS.p7s"] = sign_sums(files["SHA256SUMS"], bench.signer)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _verify(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent.verify_cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=Path.cwd())
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_whole_recording_ends_with_0_and_the_verdict_in_both_languages(place: Path) -> None:
    done = _verify(place / "REC-0001-R000001")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "完整 complete" in done.stdout
    assert "不证明画面内容属实" in done.stdout


def test_several_paths_end_with_the_worst_code(place: Path) -> None:
    assert _verify(place / "REC-0001-R000001", place / "REC-0001-R000002").returncode == 10


def test_json_names_the_damaged_fragment(place: Path) -> None:
    segment = place / "REC-0001-R000001" / "segment-0002.mp4"
    data = segment.read_bytes()
    segment.write_bytes(flipped(data, len(data) - 9))
    done = _verify(place / "REC-0001-R000001", "--json", "--root", place / "root.pem")
    report = json.loads(done.stdout)
    assert (done.returncode, report["exit_code"], report["verdict"]) == (13, 13, "altered")
    named = report["places"][0]
    assert (named["segment"], named["sequence"], named["kind"]) == (2, 2 * len(make_media().fragments), "mdat")
    assert named["captured"].startswith("2026-11-22T02:00:0")


def test_removed_segment_ends_with_12(place: Path) -> None:
    (place / "REC-0001-R000001" / "segment-0001.mp4").unlink()
    done = _verify(place / "REC-0001-R000001")
    assert done.returncode == 12
    assert "缺失 missing" in done.stdout


def test_root_of_another_district_ends_with_14(place: Path) -> None:
    other = place / "other.pem"
    other.write_bytes(make_authority("beidou").root_pem)
    assert _verify(place / "REC-0001-R000001", "--root", other).returncode == 14


def test_single_segment_is_verified_by_itself(place: Path) -> None:
    assert _verify(place / "REC-0001-R000001" / "segment-0002.mp4").returncode == 0


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"\0\0\0\1ftyp" + b"\xff" * 8, b"text\n" * 500])
def test_file_that_is_no_recording_ends_with_14(place: Path, content: bytes) -> None:
    stranger = place / "x.mp4"
    stranger.write_bytes(content)
    done = _verify(stranger)
    assert (done.returncode, done.stderr) == (14, "")


def test_mistakes_of_the_operator_are_one_line_and_2(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    apart = tmp_path_factory.mktemp("apart")
    (apart / "x.mp4").write_bytes(b"x")
    (apart / "not.pem").write_text("not a certificate")
    for arguments, words in (
        ([place / "nowhere"], "找不到"),
        ([apart / "x.mp4"], NO_ROOT),
        ([apart / "x.mp4", "--root", apart / "not.pem"], "不是 PEM 证书"),
    ):
        done = _verify(*arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_unreadable_root_is_the_environments_fault(place: Path) -> None:
    done = _verify(place / "REC-0001-R000001", "--root", place / "gone.pem")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1


def test_help_shows_examples_and_codes() -> None:
    done = _verify("--help")
    assert done.returncode == 0
    assert "liuhen-verify segment-0001.mp4 --root root.pem" in done.stdout


def test_names_inside_a_file_cannot_steer_the_terminal(tmp_path: Path, authority: Authority) -> None:
    bench = Bench(authority.signer(), unit="星河区\x1b[31m[bold]局\n完整 complete")
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    (tmp_path / "s.mp4").write_bytes(bench.sealed())
    done = _verify(tmp_path / "s.mp4")
    assert "\x1b" not in done.stdout
    assert done.stdout.count("\n完整") == 0
    assert "[bold]" in done.stdout


def test_large_file_is_verified_in_little_memory(tmp_path: Path, authority: Authority) -> None:
    bench = Bench(authority.signer())
    moof_mdat = bench.media.fragments[0]
    at = moof_mdat.index(b"mdat") - 4
    large = moof_mdat[:at] + (8 + (8 << 20)).to_bytes(4) + b"mdat" + bytes(8 << 20)
    bench.media = type(bench.media)(bench.media.init, (large,) * 16)
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    (tmp_path / "segment-0001.mp4").write_bytes(bench.sealed())
    command = [sys.executable, "-c", WATCHED, str(tmp_path / "segment-0001.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.split()[1]) * 1024 < MAX_RSS_BYTES
