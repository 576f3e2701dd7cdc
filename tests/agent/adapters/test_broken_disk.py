"""Disks that fail in the middle of a recording: it goes on when they do, and the reason signed is the true one."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path

import pytest

from agent.adapters.fake_source import FakeSource
from agent.adapters.segment_file import SegmentFile
from agent.adapters.spool import Spool
from agent.control.messages import GapOpened, RecordingFailed, RecordingSealed
from agent.errors import EnvironmentFault
from agent.evidence.journal import Reason
from tests.agent.adapters.recording_bench import FIRST, chained, eventually, examined, footage, verdict
from tests.agent.adapters.test_recorder import bench_over
from tests.agent.adapters.test_spool import REPOSITORY, SCRIPT

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tiny disk needs root")


@contextmanager
def tiny_disk(place: Path, size: str) -> Iterator[Path]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def remounted(disk: Path, how: str) -> bool:
    """Whether the disk took the new option; it refuses to become read-only while a file is open for writing."""
    done = subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], capture_output=True, check=False)
    return done.returncode == 0


def recorded(root: Path, *inject: str, seconds: str = "600", fragments: int = 6) -> list[list[str]]:
    """What a recording process says, line by line, while strace plays the faults `inject`."""
    faults = [word for fault in inject for word in ("-e", f"inject={fault}")]
    calls = ",".join(fault.partition(":")[0] for fault in inject)
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}", *faults]
    command += [sys.executable, "-m", SCRIPT, str(root), seconds, str(fragments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True, timeout=60)
    assert not done.stderr, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


@as_root
def test_a_segment_that_failed_once_is_never_written_again_however_well_its_disk_is(tmp_path):
    """After a failed fdatasync the kernel forgets the pages: the next one would succeed over bytes that are lost."""
    file = SegmentFile(tmp_path / "segment-0001.mp4")
    file.create()
    file.append(b"whole")
    writable = os.dup(file._descriptor)
    reading = os.open(file.path, os.O_RDONLY)
    os.dup2(reading, file._descriptor)  # the disk refuses
    with pytest.raises(EnvironmentFault):
        file.append(b"lost")
    os.dup2(writable, file._descriptor)  # and is well again
    for step in (lambda: file.append(b"later"), file.sync):
        with pytest.raises(EnvironmentFault, match="不再续写"):
            step()
    file.close()
    os.close(reading)
    os.close(writable)
    assert (file.size, file.path.read_bytes()) == (5, b"whole")


def test_nothing_that_stands_on_the_disk_is_written_over_by_a_number_used_twice(tmp_path):
    spool = Spool(tmp_path / "recordings")
    place = spool.create(FIRST) / "segment-0001.mp4"
    place.write_bytes(b"evidence")
    with pytest.raises(EnvironmentFault, match="目录已存在"):
        spool.create(FIRST)
    with pytest.raises(EnvironmentFault):
        SegmentFile(place).create()
    assert place.read_bytes() == b"evidence"


def test_full_disk_in_the_middle_is_sealed_as_a_storage_failure_and_not_as_a_restart(tmp_path):
    with tiny_disk(tmp_path / "disk", "300k") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(150_000))
        tracks, packets = footage(60)
        script = chain(packets[:600], repeat(0.02, 20), chain.from_iterable((it, 0.002) for it in packets[600:]))
        bench = bench_over(disk, FakeSource(tracks, script))
        bench.start()
        eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "the disk full")
        before = len(bench.stored())
        ballast.unlink()
        eventually(lambda: len(bench.stored()) > before, "a fragment after room was made")
        bench.recorder.stop(Reason.STOPPED)
        assert isinstance(bench.wait_for_end(), RecordingSealed)
        assert bench.recorder.close(60)
        closings = [segment.manifest.seal.closing for segment in bench.segments()]
        assert {it.reason for it in closings if it.recovered} == {Reason.STORAGE_FAILED}
        assert Reason.DEVICE_RESTART not in {it.reason for it in closings}


def test_disk_without_room_for_one_fragment_is_named_and_not_the_camera(tmp_path):
    tracks, packets = footage(2)
    bench = bench_over(tmp_path, FakeSource(tracks, packets), margin_bytes=2**60)
    bench.start()
    eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "the disk full")
    bench.recorder.stop(Reason.STOPPED)
    failed = bench.wait_for_end()
    assert bench.recorder.close(60)
    assert isinstance(failed, RecordingFailed)
    assert "存储空间不足" in failed.detail
    assert "摄像头" not in failed.detail


@as_root
def test_read_only_disk_is_a_gap_and_the_recording_goes_on_when_it_is_writable_again(tmp_path):
    with tiny_disk(tmp_path / "disk", "300k") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(230_000))
        tracks, packets = footage(60)
        script = chain(packets[:600], chain.from_iterable((packet, 0.01) for packet in packets[600:]))
        bench = bench_over(disk, FakeSource(tracks, script))
        bench.start()
        eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "the disk full")
        eventually(lambda: remounted(disk, "ro"), "a read-only disk")
        full = len(bench.stored())
        tried = bench.clock.read().monotonic_ns + 3_000_000_000  # a few keyframes, so a few tries
        eventually(lambda: bench.clock.read().monotonic_ns > tried, "some tries against the read-only disk")
        assert remounted(disk, "rw")
        ballast.unlink()
        eventually(lambda: len(bench.stored()) > full, "a fragment after the disk came back")
        bench.recorder.stop(Reason.STOPPED)
        assert isinstance(bench.wait_for_end(), RecordingSealed)
        assert bench.recorder.close(60)
        assert chained(bench.segments()) == [event.sequence for event in bench.stored()]
        assert bench.verdict() == "unexplained-gap"


def test_first_segment_that_can_neither_be_written_nor_removed_does_not_stop_the_recording(tmp_path):
    root = tmp_path / "recordings"
    said = recorded(root, "fdatasync:error=EIO:when=1", "unlink:error=EROFS:when=1")
    assert [kind for kind, *_ in said if kind != "FragmentStored"] == ["GapOpened", "RecordingSealed"]
    assert chained([examined(place) for place in Spool(root).segments(FIRST)])[:6] == list(range(1, 7))


@pytest.mark.parametrize(
    ("call", "recovered"), [("rename:error=EIO:when=1", True), ("ftruncate:error=EIO:when=2", False)]
)
def test_failing_seal_keeps_the_reason_of_the_end(tmp_path, call, recovered):
    """Its draft could not be written and a new seal is made, or could be (the first ftruncate is the draft's own) and
    is carried out at the end."""
    root = tmp_path / "recordings"
    said = recorded(root, call, seconds="1", fragments=6)
    assert said[-1][0] == "RecordingSealed"
    closing = examined(Spool(root).segment(FIRST, 1)).manifest.seal.closing
    assert (closing.reason, closing.recovered) == (Reason.CONTINUED, recovered)
    assert verdict(root / FIRST) == ("explained-gap" if recovered else "complete")


def test_stop_of_a_long_recording_reads_no_earlier_segment_again(tmp_path):
    """Every sealed segment is read once, and all but the last one before the recording is stopped."""
    root, trace = tmp_path / "recordings", tmp_path / "trace"
    command = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=openat,write"]
    command += [sys.executable, "-m", SCRIPT, str(root), "1", "8"]
    subprocess.run(command, capture_output=True, cwd=REPOSITORY, check=True, timeout=60)
    lines = trace.read_text().splitlines()
    last_told = max(number for number, line in enumerate(lines) if "FragmentStored 8" in line)
    reads = [
        (number, found[1])
        for number, line in enumerate(lines)
        if (found := re.search(r"(segment-\d{4})\.mp4\", O_RDONLY", line))
    ]
    names = [place.stem for place in Spool(root).segments(FIRST)]
    assert len(names) >= 4
    assert sorted(name for _, name in reads) == names, "each segment is read once"
    late = {name for number, name in reads if number > last_told}
    assert late <= set(names[-2:])
