"""A disk that others wrote to while the device was off: it signs what it made itself, labels the rest, and starts."""

import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from agent.adapters.segment_recovery import HEAD_WINDOW_BYTES, Break, heal
from agent.adapters.segment_seal import draft_path
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import SpoolRecovery, recover
from agent.control.messages import RecordingFailed, RecordingFound, RecordingSealed
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason
from agent.evidence.segment import Closing
from agent.wire.identifiers import RecordingId, recording_id
from tests.agent.adapters.recording_bench import CLOCK, FIRST, SIGNER, chained, eventually, examined, verdict
from tests.agent.adapters.test_spool import REPOSITORY, key_files, tree
from tests.agent.evidence.bench import DEVICE, Bench, make_authority

STRANGER = make_authority("yuehai").signer("REC-0099")


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "recordings"


def laid(root: Path, *films: bytes, recording: RecordingId = FIRST) -> Path:
    """The folder of a recording with these segments, without sums."""
    folder = root / recording
    folder.mkdir(parents=True)
    for number, film in enumerate(films, 1):
        (folder / f"segment-{number:04d}.mp4").write_bytes(film)
    return folder


def flipped(film: bytes, at: int) -> bytes:
    return film[:at] + bytes([film[at] ^ 1]) + film[at + 1 :]


def draft_of(film: bytes, live: bytes) -> bytes:
    """The seal that turns `live` into `film`, as it stands beside the segment."""
    at = film.index(b"uuid") - 4
    return at.to_bytes(8) + len(live).to_bytes(8) + zlib.compress(film[at : at + 16384])


def own_pair() -> tuple[bytes, bytes]:
    """The same recording of this device, before and after its seal."""
    emitter, live = Bench(SIGNER).live()
    patch = emitter.seal(Closing(CLOCK.read(), Reason.STOPPED))
    return live, live[: patch.offset] + patch.data + live[patch.offset + len(patch.data) :]


BAD_DRAFTS = {
    "empty": b"",
    "ff": b"\xff" * 40,
    "short cut": bytes(7) + b"\x1c" + bytes(7) + b"\x99garbage",
    "cuts the film": (28).to_bytes(8) + (28 + 16384).to_bytes(8) + zlib.compress(bytes(16384)),
    "too long": bytes(16 + 16384 + 1),
}


@pytest.mark.parametrize("name", BAD_DRAFTS)
def test_garbage_seal_beside_a_recording_cuts_nothing_and_is_set_aside(root, name):
    film = Bench(SIGNER).sealed()
    segment = laid(root, film) / "segment-0001.mp4"
    draft_path(segment).write_bytes(BAD_DRAFTS[name])
    (sealed,) = recover(Spool(root), SIGNER, CLOCK)
    assert isinstance(sealed, RecordingSealed)
    assert segment.read_bytes() == film
    assert draft_path(segment).with_name("segment-0001.mp4.seal.bad").read_bytes() == BAD_DRAFTS[name]
    assert not draft_path(segment).exists()


def test_seal_of_another_key_or_another_recording_is_not_carried_out(root):
    live, _ = own_pair()
    theirs = Bench(STRANGER)
    stranger, other = theirs.sealed(), Bench(SIGNER, number=2).sealed()
    for number, film in enumerate((stranger, other), 1):
        place = root / str(number)
        segment = laid(place, live) / "segment-0001.mp4"
        draft_path(segment).write_bytes(draft_of(film, live))
        (sealed,) = recover(Spool(place), SIGNER, CLOCK)
        assert (sealed.recovered, sealed.reason) == (True, "device-restart")
        assert verdict(place / FIRST) == "explained-gap"
        assert draft_path(segment).with_name("segment-0001.mp4.seal.bad").exists()


@pytest.mark.parametrize("half", [0, 7000, 16384])
def test_own_seal_that_was_cut_off_anywhere_is_still_carried_out(root, half):
    live, film = own_pair()
    at = film.index(b"uuid") - 4
    segment = laid(root, film[: at + half] + live[at + half :]) / "segment-0001.mp4"
    draft_path(segment).write_bytes(draft_of(film, live))
    (sealed,) = recover(Spool(root), SIGNER, CLOCK)
    assert (sealed.recovered, sealed.reason) == (False, "stopped")
    assert segment.read_bytes() == film
    assert not draft_path(segment).exists()


@pytest.mark.parametrize("odd", ["directory", "link", "fifo"])
def test_seal_that_is_no_file_is_set_aside(root, odd):
    film = Bench(SIGNER).sealed()
    segment = laid(root, film) / "segment-0001.mp4"
    make_odd(draft_path(segment), odd)
    (sealed,) = recover(Spool(root), SIGNER, CLOCK)
    assert isinstance(sealed, RecordingSealed)
    assert segment.read_bytes() == film


def make_odd(place: Path, odd: str) -> None:
    if odd == "directory":
        place.mkdir()
    elif odd == "link":
        place.symlink_to("/dev/zero")
    else:
        os.mkfifo(place)


def refused(root: Path) -> str:
    """What the one recording in `root` failed with; nothing in it was changed or signed."""
    before = tree(root)
    (failed,) = recover(Spool(root), SIGNER, CLOCK)
    assert isinstance(failed, RecordingFailed)
    assert tree(root) == before
    return failed.detail


def test_flipped_byte_and_removed_signature_get_no_new_sums(root):
    film = Bench(SIGNER).sealed()
    laid(root, flipped(film, len(film) - 5000))
    assert "与封存时不一致" in refused(root)


@pytest.mark.parametrize("change", ["tail", "cut", "ftyp"])
def test_sealed_film_with_a_tail_a_cut_or_another_head_gets_no_sums(root, change):
    film = Bench(SIGNER).sealed()
    laid(root, {"tail": film + b"\0\0\0\x08free", "cut": film[:-3000], "ftyp": flipped(film, 10)}[change])
    assert "与封存时不一致" in refused(root)


def test_film_of_another_authority_is_neither_signed_nor_reported_as_sealed(root):
    laid(root, Bench(STRANGER).sealed())
    assert "不是由本机密钥" in refused(root)


def test_own_film_under_another_number_or_place_is_refused(root):
    laid(root / "a", Bench(SIGNER, number=2).sealed())
    assert "不属于此处" in refused(root / "a")
    bench = Bench(SIGNER)
    bench.sealed(Reason.CONTINUED)
    laid(root / "b", bench.sealed())
    assert "不属于此处" in refused(root / "b")


def test_removed_first_segment_gets_no_sums(root):
    bench = Bench(SIGNER)
    first, second = bench.sealed(Reason.CONTINUED), bench.sealed()
    folder = laid(root, first, second)
    (folder / "segment-0001.mp4").unlink()
    assert "衔接不上" in refused(root)


def test_unsealed_film_of_another_recording_is_not_sealed_here(root):
    laid(root, Bench(SIGNER, number=2).live()[1])
    assert "不属于此处" in refused(root)


def test_damage_that_the_seal_tells_of_is_no_objection_to_sums(root):
    live = Bench(SIGNER).live()[1]
    laid(root, flipped(live, len(live) // 2))
    (sealed,) = recover(Spool(root), SIGNER, CLOCK)
    assert isinstance(sealed, RecordingSealed)
    (again,) = recover(Spool(root), SIGNER, CLOCK, expected=[FIRST])
    assert again.head == sealed.head


def test_fragment_that_was_never_counted_does_not_break_the_chain_to_the_next_segment(root):
    """The sync of a last fragment failed, the recorder went on in a new segment, then the power failed."""
    bench = Bench(SIGNER)
    first = bench.live()[1]
    bench.head, bench.sequence = bench.records[-2].head, bench.sequence - 1
    folder = laid(root, first, bench.live()[1])
    (sealed,) = recover(Spool(root), SIGNER, CLOCK)
    assert isinstance(sealed, RecordingSealed)
    assert chained([examined(place) for place in Spool(root).segments(FIRST)]) == list(range(1, sealed.fragments + 1))
    assert (folder / "segment-0001.mp4.torn").stat().st_size == sealed.discarded_bytes > 0
    assert verdict(folder) == "explained-gap"


def bad_entry(place: Path, kind: str) -> None:
    """One entry that is no recording, in the folder of recordings."""
    if kind == "plain file":
        place.write_bytes(b"x")
        return
    place.mkdir(parents=True)
    segment = place / "segment-0001.mp4"
    if kind in ("fifo", "directory", "link"):
        make_odd(segment, kind)
    elif kind == "long name":
        (place / f"segment-{'0' * 150}1.mp4").write_bytes(Bench(SIGNER, number=5).sealed())
    elif kind == "sums in the way":
        segment.write_bytes(Bench(SIGNER, number=5).sealed())
        (place / "journal.jsonl").mkdir()


@pytest.mark.parametrize("kind", ["plain file", "fifo", "directory", "link", "long name", "sums in the way", "empty"])
def test_one_bad_entry_is_labelled_and_the_rest_is_recovered(root, kind):
    laid(root, Bench(SIGNER).live()[1])
    bad = recording_id(DEVICE, 5)
    bad_entry(root / bad, kind)
    laid(root, Bench(SIGNER, number=7).sealed(), recording=recording_id(DEVICE, 7))
    first, failed, last = recover(Spool(root), SIGNER, CLOCK)
    assert [type(it) for it in (first, failed, last)] == [RecordingSealed, RecordingFailed, RecordingSealed]
    assert failed.recording == bad
    assert "\n" not in failed.detail


def test_unreadable_folder_is_labelled_and_the_rest_is_recovered(root, tmp_path):
    """EIO on listing one folder, played by strace."""
    for number in (1, 2, 3):
        laid(root, Bench(SIGNER, number=number).sealed(), recording=recording_id(DEVICE, number))
    key, certificates = key_files(tmp_path)
    code = (
        "import sys; from pathlib import Path; from agent.key_files import read_signer;"
        "from agent.adapters.spool import Spool; from agent.adapters.spool_recovery import recover;"
        "from agent.clock import system_clock;"
        "found = recover(Spool(Path(sys.argv[1])), read_signer(Path(sys.argv[2]), Path(sys.argv[3])), system_clock());"
        "print(*(type(it).__name__ for it in found))"
    )
    bad = str(root / recording_id(DEVICE, 2))
    inject = ["-P", bad, "-e", "trace=getdents64", "-e", "inject=getdents64:error=EIO"]
    command = ["strace", "-f", "-qq", "-o", os.devnull, *inject, sys.executable, "-B", "-c", code]
    done = subprocess.run(
        [*command, str(root), str(key), str(certificates)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["RecordingSealed", "RecordingFailed", "RecordingSealed"], done.stderr


def test_recordings_that_cannot_be_listed_raise_one_fault(tmp_path):
    place = tmp_path / "recordings"
    place.write_bytes(b"x")
    assert Spool(place).recordings() == ()
    with pytest.raises(EnvironmentFault):
        Spool(place).segments(FIRST)


def test_full_disk_is_not_signed_as_a_restart(root):
    segment = laid(root, Bench(SIGNER).live()[1]) / "segment-0001.mp4"
    heal(segment, SIGNER, CLOCK, Break(Reason.STORAGE_FAILED, segment.stat().st_size - 10))
    closing = examined(segment).manifest.seal.closing
    assert (closing.reason, closing.recovered, closing.discarded_bytes > 10) == (Reason.STORAGE_FAILED, True, True)


def test_before_ready_only_what_is_unsealed_is_read(root, tmp_path):
    """Bites when sealed segments are examined again, or sums written, before the device is ready."""
    bench = Bench(SIGNER)
    laid(root, bench.sealed(Reason.CONTINUED), bench.sealed(Reason.CONTINUED), bench.live()[1])
    trace = tmp_path / "trace"
    key, certificates = key_files(tmp_path)
    code = (
        "import sys; from pathlib import Path; from agent.key_files import read_signer;"
        "from agent.adapters.spool import Spool; from agent.adapters.spool_recovery import SpoolRecovery;"
        "from agent.clock import system_clock; spool = Spool(Path(sys.argv[1]));"
        "signer = read_signer(Path(sys.argv[2]), Path(sys.argv[3]));"
        "SpoolRecovery(spool, signer, system_clock(), print).seal(spool.recordings())"
    )
    sealed = [str(root / FIRST / f"segment-000{number}.mp4") for number in (1, 2)]
    command = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=pread64", "-P", sealed[0], "-P", sealed[1]]
    command += [sys.executable, "-B", "-c", code, str(root), str(key), str(certificates)]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    ends = [sum(map(int, re.search(r", (\d+)\) += (\d+)$", it).groups())) for it in trace.read_text().splitlines()]
    assert 0 < max(ends) <= HEAD_WINDOW_BYTES < Path(sealed[0]).stat().st_size / 2, "more than the heads was read"
    assert examined(root / FIRST / "segment-0003.mp4").sealed
    assert not (root / FIRST / "SHA256SUMS").exists()


def test_ends_are_told_by_the_thread_and_heads_before_it(root):
    laid(root, Bench(SIGNER).live()[1])
    shutil.copytree(root / FIRST, root / recording_id(DEVICE, 2))
    reported: list[object] = []
    work = SpoolRecovery(Spool(root), SIGNER, CLOCK, reported.append)
    found, refused_copy = work.seal(Spool(root).recordings())
    assert isinstance(found, RecordingFound)
    assert isinstance(refused_copy, RecordingFailed)
    assert reported == []
    work.start()
    eventually(lambda: len(reported) == 1, "the end told")
    assert isinstance(reported[0], RecordingSealed)
    assert reported[0].head == found.head
    assert work.close(60)
    assert verdict(root / FIRST) == "explained-gap"


def test_power_cut_between_seals_and_sums_is_made_good_by_the_next_start(root):
    laid(root, Bench(SIGNER).live()[1])
    work = SpoolRecovery(Spool(root), SIGNER, CLOCK, lambda _: None)
    (found,) = work.seal(Spool(root).recordings())
    assert work.close(60)
    (sealed,) = recover(Spool(root), SIGNER, CLOCK)
    assert (sealed.head, sealed.recovered) == (found.head, True)
    assert recover(Spool(root), SIGNER, CLOCK) == []


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("certificate", [0, 1])
def test_flipped_version_bit_in_a_certificate_stops_no_start(root, sealed, certificate):
    """`InvalidVersion` is no `ValueError`: it went past every clause, at every start."""
    live, film = own_pair()
    film = film if sealed else live
    at = film.index(SIGNER.chain[certificate]) + 12
    folder = laid(root, film[:at] + bytes([film[at] ^ 4]) + film[at + 1 :])
    laid(root, Bench(SIGNER, number=7).live()[1], recording=recording_id(DEVICE, 7))
    failed, last = recover(Spool(root), SIGNER, CLOCK)
    assert [type(it) for it in (failed, last)] == [RecordingFailed, RecordingSealed]
    assert [it.read_bytes()[at] for it in folder.iterdir()] == [film[at] ^ 4]


class FaultyKey(type(SIGNER)):
    """A key whose library has a defect for the recordings that it is told."""

    def __init__(self) -> None:
        self.key_id, self.chain = SIGNER.key_id, SIGNER.chain
        self.left = 0

    def sign(self, data: bytes) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("a defect of ours")
        return SIGNER.sign(data)


@pytest.mark.parametrize("left", [0, 1])
def test_defect_met_by_one_recording_is_its_failure_and_the_others_are_recovered(root, left, caplog):
    laid(root, Bench(SIGNER).live()[1])
    laid(root, Bench(SIGNER, number=7).sealed(), recording=recording_id(DEVICE, 7))
    faulty = FaultyKey()
    faulty.left = left  # at the seal, or at the sums
    failed, _ = recover(Spool(root), faulty, CLOCK)
    assert isinstance(failed, RecordingFailed)
    assert "\n" not in failed.detail
    assert "a defect of ours" in caplog.text
    again = recover(Spool(root), SIGNER, CLOCK)
    assert {type(it) for it in again} == {RecordingSealed}
