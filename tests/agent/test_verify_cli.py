"""`liuhen-verify` as a stranger runs it: its exit codes, its words, its patience with bad files."""

import hashlib
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from agent.evidence.journal import Reason
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest
from tests.agent.evidence.bench import NOW, START, Authority, Bench, flipped, make_authority
from tests.agent.evidence.telling import Centre
from tests.support.commands import run_here
from tests.support.media import make_media
from tests.support.terminal import on_terminal

MAX_RSS_BYTES = 100 * 1024 * 1024
# ru_maxrss would count the parent's memory before exec; the high-water mark of the process itself does not.
WATCHED = """
import atexit, sys
from agent.verify_cli import main
lines = open("/proc/self/status")
atexit.register(lambda: sys.stderr.write(next(line for line in lines if line.startswith("VmHWM"))))
main()
"""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture
def place(tmp_path: Path, authority: Authority) -> Path:
    """A state folder with two recordings of REC-0001 and the root above them."""
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    for number, reason in ((1, Reason.STOPPED), (2, Reason.SHUTDOWN)):
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
    """As asked, under the root that stands in or above the first path unless told otherwise."""
    first = Path(arguments[0]).absolute()
    root = next((place / "root.pem" for place in (first, *first.parents) if (place / "root.pem").exists()), None)
    given = [] if root is None or "--roots" in arguments else ["--roots", root]
    return _verify_exactly(*arguments, *given)


def _verify_exactly(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run_here("agent.verify_cli", *arguments)


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
    done = _verify(place / "REC-0001-R000001", "--json", "--roots", place / "root.pem")
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
    assert _verify(place / "REC-0001-R000001", "--roots", other).returncode == 14


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
        ([apart / "x.mp4", "--roots", apart / "not.pem"], "不是 PEM 证书"),
    ):
        done = _verify(*arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_unreadable_root_is_2(place: Path) -> None:
    done = _verify(place / "REC-0001-R000001", "--roots", place / "gone.pem")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_unreadable_recording_does_not_keep_the_others_from_being_judged(place: Path) -> None:
    """2 stands between an unexplained gap and missing: who reads only the code must not take it for a verdict."""
    broken = place / "REC-0001-R000003"
    (broken / "segment-0001.mp4").mkdir(parents=True)
    done = _verify(broken, place / "REC-0001-R000001")
    assert (done.returncode, "完整 complete" in done.stdout, done.stderr.count("\n")) == (2, True, 1)
    (place / "REC-0001-R000002" / "segment-0002.mp4").unlink()
    assert _verify(broken, place / "REC-0001-R000002").returncode == 12


def test_worst_of_several_is_not_the_greatest_code(place: Path) -> None:
    """Altered is worse than untrusted, though its code is smaller."""
    segment = place / "REC-0001-R000001" / "segment-0002.mp4"
    data = segment.read_bytes()
    segment.write_bytes(flipped(data, len(data) - 9))
    stranger = place / "x.mp4"
    stranger.write_bytes(b"not a recording")
    assert _verify(stranger, place / "REC-0001-R000001").returncode == 13


def test_json_has_the_agreed_shape(place: Path) -> None:
    segment = place / "REC-0001-R000001" / "segment-0002.mp4"
    data = segment.read_bytes()
    segment.write_bytes(flipped(data, len(data) - 9))
    done = _verify(place / "REC-0001-R000001", place / "REC-0001-R000002", "--json")
    altered, honest = (json.loads(line) for line in done.stdout.splitlines())
    layers = altered["layers"]
    assert {name: layer["ok"] for name, layer in layers.items()} == {
        "integrity": False, "trust": True, "time": True, "completeness": True, "duty": None,
    }  # fmt: skip
    assert layers["integrity"]["fragments"] == 2 * len(make_media().fragments) - 1
    bad = layers["integrity"]["first_bad"]
    assert (set(bad), bad["seq"]) == ({"seq", "offset", "at"}, 2 * len(make_media().fragments))
    assert data[bad["offset"] + 4 :].startswith(b"styp")
    assert (honest["path"], honest["verdict"]) == (str(place / "REC-0001-R000002"), "explained-gap")
    assert honest["layers"]["integrity"]["first_bad"] is None


def _chained(place: Path, authority: Authority) -> Centre:
    """A folder of three recordings in a row, the second taken away, and the centre that heard of all."""
    centre, previous, now = Centre(authority), GENESIS, START
    (place / "recordings").mkdir()
    for number in (1, 2, 3):
        bench = Bench(authority.signer(), number=number, previous=previous, now=now)
        bench.pass_time(60_000)
        segments = [bench.sealed()]
        centre.follow(bench)
        previous, now = bench.head, bench.now
        if number != 2:
            _write(place / "recordings" / f"REC-0001-R{number:06d}", bench, segments)
    (place / "receipts.jsonl").write_bytes(b"\n".join(centre.lines()))
    return centre


def test_folder_of_recordings_misses_the_one_taken_away(place: Path, authority: Authority) -> None:
    _chained(place, authority)
    done = _verify(place / "recordings", "--json", "--receipts", place / "receipts.jsonl")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["verdict"] for line in lines] == ["complete", "complete", "missing"]
    assert (done.returncode, lines[-1]["path"], lines[-1]["places"][0]["file"]) == (
        12, str(place / "recordings"), "REC-0001-R000002",
    )  # fmt: skip
    assert _verify(place / "recordings").returncode == 12
    assert _verify(place / "recordings" / "REC-0001-R000003").returncode == 0


def test_receipts_that_are_not_what_they_say_are_2(place: Path, authority: Authority) -> None:
    centre = _chained(place, authority)
    path = place / "receipts.jsonl"
    for lines in ([b"text"], centre.lines()[1:], [*centre.lines()[:3], *centre.lines()[4:]]):
        path.write_bytes(b"\n".join(lines))
        done = _verify(place / "recordings", "--receipts", path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert str(path) in done.stderr


def test_account_that_begins_at_a_forged_receipt_ends_with_13_or_14_and_words(
    place: Path, authority: Authority
) -> None:
    centre = _chained(place, authority)
    path, kept = place / "receipts.jsonl", [centre.sealed_trust, *centre.batches[2:], centre.receipt()]
    anchors = {
        0: centre.receipt(upto=2, head=centre.heads[1]),
        13: centre.receipt(upto=2, head=Digest("ab" * 32)),
        14: centre.receipt(upto=2, head=centre.heads[1], by=centre.device),
    }
    for code, anchor in anchors.items():
        path.write_bytes(b"\n".join([*kept, anchor]))
        done = _verify(place / "recordings" / "REC-0001-R000003", "--receipts", path)
        assert (done.returncode, done.stderr.count("\n")) == (code, bool(code)), done.stderr
    assert str(path) in done.stderr


def test_trust_list_tells_of_a_revoked_device(place: Path, authority: Authority) -> None:
    centre = Centre(authority, revoked_at=NOW - timedelta(days=1))
    (place / "trust.dsse").write_bytes(centre.sealed_trust)
    done = _verify(place / "REC-0001-R000001", "--trust", place / "trust.dsse")
    assert (done.returncode, "吊销" in done.stdout) == (14, True)
    (place / "trust.dsse").write_bytes(b"{}")
    assert _verify(place / "REC-0001-R000001", "--trust", place / "trust.dsse").returncode == 2


def test_help_shows_examples_and_codes() -> None:
    done = _verify("--help")
    assert done.returncode == 0
    assert "liuhen-verify segment-0001.mp4 --roots root.pem" in done.stdout


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
    asked = [str(tmp_path / "segment-0001.mp4"), "--roots", str(tmp_path / "root.pem")]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *asked], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.split()[1]) * 1024 < MAX_RSS_BYTES
    code, screen = on_terminal([sys.executable, "-m", "agent.verify_cli", *asked], 80)
    assert (code, "检验" in screen, "134.3/134.3 MB" in screen) == (0, True, True), screen


def test_report_is_written_on_a_photo_too_and_the_code_stays_the_verdict_s(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8no picture")
    plain = _verify(tmp_path / "photo.jpg")
    done = _verify(tmp_path / "photo.jpg", "--report", tmp_path / "x.html")
    assert done.returncode == plain.returncode >= 10
    assert "photo.jpg" in (tmp_path / "x.html").read_text(encoding="utf-8")
