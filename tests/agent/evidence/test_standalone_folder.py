"""What lies in a recording's folder beside honest files, as the verifier in one file sees it.

Where `liuhen-verify` must say the same word, it is asked too.
"""

import hashlib
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import OperatorFault
from agent.evidence.bmff import Source
from agent.evidence.encrypted_photo import encrypt_photo
from agent.evidence.grounds import Grounds
from agent.evidence.journal import PHOTO, JournalEvent, Reason
from agent.evidence.report import Verdict
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording
from agent.verify_files import Basis, exit_code, judge_path
from agent.wire.identifiers import Digest
from tests.agent.evidence.bench import NOW, Bench, make_authority
from tests.agent.evidence.photos import photo
from tests.agent.evidence.test_standalone import alone as alone

AUTHORITY = make_authority()
ARCHIVE = ec.generate_private_key(ec.SECP256R1()).public_key()
NAME = "photo-20261122T020000000Z-0a1b2c3d.jpg"
SUMS = ("SHA256SUMS", "SHA256SUMS.p7s")
MAX_MEMORY = 4 * 1024 * 1024


def _sum(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording with a photo that its journal and its sums name."""
    bench = Bench(AUTHORITY.signer())
    taken = photo(bench.signer)
    events = {3: (JournalEvent(PHOTO, bench.now, None, _sum(taken)),)}
    files = {
        "segment-0001.mp4": bench.sealed(events=events),
        NAME: taken,
        "journal.jsonl": journal_lines(bench.records),
    }
    files["SHA256SUMS"] = sha256sums({name: _sum(data) for name, data in files.items()})
    files["SHA256SUMS.p7s"] = sign_sums(files["SHA256SUMS"], bench.signer)
    place = tmp_path / "REC-0001-R000001"
    place.mkdir()
    for name, data in files.items():
        (place / name).write_bytes(data)
    return place


def _judged(alone: ModuleType, folder: Path) -> tuple[str, str]:
    verdict, findings, _ = alone.verify(folder, [AUTHORITY.root])
    return verdict, " ".join(text for _, text in findings)


def test_honest_folder_is_complete(alone: ModuleType, folder: Path) -> None:
    assert _judged(alone, folder) == ("complete", "")


def test_photo_taken_away_together_with_the_sums_is_missing(alone: ModuleType, folder: Path) -> None:
    """The film's own journal names it."""
    digest = _sum((folder / NAME).read_bytes())
    for name in (NAME, *SUMS):
        (folder / name).unlink()
    verdict, words = _judged(alone, folder)
    assert (verdict, digest in words) == ("missing", True)


def test_genuine_photo_whose_film_is_gone_is_not_called_a_stranger(alone: ModuleType, folder: Path) -> None:
    (folder / "segment-0001.mp4").unlink()
    basis = Basis((AUTHORITY.root,), Grounds(), NOW)
    report = judge_path(folder, basis, lambda _: None).report
    assert (report.verdict, _judged(alone, folder)[0]) == (Verdict.MISSING, "missing")
    assert "混入" not in str(report.as_json())


def test_last_segment_that_was_not_copied_is_missing_and_its_journal_not_called_altered(
    alone: ModuleType, tmp_path: Path
) -> None:
    bench = Bench(AUTHORITY.signer())
    # The first one does not say that another follows: only the lists beside it do.
    files = {"segment-0001.mp4": bench.sealed(Reason.CAMERA_LOST), "segment-0002.mp4": bench.sealed()}
    files["journal.jsonl"] = journal_lines(bench.records)
    files["SHA256SUMS"] = sha256sums({name: _sum(data) for name, data in files.items()})
    files["SHA256SUMS.p7s"] = sign_sums(files["SHA256SUMS"], bench.signer)
    place = tmp_path / "REC-0001-R000001"
    place.mkdir()
    for name, data in files.items():
        (place / name).write_bytes(data)
    (place / "segment-0002.mp4").unlink()
    basis = Basis((AUTHORITY.root,), Grounds(), NOW)
    for gone in ((), SUMS):
        for name in gone:
            (place / name).unlink()
        report = judge_path(place, basis, lambda _: None).report
        assert (report.verdict, _judged(alone, place)[0]) == (Verdict.MISSING, "missing")
    (place / "journal.jsonl").write_bytes(files["journal.jsonl"].replace(b"R000001", b"R000007"))
    report = judge_path(place, basis, lambda _: None).report
    assert (report.verdict, _judged(alone, place)[0]) == (Verdict.ALTERED, "altered")


def test_photo_that_the_journal_names_needs_no_sums(alone: ModuleType, folder: Path) -> None:
    for name in SUMS:
        (folder / name).unlink()
    assert _judged(alone, folder)[0] == "complete"


def test_photo_that_nobody_names_is_not_called_sound(alone: ModuleType, folder: Path) -> None:
    for name in SUMS:
        (folder / name).unlink()
    (folder / "photo-x.jpg").write_bytes(b"\xff\xd8forged\xff\xd9")
    verdict, words = _judged(alone, folder)
    assert (verdict, "liuhen-verify" in words) == ("unreadable", True)


@pytest.mark.parametrize("listed", [True, False])
def test_plain_photo_beside_the_encrypted_one_of_its_name_is_altered(
    alone: ModuleType, folder: Path, listed: bool
) -> None:
    (folder / NAME).rename(folder / f"{NAME}.enc")
    (folder / NAME).write_bytes(b"\xff\xd8forged\xff\xd9")
    for name in () if listed else SUMS:
        (folder / name).unlink()
    assert _judged(alone, folder)[0] == "altered"


@pytest.mark.parametrize("listed", [True, False])
def test_encrypted_photo_is_neither_missing_nor_sound(alone: ModuleType, folder: Path, listed: bool) -> None:
    """This verifier opens nothing that is encrypted: the head tells which photo it is, no more."""
    taken = (folder / NAME).read_bytes()
    (folder / NAME).unlink()
    (folder / f"{NAME}.enc").write_bytes(encrypt_photo(taken, ARCHIVE))
    for name in () if listed else SUMS:
        (folder / name).unlink()
    verdict, words = _judged(alone, folder)
    assert (verdict, "--key" in words) == ("unreadable", True)


@pytest.mark.parametrize("content", [b"", b"junk", b"another"])
def test_anything_that_is_called_encrypted_does_not_stand_for_a_lost_photo(
    alone: ModuleType, folder: Path, content: bytes
) -> None:
    for name in (NAME, *SUMS):
        (folder / name).unlink()
    (folder / "photo-x.jpg.enc").write_bytes(encrypt_photo(content, ARCHIVE) if content == b"another" else content)
    assert _judged(alone, folder)[0] == "missing"


@pytest.mark.parametrize("listed", [True, False])
def test_encrypted_recording_is_unreadable_and_not_missing(alone: ModuleType, folder: Path, listed: bool) -> None:
    (folder / NAME).rename(folder / f"{NAME}.enc")
    for name in ("segment-0001.mp4", "journal.jsonl", *(() if listed else SUMS)):
        (folder / name).unlink()
    (folder / "segment-0001.mp4.enc").write_bytes(b"LIUHENE1")
    assert _judged(alone, folder)[0] == "unreadable"


def test_film_that_cannot_be_read_makes_no_journal_altered(alone: ModuleType, folder: Path) -> None:
    (folder / "segment-0001.mp4").unlink()
    (folder / "segment-0001.mp4").mkdir()
    verdict, words = _judged(alone, folder)
    assert (verdict, "journal.jsonl" in words) == ("unreadable", False)


def test_more_films_than_a_recording_has_are_not_read_one_by_one(alone: ModuleType, tmp_path: Path) -> None:
    for number in range(alone.MAX_SUMS + 1):
        (tmp_path / f"segment-{number:05d}.mp4").touch()
    with pytest.raises(ValueError, match="too many files"):
        alone.verify(tmp_path, [AUTHORITY.root])


def test_film_larger_than_any_is_not_read(alone: ModuleType, folder: Path) -> None:
    with (folder / "segment-0002.mp4").open("wb") as film:
        film.truncate(alone.MAX_SEGMENT + 1)
    assert "larger than any" in _judged(alone, folder)[1]


@pytest.mark.parametrize("name", ["segment-0002.mp4", NAME, "journal.jsonl", "SHA256SUMS", "photo-z.jpg"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "nowhere", "loop"])
def test_what_is_no_file_is_told_and_hides_no_alteration(alone: ModuleType, folder: Path, name: str, kind: str) -> None:
    place = folder / name
    place.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to({"device": "/dev/zero", "nowhere": "nowhere", "loop": name}[kind])
    verdict, words = _judged(alone, folder)
    gone = kind == "nowhere" and name in (NAME, "journal.jsonl")  # a link into nothing, where the sums list a file
    assert (verdict, name in words) == ("missing" if gone else "unreadable", True)
    film = folder / "segment-0001.mp4"
    film.write_bytes(film.read_bytes().replace(b"mdat", b"mdaz", 1))
    assert _judged(alone, folder)[0] == "altered"


@pytest.mark.parametrize("name", ["journal.jsonl", NAME, *SUMS])
def test_sparse_file_is_altered_without_being_read(alone: ModuleType, folder: Path, name: str) -> None:
    os.truncate(folder / name, 1 << 40)
    tracemalloc.start()
    try:
        assert _judged(alone, folder)[0] == "altered"
        assert tracemalloc.get_traced_memory()[1] < MAX_MEMORY
    finally:
        tracemalloc.stop()


def test_sparse_journal_is_altered_without_being_read_by_liuhen_verify() -> None:
    bench = Bench(AUTHORITY.signer())
    files = [SegmentFile("segment-0001.mp4", Source.of_bytes(bench.sealed()))]

    def read_at(offset: int, length: int) -> bytes:
        raise AssertionError(f"read at {offset}")

    sums = sha256sums({"segment-0001.mp4": _sum(files[0].source.read_at(0, files[0].source.size))})
    report = verify_recording(files, [AUTHORITY.root], NOW, Sidecars(Source(6 << 30, read_at), sums))
    assert report.verdict.value == "altered"


@pytest.mark.parametrize(("other", "verdict"), [(False, "complete"), (True, "altered")])
def test_name_doubled_in_the_sums_is_judged_alike(alone: ModuleType, folder: Path, other: bool, verdict: str) -> None:
    """The same line twice says no more than once; two digests for one name say nothing at all."""
    lines = (folder / "SHA256SUMS").read_bytes().splitlines(keepends=True)
    doubled = (b"0" * 64 + lines[0][64:]) if other else lines[0]
    sums = b"".join([doubled, *lines])
    signature = sign_sums(sums, AUTHORITY.signer())
    (folder / "SHA256SUMS").write_bytes(sums)
    (folder / "SHA256SUMS.p7s").write_bytes(signature)
    assert _judged(alone, folder)[0] == verdict
    film, journal = (folder / name for name in ("segment-0001.mp4", "journal.jsonl"))
    beside = Sidecars(
        journal.read_bytes(), sums, signature, photos={NAME: Source.of_bytes((folder / NAME).read_bytes())}
    )
    files = [SegmentFile(film.name, Source.of_bytes(film.read_bytes()))]
    assert verify_recording(files, [AUTHORITY.root], NOW, beside).verdict.value == verdict


@pytest.mark.parametrize(
    "name", [".DS_Store", "._segment-0001.mp4", "Thumbs.db", "desktop.ini", "System Volume Information"]
)
def test_what_a_computer_leaves_behind_is_noted_and_changes_nothing(alone: ModuleType, folder: Path, name: str) -> None:
    if "." in name:
        (folder / name).write_bytes(b"Bud1")
    else:
        (folder / name).mkdir()
    verdict, words = _judged(alone, folder)
    assert (verdict, name in words) == ("complete", True)


def test_link_to_a_file_elsewhere_is_judged_by_what_it_leads_to(alone: ModuleType, folder: Path) -> None:
    """Only what is signed counts, wherever it lies; what is not as signed is altered, and nothing of it is told."""
    film = folder / "segment-0001.mp4"
    elsewhere = film.rename(folder.parent / "film")
    film.symlink_to(elsewhere)
    assert _judged(alone, folder)[0] == "complete"
    (folder / "journal.jsonl").unlink()
    (folder / "journal.jsonl").symlink_to("/etc/passwd")
    verdict, words = _judged(alone, folder)
    assert (verdict, "root" in words) == ("altered", False)


Attack = Callable[[Path], object]
FORGED = b"\xff\xd8forged\xff\xd9"


def _gone(*names: str) -> Attack:
    return lambda folder: [(folder / name).unlink() for name in names]


def _laid(name: str, content: bytes, *gone: str) -> Attack:
    return lambda folder: [(folder / name).write_bytes(content), *((folder / it).unlink() for it in gone)]


def _instead(name: str, make: Attack) -> Attack:
    return lambda folder: [(folder / name).unlink(missing_ok=True), make(folder / name)]


ATTACKS: dict[str, Attack] = {
    "nothing": lambda _: None,
    "photo gone": _gone(NAME),
    "photo and sums gone": _gone(NAME, *SUMS),
    "sums gone": _gone(*SUMS),
    "photo unlisted": _laid("photo-x.jpg", FORGED),
    "photo nobody names, forged": _laid("photo-x.jpg", FORGED, *SUMS),
    "photo nobody names, signed": _laid("photo-x.jpg", photo(AUTHORITY.signer()), *SUMS),
    "trace": _laid(".DS_Store", b"Bud1"),
    "stranger": _laid("video.mp4", b"forged"),
    "stranger in capitals": _laid("Segment-0002.MP4", b"forged"),
    **{f"folder for {name}": _instead(name, Path.mkdir) for name in ("segment-0002.mp4", NAME, "journal.jsonl", *SUMS)},
    **{f"pipe for {name}": _instead(name, os.mkfifo) for name in ("segment-0002.mp4", NAME, "journal.jsonl", *SUMS)},
    **{
        f"link into nothing for {name}": _instead(name, lambda place: place.symlink_to("nowhere"))
        for name in ("segment-0002.mp4", "journal.jsonl", *SUMS)
    },
    **{
        f"sparse {name}": lambda folder, name=name: os.truncate(folder / name, 6 << 30)  # type: ignore[misc]
        for name in ("journal.jsonl", *SUMS)
    },
}
DIFFERENCES = {  # exit codes of liuhen-verify and of the one file, and why they may differ
    "photo nobody names, forged": (14, 2, "the one file does not judge a photo by its own signature, and says so"),
    "photo nobody names, signed": (0, 2, "likewise"),
}


def _code(folder: Path) -> int:
    try:
        basis = Basis((AUTHORITY.root,), Grounds(), NOW)
        judged = judge_path(folder, basis, lambda _: None)
        return exit_code([judged.report.verdict], judged.unread)
    except OperatorFault as fault:
        return fault.exit_code


@pytest.mark.parametrize("attack", ATTACKS)
def test_both_verifiers_end_alike_on_what_lies_in_the_folder(alone: ModuleType, folder: Path, attack: str) -> None:
    ATTACKS[attack](folder)
    ours, theirs = _code(folder), alone.CODES[_judged(alone, folder)[0]]
    expected = DIFFERENCES.get(attack)
    assert ours == theirs if expected is None else (ours, theirs) == expected[:2]


def test_both_verifiers_have_the_same_codes(alone: ModuleType) -> None:
    unreadable = {"unreadable": OperatorFault.exit_code}
    assert {verdict.value: verdict.exit_code for verdict in Verdict} | unreadable == alone.CODES
