"""A disk that fills up while recording, on a real ext4: what stands is sealed, in room that was kept; nothing goes."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from pathlib import Path

import pytest

from agent.adapters.disk_room import DiskRoom, NoRoom
from agent.adapters.fake_source import FakeSource
from agent.adapters.recorder import RecorderSettings
from agent.adapters.reserve_file import ReserveFile
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import recover
from agent.control.messages import GapOpened, RecordingFailed, RecordingSealed
from agent.evidence.journal import Reason
from tests.agent.adapters.recording_bench import (
    CLOCK,
    FIRST,
    SIGNER,
    RecordingBench,
    chained,
    eventually,
    examined,
    footage,
)

MIB = 2**20
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a disk image needs root")


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    """`image` on a loop device; skips where the kernel has none."""
    place.mkdir()
    done = subprocess.run(["mount", "-o", "loop", str(image), str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no loop device here: {done.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def ext4_disk(folder: Path, size: int, *words: str) -> Iterator[Path]:
    """A real ext4 of `size` bytes, made with `words`."""
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", *words, str(image)], check=True, capture_output=True)
    with mounted(image, folder / "disk") as place:
        yield place


def bench_on(disk: Path, source: FakeSource, reserve: int, margin: int) -> RecordingBench:
    bench = RecordingBench(disk / "recordings", iter([source]), RecorderSettings(retry_s=0.2, margin_bytes=margin))
    bench.spool.room = DiskRoom(disk / "recordings", ReserveFile(disk / "reserve.bin", reserve))
    return bench


def fill(disk: Path, leave: int) -> Path:
    """A file that leaves `leave` bytes of the disk."""
    ballast, found = disk / "ballast", os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - leave)
    return ballast


def slow(packets, head: int):
    return chain(packets[:head], chain.from_iterable((packet, 0.005) for packet in packets[head:]))


@as_root
def test_threat_officer_suppresses_by_filling_the_disk_and_a_sealed_file_is_left(tmp_path):
    with ext4_disk(tmp_path, 24 * MIB) as disk:
        tracks, packets = footage(60)
        bench = bench_on(disk, FakeSource(tracks, slow(packets, 200)), reserve=4 * MIB, margin=MIB)
        bench.start()
        bench.wait_for_fragments(3)
        fill(disk, MIB + 16_000)
        eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "the disk full")
        eventually(lambda: bench.segments()[0].sealed, "the segment sealed, in the room that was kept")
        (gap,) = [event for event in bench.events if isinstance(event, GapOpened)]
        bench.recorder.stop(Reason.STOPPED)
        assert isinstance(bench.wait_for_end(), RecordingSealed)
        assert bench.recorder.close(60)
        assert gap.reason == "storage-full"
        (segment,) = bench.segments()
        assert (segment.manifest.seal.closing.reason, segment.manifest.seal.closing.recovered) == (
            "storage-full",
            False,
        )
        assert bench.verdict() == "unexplained-gap", "an officer has to say what was missed"
        assert chained([segment]) == [event.sequence for event in bench.stored()]


@as_root
def test_a_recording_goes_on_by_itself_when_room_is_made_and_takes_its_reserve_back(tmp_path):
    with ext4_disk(tmp_path, 24 * MIB) as disk:
        tracks, packets = footage(120)
        bench = bench_on(disk, FakeSource(tracks, slow(packets, 200)), reserve=4 * MIB, margin=MIB)
        bench.start()
        bench.wait_for_fragments(3)
        ballast = fill(disk, MIB + 16_000)
        eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "the disk full")
        eventually(lambda: not (disk / "reserve.bin").exists(), "the reserve given back")
        before = len(bench.stored())
        ballast.unlink()
        eventually(lambda: len(bench.stored()) > before + 1, "fragments after room was made")
        assert (disk / "reserve.bin").stat().st_size == 4 * MIB
        bench.recorder.stop(Reason.STOPPED)
        assert isinstance(bench.wait_for_end(), RecordingSealed)
        assert bench.recorder.close(60)
        assert chained(bench.segments()) == [event.sequence for event in bench.stored()]


@as_root
def test_a_disk_that_others_fill_to_the_last_byte_still_takes_the_seal(tmp_path):
    with ext4_disk(tmp_path, 24 * MIB) as disk:
        tracks, packets = footage(3)
        bench = bench_on(disk, FakeSource(tracks, chain(packets, repeat(0.01, 10**6))), reserve=4 * MIB, margin=0)
        bench.start()
        bench.wait_for_fragments(5)  # the sixth is with the muxer until the end
        fill(disk, 0)
        bench.recorder.stop(Reason.STOPPED)
        sealed = bench.wait_for_end()
        assert bench.recorder.close(60)
        assert isinstance(sealed, RecordingSealed)
        assert bench.verdict() == "complete"
        assert (bench.spool.folder(FIRST) / "SHA256SUMS.p7s").is_file()


@as_root
def test_the_reserve_is_of_real_blocks_and_refuses_where_there_are_none(tmp_path):
    with ext4_disk(tmp_path, 16 * MIB) as disk:
        reserve = ReserveFile(disk / "reserve.bin", 4 * MIB)
        free = Spool(disk / "recordings").room.free_bytes()
        assert reserve.ensure()
        assert Spool(disk / "recordings").room.free_bytes() <= free - 4 * MIB
        fill(disk, 0)
        assert reserve.ensure(), "held already"
        reserve.release()
        assert Spool(disk / "recordings").room.free_bytes() >= 4 * MIB
        (disk / "more").write_bytes(bytes(2 * MIB))
        assert not reserve.ensure()
        with pytest.raises(NoRoom, match="封存"):
            Spool(disk / "recordings", reserve).room.hold_reserve(0)


def test_a_reserve_of_holes_is_no_reserve_and_is_filled(tmp_path):
    """What a file's length says, a disk need not have: a power cut while the room was taken leaves such a file."""
    place = tmp_path / "reserve.bin"
    place.touch()
    os.truncate(place, 4 * MIB)
    assert ReserveFile(place, 4 * MIB).ensure()
    assert place.stat().st_blocks * 512 >= 4 * MIB


def take_inodes(disk: Path) -> list[Path]:
    """Files until the disk takes no further one, however much room it has."""
    taken: list[Path] = []
    with suppress(OSError):
        while True:
            place = disk / f"taken-{len(taken)}"
            place.touch()
            taken.append(place)
    return taken


def abort_journal(disk: Path) -> None:
    """What ext4 does when it finds itself damaged: from now on nothing is written, until the next mount."""
    words = ["findmnt", "-no", "SOURCE", str(disk)]
    device = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    trigger = Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error")
    if not trigger.exists():
        pytest.skip("this kernel's ext4 has no trigger_fs_error")
    trigger.write_text("1")


def ended_without_a_seal(bench: RecordingBench) -> list[int]:
    """The fragments that were told as stored, by a recorder that said why it could not seal them."""
    bench.recorder.stop(Reason.STOPPED)
    failed = bench.wait_for_end()
    assert bench.recorder.close(60)
    assert isinstance(failed, RecordingFailed)
    assert "开机时将自动恢复" in failed.detail
    return [event.sequence for event in bench.stored()]


@as_root
def test_a_disk_without_inodes_keeps_what_was_recorded_says_so_and_the_next_start_seals_it(tmp_path):
    with ext4_disk(tmp_path, 24 * MIB, "-N", "64") as disk:
        bench = bench_on(disk, FakeSource(*footage(3)), reserve=4 * MIB, margin=MIB)
        bench.start()
        bench.wait_for_fragments(3)
        taken = take_inodes(disk)
        stored = ended_without_a_seal(bench)
        for place in taken:
            place.unlink()
        (sealed,) = recover(bench.spool, SIGNER, CLOCK)
        assert isinstance(sealed, RecordingSealed)
        assert (chained(bench.segments()), bench.verdict()) == (stored, "explained-gap")


@as_root
def test_an_ext4_that_aborted_its_journal_is_told_and_the_next_start_seals_what_the_kernel_kept(tmp_path):
    with ext4_disk(tmp_path, 24 * MIB, "-e", "remount-ro") as disk:
        tracks, packets = footage(60)
        bench = bench_on(disk, FakeSource(tracks, slow(packets, 200)), reserve=4 * MIB, margin=MIB)
        bench.start()
        bench.wait_for_fragments(3)
        abort_journal(disk)
        eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "the dead disk told")
        stored = ended_without_a_seal(bench)
    with mounted(tmp_path / "disk.img", tmp_path / "again") as disk:
        spool = Spool(disk / "recordings")
        (sealed,) = recover(spool, SIGNER, CLOCK)
        assert isinstance(sealed, RecordingSealed)
        there = set(chained([examined(place) for place in spool.segments(FIRST)]))
    # Linux 6.18 says yes to the fdatasync that meets the abort and stores nothing (26 of 120 times without our code).
    assert set(stored) - there <= {max(stored)}
