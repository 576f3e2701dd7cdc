"""After a power cut: nothing that was stored is lost, what is torn goes aside, and doing it twice changes nothing."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent import durable
from agent.adapters.fake_source import FakeSource
from agent.adapters.segment_seal import draft_path
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import recover
from agent.control.messages import RecordingFailed, RecordingSealed
from agent.evidence.journal import Reason
from agent.wire.identifiers import recording_id
from tests.agent.adapters.recording_bench import (
    CLOCK,
    FIRST,
    SIGNER,
    chained,
    decoded_frames,
    examined,
    footage,
    verdict,
)
from tests.agent.adapters.test_recorder import bench_over
from tests.agent.evidence.bench import DEVICE, make_authority, private_key

REPOSITORY = Path(__file__).parents[3]
SCRIPT = "tests.agent.adapters.recording_process"


def record_until_killed(root: Path, fragments: int, segment_seconds: int = 600) -> list[int]:
    """The sequence numbers that the process said were stored before it was killed."""
    command = [sys.executable, "-m", SCRIPT, str(root), str(segment_seconds)]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        for line in process.stdout:
            said.append(int(line.split()[1]))
            if len(said) == fragments:
                process.send_signal(signal.SIGKILL)
    return said


def tree(root: Path) -> dict[str, str]:
    files = [place for place in sorted(root.rglob("*")) if place.is_file()]
    return {str(place.relative_to(root)): hashlib.sha256(place.read_bytes()).hexdigest() for place in files}


def test_killed_recording_is_recovered_with_every_stored_fragment(tmp_path):
    said = record_until_killed(tmp_path / "recordings", 5, segment_seconds=2)
    spool = Spool(tmp_path / "recordings")
    (sealed,) = recover(spool, SIGNER, CLOCK)
    assert isinstance(sealed, RecordingSealed)
    assert (sealed.recovered, sealed.reason) == (True, "device-restart")
    segments = [examined(place) for place in spool.segments(FIRST)]
    assert all(segment.sealed and not segment.damage for segment in segments)
    assert chained(segments)[: len(said)] == said
    assert verdict(spool.folder(FIRST)) == "explained-gap"
    assert sum(decoded_frames(place)["video"] for place in spool.segments(FIRST)) == sealed.duration_ms * 30 // 1000
    assert recover(spool, SIGNER, CLOCK) == []
    assert {path.stat().st_mode & 0o777 for path in spool.folder(FIRST).iterdir() if path.is_file()} == {0o640}


@pytest.fixture
def cut(tmp_path) -> Path:
    """A recordings folder as a power cut leaves it: one segment sealed, one torn in the middle of a fragment."""
    tracks, packets = footage(4)
    bench = bench_over(tmp_path, FakeSource(tracks, packets), segment_minutes=2 / 60)
    bench.start()
    bench.wait_for_fragments(6)
    snapshot = tmp_path / "cut"
    shutil.copytree(bench.spool.folder(FIRST), snapshot / FIRST)
    assert bench.recorder.close(60)
    torn = snapshot / FIRST / "segment-0002.mp4"
    os.truncate(torn, torn.stat().st_size - 100)
    return snapshot


def test_torn_tail_is_kept_aside_and_counted(cut):
    whole = (cut / FIRST / "segment-0002.mp4").read_bytes()
    (sealed,) = recover(Spool(cut), SIGNER, CLOCK)
    assert sealed.discarded_bytes > 0
    assert (cut / FIRST / "segment-0002.mp4.torn").read_bytes() == whole[-sealed.discarded_bytes :]
    last = examined(cut / FIRST / "segment-0002.mp4")
    assert last.sealed
    assert last.manifest.seal.closing.discarded_bytes == sealed.discarded_bytes
    assert last.manifest.seal.closing.reason is Reason.DEVICE_RESTART
    assert verdict(cut / FIRST) == "explained-gap"
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=cut / FIRST, capture_output=True, check=False)
    assert done.returncode == 0


def test_recovery_twice_changes_nothing(cut):
    recover(Spool(cut), SIGNER, CLOCK)
    after = tree(cut)
    assert recover(Spool(cut), SIGNER, CLOCK) == []
    assert tree(cut) == after
    (again,) = recover(Spool(cut), SIGNER, CLOCK, expected=[FIRST])
    assert again.recovered
    assert set(tree(cut)) == set(after)


def test_power_cut_inside_recovery_is_made_good_by_the_next_one(cut, tmp_path):
    """Before every call that changes the disk the process is killed once; the next recovery must reach the same end."""
    fine = shutil.copytree(cut, tmp_path / "fine")
    (expected,) = recover(Spool(fine), SIGNER, CLOCK)
    key, certificates = key_files(tmp_path)
    cuts = 0
    for call in ("write", "pwrite64", "ftruncate", "rename", "unlink", "fsync"):
        for number in range(1, 50):
            place = shutil.copytree(cut, tmp_path / f"{call}-{number}")
            if not killed_at(call, number, place, [str(key), str(certificates)]):
                break
            cuts += 1
            (sealed,) = recover(Spool(place), SIGNER, CLOCK, expected=[FIRST])
            outcome = (sealed.head, sealed.fragments, sealed.size, sealed.discarded_bytes, sealed.recovered)
            wanted = (expected.head, expected.fragments, expected.size, expected.discarded_bytes, True)
            assert outcome == wanted, (call, number)
            assert {name for name in tree(place) if "/." not in name} == set(tree(fine)), (call, number)
            assert all(segment.sealed for segment in [examined(it) for it in Spool(place).segments(FIRST)])
    assert cuts >= 20, "the harness cut nothing"


def killed_at(call: str, number: int, place: Path, keys: list[str]) -> bool:
    """Recover `place` in a process of its own that is killed at its `number`-th `call`; whether it came so far."""
    code = (
        "import sys; from pathlib import Path; from agent.key_files import read_signer;"
        "from agent.adapters.spool import Spool; from agent.adapters.spool_recovery import recover;"
        "from agent.clock import system_clock;"
        "recover(Spool(Path(sys.argv[1])), read_signer(Path(sys.argv[2]), Path(sys.argv[3])), system_clock())"
    )
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
    command = ["strace", "-f", "-qq", "-o", os.devnull, *inject, sys.executable, "-B", "-c", code, str(place), *keys]
    return subprocess.run(command, cwd=REPOSITORY, check=False).returncode != 0


def key_files(folder: Path) -> tuple[Path, Path]:
    """The device's key and certificates as files of a device folder."""
    key, certificates = folder / "evidence.key", folder / "evidence.pem"
    secret = private_key(f"leaf {DEVICE}").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    durable.write_bytes(key, secret, durable.PRIVATE)
    pem = [x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in SIGNER.chain]
    return key, durable.write_bytes(certificates, b"".join(pem))


@pytest.mark.parametrize("written", [0, 8_000])
def test_seal_cut_in_half_is_written_again(tmp_path, written):
    tracks, packets = footage(2)
    bench = bench_over(tmp_path, FakeSource(tracks, packets))
    bench.start()
    bench.wait_for_fragments(2)
    assert bench.recorder.close(60)
    segment = bench.spool.segment(FIRST, 1)
    whole = segment.read_bytes()
    seal_at = whole.index(b"uuid") - 4
    patch = whole[seal_at : seal_at + 16_384]
    draft_path(segment).write_bytes(seal_at.to_bytes(8) + len(whole).to_bytes(8) + zlib.compress(patch))
    segment.write_bytes(whole[: seal_at + written] + bytes(16_384 - written) + whole[seal_at + 16_384 :])
    (bench.spool.folder(FIRST) / "SHA256SUMS.p7s").unlink()
    (sealed,) = recover(bench.spool, SIGNER, CLOCK)
    assert sealed.reason == "shutdown"
    assert not sealed.recovered
    assert segment.read_bytes() == whole
    assert not draft_path(segment).exists()


def test_rotten_draft_of_a_seal_is_not_written_into_the_file(tmp_path):
    tracks, packets = footage(2)
    bench = bench_over(tmp_path, FakeSource(tracks, packets))
    bench.start()
    bench.wait_for_fragments(2)
    assert bench.recorder.close(60)
    segment = bench.spool.segment(FIRST, 1)
    whole = segment.read_bytes()
    draft_path(segment).write_bytes(bytes(16) + b"rotten")
    (bench.spool.folder(FIRST) / "SHA256SUMS.p7s").unlink()
    (sealed,) = recover(bench.spool, SIGNER, CLOCK)
    assert isinstance(sealed, RecordingSealed)
    assert segment.read_bytes() == whole
    assert segment.with_name("segment-0001.mp4.seal.bad").exists()


@pytest.mark.parametrize("content", [b"", b"\0" * 500, b"\0\0\0\x1cftypiso5"])
def test_file_without_a_head_is_kept_as_torn_and_reported(tmp_path, content):
    spool = Spool(tmp_path / "recordings")
    segment = spool.create(FIRST) / "segment-0001.mp4"
    segment.write_bytes(content)
    (failed,) = recover(spool, SIGNER, CLOCK)
    assert isinstance(failed, RecordingFailed)
    assert segment.with_name("segment-0001.mp4.torn").read_bytes() == content
    assert not segment.exists()


def test_recording_begun_by_another_key_is_left_alone_and_does_not_stop_the_others(cut):
    second = recording_id(DEVICE, 2)
    shutil.copytree(cut / FIRST, cut / second)
    before = tree(cut / second)
    stranger = make_authority().signer("REC-0002")
    results = recover(Spool(cut), stranger, CLOCK)
    assert [type(result) for result in results] == [RecordingFailed, RecordingFailed]
    assert tree(cut / second) == before
    assert [type(result) for result in recover(Spool(cut), SIGNER, CLOCK)] == [RecordingSealed, RecordingFailed]
    assert tree(cut / second) == before, "a copy under another number is not that recording"


def test_no_fragment_is_told_before_it_is_synced(tmp_path):
    """Bites when `os.fdatasync` is taken out of `SegmentFile.sync`."""
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=pwritev2,fdatasync,write", "-e", "signal=none"]
    recording = [sys.executable, "-m", SCRIPT, str(tmp_path / "recordings"), "600"]
    with subprocess.Popen([*command, *recording], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        for count, _ in enumerate(process.stdout, 1):
            if count == 3:
                break
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
    calls = re.findall(r"(pwritev2\(|fdatasync\(|write\(1, \"FragmentStored)", trace.read_text())
    kinds = "".join({"p": "P", "f": "S", "w": "T"}[call[0]] for call in calls)
    assert re.match(r"PSPST(PST)+", kinds), kinds


@pytest.mark.parametrize(("call", "error"), [("fdatasync", "EIO"), ("pwritev2", "ENOSPC"), ("pwritev2", "EROFS")])
@pytest.mark.parametrize("number", [1, 3, 5])
def test_disk_that_fails_once_costs_one_fragment_and_is_told(tmp_path, call, error, number):
    root = tmp_path / "recordings"
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}"]
    recording = [sys.executable, "-m", SCRIPT, str(root), "600", "6"]
    command = ["strace", "-f", "-qq", "-o", os.devnull, *inject, *recording]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True)
    said = [line.split() for line in done.stdout.splitlines()]
    assert [kind for kind, *_ in said if kind != "FragmentStored"] == ["GapOpened", "RecordingSealed"]
    segments = [examined(place) for place in Spool(root).segments(FIRST)]
    assert chained(segments) == [int(sequence) for kind, sequence in said if kind == "FragmentStored"]
    assert verdict(root / FIRST) == "unexplained-gap"


def test_listing_sizes_and_room(tmp_path):
    spool = Spool(tmp_path / "recordings")
    assert spool.recordings() == ()
    assert spool.room.free_bytes() > 0
    for number in (10, 2):
        (spool.create(recording_id(DEVICE, number)) / "segment-0001.mp4").write_bytes(bytes(number))
    assert spool.recordings() == (recording_id(DEVICE, 2), recording_id(DEVICE, 10))
    assert spool.size(recording_id(DEVICE, 10)) == 10
