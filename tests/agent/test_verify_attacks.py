"""`liuhen-verify` against whoever wants it to look away: it is told less, more, or other things than it should be."""

import json
import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from agent.evidence.bmff import Source
from agent.evidence.journal import Reason
from agent.evidence.verify import SegmentFile, verify_recording
from agent.recording_folder import MAX_SEGMENT_BYTES, MAX_SUMS
from agent.verify_files import Basis, judge_devices
from agent.wire.envelope import seal
from agent.wire.identifiers import District
from agent.wire.signing import KeySigner
from agent.wire.trust import TRUST_TYPE, trust_list
from tests.agent.evidence.bench import DEVICE, NOW, Authority, Bench, flipped, make_authority, private_key
from tests.agent.evidence.photos import PLACE, photo
from tests.agent.evidence.telling import SECOND, Centre
from tests.agent.test_verify_cli import _chained, _verify, _verify_exactly, _write

RECORDING = "REC-0001-R000001"
TURNED = "REC-0001-R\u202e000001\x9b31m"  # a name that turns the line round and paints the terminal
WORDS_FOR_A_SHELL = "segment-0001; touch there .mp4"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture
def recording(tmp_path: Path, authority: Authority) -> Path:
    """A whole recording of two segments, the root beside its folder."""
    bench = Bench(authority.signer())
    _write(tmp_path / RECORDING, bench, [bench.sealed(Reason.CONTINUED), bench.sealed()])
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    return tmp_path / RECORDING


def _alter(film: Path) -> None:
    film.write_bytes(flipped(film.read_bytes(), film.stat().st_size - 9))


@pytest.mark.parametrize("how", ["itself", "link"])
def test_report_is_not_written_over_evidence(recording: Path, how: str) -> None:
    film, target = recording / "segment-0001.mp4", recording / "segment-0001.mp4"
    if how == "link":
        target = recording.parent / "report.html"
        target.symlink_to(film)
    before = film.read_bytes()
    done = _verify(recording, "--report", target)
    assert (done.returncode, film.read_bytes() == before, "--report" in done.stderr) == (2, True, True)


def test_earlier_report_is_replaced(recording: Path) -> None:
    target = recording.parent / "report.html"
    assert _verify(recording, "--report", target).returncode == 0
    _alter(recording / "segment-0002.mp4")
    assert _verify(recording, "--report", target).returncode == 13
    assert "altered" in target.read_text()


def test_report_that_cannot_be_written_hides_no_verdict(recording: Path) -> None:
    _alter(recording / "segment-0001.mp4")
    assert _verify(recording, "--report", recording.parent / "nowhere" / "report.html").returncode == 13


@pytest.mark.parametrize("name", ["journal.jsonl", "SHA256SUMS", "SHA256SUMS.p7s", "segment-0003.mp4", "photo-a.jpg"])
def test_file_that_cannot_be_read_hides_no_alteration(recording: Path, name: str) -> None:
    (recording / name).unlink(missing_ok=True)
    (recording / name).mkdir()
    unread = _verify(recording)
    assert (unread.returncode, name in unread.stderr) == (2, True)
    _alter(recording / "segment-0001.mp4")
    assert _verify(recording).returncode == 13


@pytest.mark.parametrize("name", ["segment-0003.mp4", "segment-0003.mp4.enc"])
@pytest.mark.parametrize("target", ["nowhere", "itself"])
def test_link_into_nothing_hides_no_alteration(recording: Path, name: str, target: str) -> None:
    (recording / name).symlink_to(name if target == "itself" else "nowhere")
    assert _verify(recording).returncode == 2
    _alter(recording / "segment-0001.mp4")
    assert _verify(recording).returncode == 13


def test_path_that_is_not_there_hides_no_alteration(recording: Path) -> None:
    _alter(recording / "segment-0001.mp4")
    done = _verify(recording, recording.parent / "nowhere")
    assert (done.returncode, "nowhere" in done.stderr, "被改" in done.stdout) == (13, True, True)


def test_what_a_program_reads_says_that_something_could_not_be_read(recording: Path) -> None:
    (recording / "photo-a.jpg").mkdir()
    told = json.loads(_verify(recording, "--json").stdout)
    assert (told["verdict"], told["exit_code"], len(told["unread"])) == ("unreadable", 2, 1)
    assert "读不到" in _verify(recording).stdout.splitlines()[0]


@pytest.mark.parametrize("option", ["--roots", "--trust", "--key", "--receipts"])
def test_endless_file_beside_the_evidence_is_refused_in_a_line(recording: Path, option: str) -> None:
    endless = recording.parent / "endless"
    endless.touch(mode=0o600)
    os.truncate(endless, 1 << 40)
    done = _verify_exactly(recording, "--roots", recording.parent / "root.pem", option, endless)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_report_is_not_laid_among_the_evidence(recording: Path) -> None:
    """The next look at the folder would find a stranger in it."""
    before = sorted(recording.iterdir())
    assert _verify(recording, "--report", recording / "photo-x.jpg").returncode == 2
    assert sorted(recording.iterdir()) == before


def test_recording_that_is_gone_is_missed_though_its_neighbour_cannot_be_read_whole(
    tmp_path: Path, authority: Authority
) -> None:
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    _chained(tmp_path, authority)
    (tmp_path / "recordings" / "REC-0001-R000001" / "segment-0002.mp4.enc").write_bytes(b"junk")
    done = _verify(tmp_path / "recordings")
    assert (done.returncode, "REC-0001-R000002" in done.stdout) == (12, True)


@pytest.mark.parametrize("name", ["segment-0003.mp4.enc", "photo-a.jpg.enc"])
def test_anything_that_is_called_encrypted_hides_no_alteration(recording: Path, name: str) -> None:
    (recording / name).write_bytes(b"junk")
    assert _verify(recording).returncode == 2
    _alter(recording / "segment-0001.mp4")
    assert _verify(recording).returncode == 13


def test_what_lies_among_photos_is_told(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(photo(authority.signer()))
    assert _verify(folder).returncode == 0
    os.mkfifo(folder / "b.jpg")
    (folder / "film.mp4").write_bytes(b"forged")
    done = _verify(folder)
    assert (done.returncode, "b.jpg" in done.stderr, "film.mp4" in done.stderr) == (2, True, True)


def test_all_recordings_of_a_device_are_gone(tmp_path: Path, authority: Authority) -> None:
    """The centre received them; in the folder lie those of other devices, or none."""
    basis = Basis((authority.root,), _chained(tmp_path, authority).grounds(), NOW)
    (judged,) = judge_devices([tmp_path / "recordings"], [], basis)
    missing = {place.file for place in judged.report.places}
    assert (judged.report.verdict.value, len(missing)) == ("missing", 3)


def test_photos_and_collected_files_are_no_shelf_from_which_recordings_are_missing(
    tmp_path: Path, authority: Authority
) -> None:
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    _chained(tmp_path, authority)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(photo(authority.signer()))
    told = ("--receipts", tmp_path / "receipts.jsonl")
    assert _verify(photos, *told).returncode == 0
    assert "缺少录制 REC-0001-R000001" not in _verify(tmp_path / "recordings", photos, *told).stdout


def test_photo_that_was_taken_by_itself_and_is_gone_is_missing(tmp_path: Path, authority: Authority) -> None:
    """The device told the centre of it; one that lies there and cannot be read may be it."""
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    centre, folder = Centre(authority), tmp_path / "photos"
    folder.mkdir()
    for name, place in (("a", PLACE), ("b", None)):
        taken = photo(authority.signer(), place)
        (folder / f"{name}.jpg").write_bytes(taken)
        centre.tell_photo(taken)
    told = tmp_path / "receipts.jsonl"
    told.write_bytes(b"\n".join(centre.lines()))
    assert _verify(folder, "--receipts", told).returncode == 0
    (folder / "b.jpg").unlink()
    done = _verify(folder, "--receipts", told)
    assert (done.returncode, "缺少照片" in done.stdout) == (12, True)
    os.mkfifo(folder / "c.jpg")
    assert _verify(folder, "--receipts", told).returncode == 2


def test_recordings_of_a_device_in_two_folders_are_judged_together(tmp_path: Path, authority: Authority) -> None:
    """None is missing only because it lies in the other folder that was given."""
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    _chained(tmp_path, authority)
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "recordings" / "REC-0001-R000003").rename(other / "REC-0001-R000003")
    done = _verify(tmp_path / "recordings", other, "--receipts", tmp_path / "receipts.jsonl")
    told = [line for line in done.stdout.splitlines() if "缺少录制" in line]
    assert (done.returncode, len(told), "REC-0001-R000002" in told[0]) == (12, 1, True)


@pytest.mark.parametrize("name", ["segment-0003.mp4", "segment-0003.mp4.enc"])
def test_file_that_cannot_be_read_hides_neither_a_stranger_nor_a_gap(tmp_path: Path, name: str) -> None:
    stranger, own = make_authority("elsewhere"), make_authority()
    (tmp_path / "root.pem").write_bytes(own.root_pem)
    for at, (who, gone) in {"a": (stranger, ""), "b": (own, "segment-0002.mp4"), "c": (own, "")}.items():
        bench = Bench(who.signer())
        (tmp_path / at).mkdir()
        place = tmp_path / at / RECORDING
        _write(place, bench, [bench.sealed(Reason.CONTINUED), bench.sealed(Reason.CONTINUED), bench.sealed()])
        (place / "segment-0003.mp4").unlink()
        os.mkfifo(place / name)
        if gone:
            (place / gone).unlink()
    codes = [_verify(tmp_path / at / RECORDING, "--roots", tmp_path / "root.pem").returncode for at in "abc"]
    assert codes == [14, 12, 2]


def test_recording_of_which_a_part_cannot_be_read_makes_its_neighbours_neither_altered_nor_missing(
    tmp_path: Path, authority: Authority
) -> None:
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    first = Bench(authority.signer())
    segments = [first.sealed(Reason.CONTINUED), first.sealed()]
    second = Bench(authority.signer(), number=2, previous=first.head, now=first.now)
    _write(tmp_path / "REC-0001-R000001", first, segments)
    _write(tmp_path / "REC-0001-R000002", second, [second.sealed()])
    assert _verify(tmp_path).returncode == 0
    (tmp_path / "REC-0001-R000001" / "segment-0002.mp4").unlink()
    (tmp_path / "REC-0001-R000001" / "segment-0002.mp4").mkdir()
    assert _verify(tmp_path).returncode == 2


def test_trust_lists_of_two_districts_are_not_counted_against_each_other(recording: Path, authority: Authority) -> None:
    """The newer number of one would hide what the other revokes."""
    lists = []
    for district, version in (("xinghe", 1), ("beidou", 9)):
        place = recording.parent / f"{district}.dsse"
        listed = trust_list(District(district), version, NOW, [])
        place.write_bytes(seal(TRUST_TYPE, listed.encode(), [KeySigner(private_key(f"root {district}"))]))
        lists += ["--trust", place]
    (recording.parent / "other.pem").write_bytes(make_authority("beidou").root_pem)
    roots = ["--roots", recording.parent / "root.pem", "--roots", recording.parent / "other.pem"]
    done = _verify_exactly(recording, *roots, *lists)
    assert (done.returncode, "不同的区" in done.stderr) == (2, True)


def test_receipts_of_another_device_vouch_for_nothing(authority: Authority) -> None:
    bench = Bench(authority.signer())
    grounds = Centre(authority).grounds()
    other = replace(grounds, accounts={SECOND: grounds.accounts[DEVICE]})
    report = verify_recording(
        [SegmentFile("segment-0001.mp4", Source.of_bytes(bench.sealed()))], [authority.root], NOW, grounds=other
    )
    assert any(f"没有设备 {DEVICE}" in line for line in report.completeness.lines)


def test_account_that_says_nothing_is_no_account(recording: Path, authority: Authority) -> None:
    told = recording.parent / "receipts.jsonl"
    told.write_bytes(Centre(authority).sealed_trust)
    done = _verify(recording, "--receipts", told)
    assert (done.returncode, "liuhen-center export" in done.stderr) == (2, True)


def test_report_tells_the_worst_first_and_what_was_not_read(recording: Path, authority: Authority) -> None:
    other = recording.with_name("REC-0001-R000002")
    bench = Bench(authority.signer(), number=2)
    _write(other, bench, [bench.sealed()])
    _alter(other / "segment-0001.mp4")
    (recording / "photo-a.jpg").mkdir()
    target = recording.parent / "report.html"
    _verify(recording, other, "--report", target)
    before, _, page = target.read_text().partition("<body")[2].partition("photo-a.jpg")
    assert other.name not in before
    assert page.index(other.name) < page.index(recording.name)


def test_names_that_turn_a_line_are_shown_as_they_are(recording: Path) -> None:
    odd, target = recording.rename(recording.with_name(TURNED)), recording.parent / "report.html"
    done = _verify(odd, "--json", "--report", target)
    for told in (done.stdout, done.stderr, target.read_text()):
        assert not {"\u202e", "\x9b"} & set(told)


def test_name_with_words_for_a_shell_is_no_command_in_the_report(recording: Path) -> None:
    (recording / "segment-0001.mp4").rename(recording / WORDS_FOR_A_SHELL)
    target = recording.parent / "report.html"
    _verify(recording, "--report", target)
    page = target.read_text().replace("&#39;", "'").replace("&#x27;", "'")
    commands = [line for line in page.split("\n") if line.startswith("tail -c")]
    assert commands
    assert all(shlex.quote(WORDS_FOR_A_SHELL) in line for line in commands)


def test_pictures_that_nobody_known_has_signed_are_not_decoded(recording: Path) -> None:
    """A decoder is a large target."""
    target = recording.parent / "report.html"
    (recording.parent / "other.pem").write_bytes(make_authority("beidou").root_pem)
    for root, decoded in (("root.pem", True), ("other.pem", False)):
        _verify_exactly(recording, "--roots", recording.parent / root, "--report", target)
        assert ("未解码画面" not in target.read_text()) is decoded


def test_more_films_than_a_recording_has_are_not_read_one_by_one(recording: Path) -> None:
    for number in range(3, MAX_SUMS + 2):
        (recording / f"segment-{number:04d}.mp4").touch()
    done = _verify(recording)
    assert (done.returncode, str(MAX_SUMS) in done.stderr) == (2, True)


def test_film_larger_than_any_is_not_read(recording: Path) -> None:
    os.truncate(recording / "segment-0002.mp4", MAX_SEGMENT_BYTES + 1)
    done = _verify_exactly(recording, "--roots", recording.parent / "root.pem")
    assert (done.returncode, "GiB" in done.stderr) == (2, True)


def test_program_gets_a_line_for_a_path_that_cannot_be_read(recording: Path) -> None:
    gone = recording.with_name("not there")
    lines = [json.loads(line) for line in _verify_exactly(gone, recording, "--json").stdout.splitlines()]
    assert (lines[0]["path"], lines[0]["verdict"]) == (str(gone), "unreadable")
    assert (len(lines), lines[0]["exit_code"], lines[0]["layers"]) == (2, 2, None)
    assert "not there" in lines[0]["unread"][0]


def test_recording_in_a_folder_with_the_name_of_another_is_told(recording: Path) -> None:
    assert "放错" not in _verify(recording).stdout
    other = recording.rename(recording.with_name("REC-0001-R000002"))
    done = _verify(other)
    assert done.returncode == 0
    assert "REC-0001-R000002" in done.stdout.split("内容却是录制 REC-0001-R000001")[0]
    assert "放错" not in _verify(other.rename(other.with_name("copy"))).stdout
