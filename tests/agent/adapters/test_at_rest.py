"""A recorder that encrypts: what it loses in a power cut (nothing whole), and what it can read afterwards (nothing)."""

import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from agent import durable
from agent.adapters.data_keys import DataKeys, read_archive_key
from agent.adapters.fake_source import FakeSource
from agent.adapters.given_up import MAX_TRIES
from agent.adapters.notes_folder import NoteDraft, add_note
from agent.adapters.orders import PhotoAsked
from agent.adapters.packet_flow import QUEUE_BYTES
from agent.adapters.recorder import RecorderSettings
from agent.adapters.recording_end import encode_end, parse_end
from agent.adapters.segment_recovery import Break, read_sealed
from agent.adapters.sources import CaptureSettings, make_source
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import SpoolRecovery, recover, seal_broken
from agent.config import read_config
from agent.control.effects import StartRecording
from agent.control.messages import GapOpened, PhotoTaken, RecordingFailed, RecordingSealed
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.evidence.encrypted_photo import photo_digest
from agent.evidence.journal import Reason
from agent.evidence.reasons import Cause
from agent.evidence.vsi_profiles import VSI_PROFILES
from agent.recording_part import equip
from agent.wire.device_events import GENESIS
from provisioning.center.archive import decrypt, decrypt_recording
from provisioning.fleet.medium import scan
from tests.agent.adapters.recording_bench import (
    AUTHORITY,
    CLOCK,
    FIRST,
    SIGNER,
    UNIT,
    RecordingBench,
    eventually,
    footage,
    verdict,
)
from tests.agent.adapters.test_spool import REPOSITORY, SCRIPT, key_files, killed_at, tree
from tests.agent.evidence.bench import DEVICE, flipped, private_key
from tests.agent.evidence.foreign import c2pa_state, encypher_accepts
from tests.support.commands import run_here
from tests.support.device import DistrictKeys

ARCHIVE = private_key("archive")
SEGMENT = "segment-0001.mp4.enc"


def write_keys(folder: Path) -> None:
    pkcs8 = ARCHIVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    durable.write_bytes(folder / "archive.key", pkcs8, durable.PRIVATE)
    public = ARCHIVE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "archive.pub").write_bytes(public)
    (folder / "root.pem").write_bytes(AUTHORITY.root_pem)


def keys_in(folder: Path) -> DataKeys:
    return DataKeys(folder / "keys", ARCHIVE.public_key())


def bench_in(folder: Path, seconds: int = 4, **settings) -> RecordingBench:
    made = RecorderSettings(**{"retry_s": 0.2, "margin_bytes": 0, **settings})
    source = FakeSource(*footage(seconds))
    return RecordingBench(folder / "recordings", iter([source]), made, keys=keys_in(folder))


@pytest.fixture
def sealed(tmp_path) -> Path:
    """A place with keys and an encrypted recording of two segments, sealed."""
    write_keys(tmp_path)
    bench = bench_in(tmp_path, segment_minutes=2 / 60)
    bench.start()
    bench.wait_for_fragments(6)
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingSealed)
    assert bench.recorder.close(60)
    return tmp_path


@pytest.fixture
def cut(tmp_path) -> Path:
    """A place as a power cut leaves it: one segment sealed, one torn inside a fragment, the key still there."""
    write_keys(tmp_path)
    running = tmp_path / "running"
    running.mkdir()
    bench = bench_in(running, segment_minutes=2 / 60)
    bench.start()
    bench.wait_for_fragments(6)
    place = tmp_path / "cut"
    shutil.copytree(running / "recordings", place / "recordings")
    shutil.copytree(running / "keys", place / "keys")
    assert bench.recorder.close(60)
    torn = place / "recordings" / FIRST / "segment-0002.mp4.enc"
    os.truncate(torn, torn.stat().st_size - 100)
    return place


def clear(place: Path, out: str = "clear") -> Path:
    target = place / out
    assert [
        each for it in decrypt_recording(place / "recordings" / FIRST, ARCHIVE, target) for each in it.problems
    ] == []
    return target


def verify(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run_here("agent.verify_cli", *arguments)


def test_sealed_recording_is_read_by_the_archive_and_not_by_the_device(sealed):
    folder = sealed / "recordings" / FIRST
    names = {"segment-0001.mp4.enc", "segment-0002.mp4.enc", "SHA256SUMS", "SHA256SUMS.p7s"}
    assert {place.name for place in folder.iterdir()} == names
    assert not (sealed / "keys" / f"{FIRST}.key").exists()
    with pytest.raises(EnvironmentFault, match="没有"), keys_in(sealed).opened(folder / SEGMENT):
        pass
    for place in folder.glob("*.enc"):
        assert b"mdat" not in place.read_bytes()
    done = verify(folder, "--roots", sealed / "root.pem", "--key", sealed / "archive.key", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["fragments"] >= 6


def test_recorder_told_to_sign_in_another_dialect_does_and_is_verified(tmp_path):
    write_keys(tmp_path)
    bench = bench_in(tmp_path, vsi=VSI_PROFILES["c2pa-rs-2631"])
    bench.start()
    bench.wait_for_fragments(3)
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingSealed)
    assert bench.recorder.close(60)
    done = verify(tmp_path / "recordings" / FIRST, "--roots", tmp_path / "root.pem", "--key", tmp_path / "archive.key")
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"verifiable-segment-info\0fseg\0" in next(clear(tmp_path).rglob("segment-0001.mp4")).read_bytes()


def test_threat_stolen_recorder_shows_no_film_and_the_devices_own_key_opens_none(sealed):
    """The thief has the whole card, the device's signing key too; the archive's key is elsewhere."""
    (sealed / "archive.key").unlink()
    assert scan(sealed, {"坐标": b'"captured"', "画面": b"mdat"}).found == ()
    for key in (private_key(f"leaf {DEVICE}"), ec.generate_private_key(ec.SECP256R1())):
        with pytest.raises(OperatorFault, match="另一把存档密钥"):
            decrypt_recording(sealed / "recordings" / FIRST, key, sealed / "out")
    assert not (sealed / "out").exists()


def test_decrypted_recording_is_checked_by_hand_and_by_strangers(sealed):
    out = clear(sealed)
    assert subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=out, check=False).returncode == 0
    assert verdict(out) == "complete"
    data = (out / "segment-0001.mp4").read_bytes()
    assert c2pa_state(data, AUTHORITY.root_pem) == "Trusted"
    assert encypher_accepts(data, AUTHORITY.root_pem)
    assert (out / "segment-0001.mp4").stat().st_mode & 0o077 == 0


def test_without_the_key_or_with_another_it_is_the_operators_fault(sealed, tmp_path):
    folder = sealed / "recordings" / FIRST
    assert verify(folder, "--roots", sealed / "root.pem").returncode == 2
    other = ec.generate_private_key(ec.SECP256R1())
    pkcs8 = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    durable.write_bytes(tmp_path / "other.key", pkcs8, durable.PRIVATE)
    done = verify(folder, "--roots", sealed / "root.pem", "--key", tmp_path / "other.key")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "另一把存档密钥" in done.stderr
    with pytest.raises(OperatorFault):
        decrypt_recording(folder, other, tmp_path / "nothing")


@pytest.mark.parametrize("where", [0, 40, 250, 400, 9000, 0.5, 0.9, -1])
def test_flipped_bit_is_altered_and_named(sealed, where):
    segment = sealed / "recordings" / FIRST / SEGMENT
    data = segment.read_bytes()
    at = int(len(data) * where) if isinstance(where, float) else where % len(data)
    segment.write_bytes(flipped(data, at))
    done = verify(segment.parent, "--roots", sealed / "root.pem", "--key", sealed / "archive.key", "--json")
    report = json.loads(done.stdout)
    assert report["verdict"] in ("altered", "missing")
    named = [place for place in report["places"] if place["file"] == SEGMENT]
    assert any(place["offset"] <= at < place["offset"] + place["size"] for place in named)


def test_end_cut_off_at_a_record_is_missing_or_altered_and_the_rest_is_read(sealed):
    segment = sealed / "recordings" / FIRST / "segment-0002.mp4.enc"
    os.truncate(segment, segment.stat().st_size - 20)  # the final record alone
    done = verify(segment.parent, "--roots", sealed / "root.pem", "--key", sealed / "archive.key", "--json")
    assert json.loads(done.stdout)["verdict"] == "unexplained-gap"
    os.truncate(segment, segment.stat().st_size - 500)
    done = verify(segment.parent, "--roots", sealed / "root.pem", "--key", sealed / "archive.key", "--json")
    assert json.loads(done.stdout)["verdict"] in ("missing", "altered")
    problems = [each for it in decrypt_recording(segment.parent, ARCHIVE, sealed / "out") for each in it.problems]
    assert problems


def test_torn_tail_stays_encrypted_and_nothing_whole_is_lost(cut):
    spool = Spool(cut / "recordings", keys=keys_in(cut))
    (end,) = recover(spool, SIGNER, CLOCK)
    assert (end.recovered, end.reason) == (True, "device-restart")
    assert end.discarded_bytes > 0
    torn = cut / "recordings" / FIRST / "segment-0002.mp4.enc.torn"
    assert torn.stat().st_size == end.discarded_bytes
    assert b"mdat" not in torn.read_bytes()
    assert not (cut / "keys" / f"{FIRST}.key").exists()
    assert verdict(clear(cut)) == "explained-gap"


def test_recovery_goes_on_when_encryption_was_switched_off_meanwhile(cut):
    (end,) = recover(Spool(cut / "recordings"), SIGNER, CLOCK)
    assert isinstance(end, RecordingSealed)
    assert verdict(clear(cut)) == "explained-gap"


def test_recovery_twice_changes_nothing_and_the_end_is_told_again_without_the_key(cut):
    spool = Spool(cut / "recordings", keys=keys_in(cut))
    (end,) = recover(spool, SIGNER, CLOCK)
    after = tree(cut)
    (again,) = recover(spool, SIGNER, CLOCK, expected=[FIRST])
    assert replace(again, at=end.at) == end  # moments are kept in milliseconds
    assert tree(cut) == after
    assert recover(spool, SIGNER, CLOCK) == []
    assert [place.name for place in (cut / "keys").iterdir()] == [f"{FIRST}.end"]  # asked by written notes
    shutil.rmtree(cut / "recordings" / FIRST)
    assert recover(spool, SIGNER, CLOCK) == []
    assert list((cut / "keys").iterdir()) == []


def test_unfinished_recording_without_its_key_is_reported_and_left_alone(cut):
    (cut / "keys" / f"{FIRST}.key").unlink()
    before = tree(cut / "recordings")
    (end,) = recover(Spool(cut / "recordings", keys=keys_in(cut)), SIGNER, CLOCK)
    assert isinstance(end, RecordingFailed)
    assert "存档密钥" in end.detail
    assert tree(cut / "recordings") == before


def test_threat_stolen_recorder_shows_no_journal_and_the_archive_reads_it_again(sealed):
    """It tells where the officer was; the device lists its hash, the archive writes it out of the segments."""
    folder = sealed / "recordings" / FIRST
    assert "journal.jsonl" in (folder / "SHA256SUMS").read_text()
    assert b'"captured"' not in b"".join(place.read_bytes() for place in sealed.rglob("*") if place.is_file())
    lines = (clear(sealed) / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == list(range(1, len(lines) + 1))


def test_sums_that_list_another_journal_are_altered(sealed):
    sums = sealed / "recordings" / FIRST / "SHA256SUMS"
    first, rest = sums.read_text().split("\n", 1)
    assert first.endswith("journal.jsonl")
    sums.write_text("0" * 64 + first[64:] + "\n" + rest)
    done = verify(sums.parent, "--roots", sealed / "root.pem", "--key", sealed / "archive.key", "--json")
    assert json.loads(done.stdout)["verdict"] == "altered"
    assert "journal.jsonl" in {place["file"] for place in json.loads(done.stdout)["places"]}


def test_written_note_beside_a_recording_that_the_device_cannot_read(sealed):
    spool = Spool(sealed / "recordings", keys=keys_in(sealed))
    draft = NoteDraft(Cause.EQUIPMENT_FAILURE.value, "存储卡松动，已重新插好。", "示例-000001")
    add_note(spool, FIRST, draft, SIGNER, CLOCK.read().wall)
    done = verify(spool.folder(FIRST), "--roots", sealed / "root.pem", "--key", sealed / "archive.key", "--json")
    assert done.returncode == 0, done.stdout
    assert verdict(clear(sealed)) == "complete"
    assert (sealed / "clear" / "notes" / "0001.dsse").exists()
    with pytest.raises(OperatorFault, match="片段范围"):
        add_note(spool, FIRST, replace(draft, last=10_000), SIGNER, CLOCK.read().wall)


def test_photo_is_read_by_the_archive_alone_and_a_flipped_bit_is_altered(tmp_path):
    write_keys(tmp_path)
    source = make_source(CaptureSettings(camera="test", width=320, height=192), CLOCK)
    bench = RecordingBench(tmp_path / "recordings", iter([source]), keys=keys_in(tmp_path))
    bench.recorder.act(PhotoAsked(DEVICE, UNIT, CLOCK.read()))
    eventually(lambda: any(isinstance(event, PhotoTaken) for event in bench.events), "a photo")
    assert bench.recorder.close(60)
    (photo,) = bench.spool.photos.iterdir()
    assert photo.name.endswith(".jpg.enc")
    assert b"JFIF" not in photo.read_bytes()
    asked = [photo, "--roots", tmp_path / "root.pem"]
    assert verify(*asked).returncode == 2
    assert verify(*asked, "--key", tmp_path / "archive.key").returncode == 0
    (done,) = decrypt(photo, ARCHIVE, tmp_path / "clear")
    assert hashlib.sha256(done.file.read_bytes()).hexdigest() == photo_digest(photo.read_bytes())
    photo.write_bytes(flipped(photo.read_bytes(), 3000))
    assert verify(*asked, "--key", tmp_path / "archive.key").returncode == 13


def test_photo_in_a_recording_is_listed_and_judged_with_it(tmp_path):
    write_keys(tmp_path)
    source = make_source(CaptureSettings(camera="test", width=320, height=192), CLOCK)
    bench = RecordingBench(tmp_path / "recordings", iter([source]), keys=keys_in(tmp_path))
    bench.start()
    bench.wait_for_fragments(1)
    bench.recorder.act(PhotoAsked(DEVICE, UNIT, CLOCK.read()))
    eventually(lambda: any(isinstance(event, PhotoTaken) for event in bench.events), "a photo")
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingSealed)
    assert bench.recorder.close(60)
    folder = bench.spool.folder(FIRST)
    (photo,) = folder.glob("photo-*.jpg.enc")
    asked = [folder, "--roots", tmp_path / "root.pem", "--key", tmp_path / "archive.key"]
    done = verify(*asked)
    assert (done.returncode, "照片 1 张" in done.stdout) == (0, True), done.stdout
    out = clear(tmp_path)
    assert subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=out, check=False).returncode == 0
    assert verify(out, "--roots", tmp_path / "root.pem").returncode == 0
    photo.write_bytes(flipped(photo.read_bytes(), 3000))
    assert verify(*asked).returncode == 13


def test_card_of_a_dead_recorder_is_read_by_the_archive_as_it_is(cut):
    folder = cut / "recordings" / FIRST
    shutil.rmtree(cut / "keys")
    done = verify(folder, "--roots", cut.parent / "root.pem", "--key", cut.parent / "archive.key", "--json")
    report = json.loads(done.stdout)
    assert report["verdict"] in ("unexplained-gap", "missing")
    assert report["fragments"] >= 5


@pytest.mark.parametrize("at", [20_000, 30_000, 32_900])
def test_flipped_bit_before_recovery_costs_no_sealed_segment(cut, at):
    """In the room of the manifest, which the slot makes good: flagged by the archive, and all the rest is there."""
    folder = cut / "recordings" / FIRST
    (folder / SEGMENT).write_bytes(flipped((folder / SEGMENT).read_bytes(), at))
    (end,) = recover(Spool(cut / "recordings", keys=keys_in(cut)), SIGNER, CLOCK)
    assert (type(end), end.segments) == (RecordingSealed, 2)
    assert not list(folder.glob("segment-0001*.torn"))
    done = verify(folder, "--roots", cut.parent / "root.pem", "--key", cut.parent / "archive.key", "--json")
    report = json.loads(done.stdout)
    assert (report["verdict"], report["fragments"]) == ("altered", end.fragments)
    assert all(place["file"] == SEGMENT for place in report["places"] if place["kind"] == "at-rest")


@pytest.mark.parametrize("at", [3, 9, 40, 200])
def test_sealed_segment_whose_header_is_damaged_is_altered_and_not_missing(cut, at):
    segment = cut / "recordings" / FIRST / SEGMENT
    segment.write_bytes(flipped(segment.read_bytes(), at))
    (end,) = recover(Spool(cut / "recordings", keys=keys_in(cut)), SIGNER, CLOCK)
    assert isinstance(end, RecordingFailed)
    assert segment.exists()
    done = verify(segment.parent, "--roots", cut.parent / "root.pem", "--key", cut.parent / "archive.key", "--json")
    assert json.loads(done.stdout)["verdict"] == "altered"


def test_sealed_segment_whose_opening_is_damaged_stays_where_it_is(cut):
    folder = cut / "recordings" / FIRST
    data = (folder / SEGMENT).read_bytes()
    opening = 10 + int.from_bytes(data[8:10]) + 16440  # header and slot: ftyp is the record behind them
    (folder / SEGMENT).write_bytes(flipped(data, opening + 10))
    (end,) = recover(Spool(cut / "recordings", keys=keys_in(cut)), SIGNER, CLOCK)
    assert isinstance(end, RecordingFailed)
    assert (folder / SEGMENT).exists()
    assert not list(folder.glob("segment-0001*.torn"))
    done = verify(folder, "--roots", cut.parent / "root.pem", "--key", cut.parent / "archive.key", "--json")
    assert json.loads(done.stdout)["verdict"] == "altered"


def test_recording_that_is_refused_at_every_start_is_not_read_for_ever(cut):
    """Until somebody puts back a good copy; what was recorded is never touched."""
    folder, good = cut / "recordings" / FIRST, (cut / "recordings" / FIRST / SEGMENT).read_bytes()
    opening = 10 + int.from_bytes(good[8:10]) + 16440
    bad = flipped(good, opening + 10)
    (folder / SEGMENT).write_bytes(bad)
    starts = [recover(Spool(cut / "recordings", keys=keys_in(cut)), SIGNER, CLOCK) for _ in range(MAX_TRIES + 2)]
    assert [[type(end) for end in ends] for ends in starts] == [[RecordingFailed]] * MAX_TRIES + [[], []]
    assert (folder / SEGMENT).read_bytes() == bad
    (told,) = recover(Spool(cut / "recordings", keys=keys_in(cut)), SIGNER, CLOCK, [FIRST])
    assert isinstance(told, RecordingFailed)  # whose end nobody was told of is always tried
    (folder / SEGMENT).write_bytes(good)
    (end,) = recover(Spool(cut / "recordings", keys=keys_in(cut)), SIGNER, CLOCK)
    assert isinstance(end, RecordingSealed)
    assert not list((cut / "unrecovered").iterdir())


def test_recording_that_meets_a_defect_of_ours_is_not_read_at_every_start_for_ever(cut):
    class Defective(DataKeys):
        def end(self, recording):
            raise ZeroDivisionError(recording)

    spool = Spool(cut / "recordings", keys=Defective(cut / "keys", ARCHIVE.public_key()))
    starts = [SpoolRecovery(spool, SIGNER, CLOCK, print).seal(spool.recordings()) for _ in range(MAX_TRIES + 2)]
    assert [len(told) for told in starts] == [1] * MAX_TRIES + [0, 0]
    assert "程序出错" in starts[0][0].detail


def test_file_without_a_header_is_set_aside(cut):
    segment = cut / "recordings" / FIRST / "segment-0002.mp4.enc"
    os.truncate(segment, 0)
    (end,) = recover(Spool(cut / "recordings", keys=keys_in(cut)), SIGNER, CLOCK)
    assert isinstance(end, RecordingSealed)
    assert end.segments == 1
    assert segment.with_name(segment.name + ".torn").exists()


def test_killed_recorder_loses_no_stored_fragment(tmp_path):
    write_keys(tmp_path)
    root = tmp_path / "recordings"
    command = [sys.executable, "-m", SCRIPT, str(root), "2", "0", str(QUEUE_BYTES), str(tmp_path / "archive.pub")]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        for line in process.stdout:
            said.append(int(line.split()[1]))
            if len(said) == 5:
                process.send_signal(signal.SIGKILL)
    (end,) = recover(Spool(root, keys=keys_in(tmp_path)), SIGNER, CLOCK)
    assert end.fragments >= len(said) == 5
    out = tmp_path / "clear"
    assert [it.problems for it in decrypt_recording(root / FIRST, ARCHIVE, out)] == [()] * end.segments
    assert verdict(out) == "explained-gap"


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("rename", 2),  # before the seal's draft stands
        ("unlink", 1),  # the seal is written, its draft still there
        ("rename", 4),  # the sums stand, their signature does not
        pytest.param("rename", 3, marks=pytest.mark.faults),
        pytest.param("rename", 5, marks=pytest.mark.faults),
        pytest.param("unlink", 2, marks=pytest.mark.faults),
    ],
)
def test_kill_inside_the_seal_of_an_encrypting_recorder_is_made_good_by_the_next_start(tmp_path, call, number):
    write_keys(tmp_path)
    root = tmp_path / "recordings"
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
    recorder = [sys.executable, "-m", SCRIPT, str(root), "60", "1", str(QUEUE_BYTES), str(tmp_path / "archive.pub")]
    command = ["strace", "-f", "-qq", "-o", os.devnull, *inject, *recorder]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, timeout=60, check=False)
    stored = done.stdout.count("FragmentStored")
    assert stored >= 1
    assert "RecordingSealed" not in done.stdout, "the harness cut nothing"
    (end,) = recover(Spool(root, keys=keys_in(tmp_path)), SIGNER, CLOCK, expected=[FIRST])
    assert isinstance(end, RecordingSealed)
    assert end.fragments >= stored
    assert verdict(clear(tmp_path)) in ("complete", "explained-gap")
    assert not list((tmp_path / "keys").glob("*.key"))


@pytest.mark.parametrize(
    "calls",
    [
        ("pwrite64",),
        pytest.param(("write", "ftruncate", "rename", "unlink", "fsync"), marks=pytest.mark.faults),
    ],
)
def test_power_cut_inside_recovery_is_made_good_by_the_next_one(cut, tmp_path, calls):
    """Before every such call, which changes the disk, the process is killed once; the next recovery must reach the same
    end."""
    fine = shutil.copytree(cut, tmp_path / "fine")
    (expected,) = recover(Spool(fine / "recordings"), SIGNER, CLOCK)
    key, certificates = key_files(tmp_path)
    cuts = 0
    for call in calls:
        for number in range(1, 60):
            place = shutil.copytree(cut, tmp_path / f"{call}-{number}")
            if not killed_at(call, number, place / "recordings", [str(key), str(certificates)]):
                break
            cuts += 1
            (end,) = recover(Spool(place / "recordings"), SIGNER, CLOCK, expected=[FIRST])
            outcome = (end.head, end.fragments, end.size, end.discarded_bytes, end.recovered)
            assert outcome == (expected.head, expected.fragments, expected.size, expected.discarded_bytes, True)
            assert verdict(clear(place)) == "explained-gap", (call, number)
            assert not (place / "keys" / f"{FIRST}.key").exists(), (call, number)
            shutil.rmtree(place)
    assert cuts >= 3 * len(calls), "the harness cut nothing"


def test_key_file_is_private_and_overwritten_before_it_is_removed(tmp_path):
    keys = keys_in(tmp_path)
    keys.create(FIRST)
    place = tmp_path / "keys" / f"{FIRST}.key"
    assert place.stat().st_mode & 0o077 == 0
    kept = tmp_path / "hard link"
    kept.hardlink_to(place)
    secret = kept.read_bytes()
    end = RecordingSealed(FIRST, 1, 1, GENESIS, 500, 1000, "stopped", False, 0, CLOCK.read())
    keys.forget(end)
    assert kept.read_bytes() == bytes(len(secret))
    assert not place.exists()


def test_every_file_of_a_recording_has_its_own_key(tmp_path):
    keys = keys_in(tmp_path)
    keys.create(FIRST)
    headers = [keys.fresh_stream(FIRST)[1] for _ in range(8)]
    assert len({header.salt for header in headers}) == 8
    assert len({header.wrapped.wrap for header in headers}) == 1  # one ephemeral key for the recording


@pytest.mark.parametrize("content", [b"", b"no key"])
def test_archive_key_that_is_none_is_the_operators_fault(tmp_path, content):
    (tmp_path / "archive.pub").write_bytes(content)
    with pytest.raises(OperatorFault, match="archive_key"):
        read_archive_key(tmp_path / "archive.pub")
    assert read_archive_key(None) is None


def test_the_command_decrypts_once_and_never_over_what_is_there(sealed, tmp_path):
    folder = sealed / "recordings" / FIRST
    center = [sys.executable, "-m", "provisioning.center.cli", "decrypt", folder]
    command = [*center, "--key", sealed / "archive.key", "--out", tmp_path / "out"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert verdict(tmp_path / "out" / FIRST) == "complete"
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)


def problems_of(place: Path) -> dict[str, str]:
    done = decrypt_recording(place / "recordings" / FIRST, ARCHIVE, place / "clear")
    return {it.file.name: " ".join(it.problems) for it in done if it.problems}


def test_plain_file_of_the_same_name_does_not_take_the_place_of_what_was_decrypted(sealed):
    folder = sealed / "recordings" / FIRST
    for name in ("segment-0001.mp4", "journal.jsonl"):
        (folder / name).write_bytes(b"something else")
    assert set(problems_of(sealed)) == {"segment-0001.mp4", "journal.jsonl"}
    assert verdict(sealed / "clear") == "complete"


def test_decryption_follows_no_link_waits_for_no_pipe_and_copies_known_names_only(sealed):
    folder = sealed / "recordings" / FIRST
    (sealed / "secret").write_text("of the centre")
    (folder / "sm2.pub").symlink_to(sealed / "secret")
    (folder / "anything.txt").write_text("stray")
    os.mkfifo(folder / "segment-0003.mp4.enc")
    os.mkfifo(folder / "SM3SUMS")
    (folder / "segment-0004.mp4.enc").mkdir()
    found = problems_of(sealed)
    assert set(found) == {"sm2.pub", "segment-0003.mp4", "SM3SUMS", "segment-0004.mp4"}
    assert b"of the centre" not in b"".join(it.read_bytes() for it in (sealed / "clear").iterdir())
    assert not (sealed / "clear" / "anything.txt").exists()


@pytest.mark.parametrize("length", [0, 100])
def test_one_damaged_head_keeps_no_other_segment_from_being_decrypted(sealed, length):
    os.truncate(sealed / "recordings" / FIRST / SEGMENT, length)
    assert set(problems_of(sealed)) == {"segment-0001.mp4"}
    written = {it.name for it in (sealed / "clear").iterdir()}
    assert written == {"segment-0002.mp4", "journal.jsonl", "SHA256SUMS", "SHA256SUMS.p7s"}


def test_wrong_archive_key_leaves_no_folder(sealed):
    with pytest.raises(OperatorFault, match="另一把"):
        decrypt_recording(sealed / "recordings" / FIRST, private_key("other"), sealed / "clear")
    assert not (sealed / "clear").exists()


def test_disk_that_fails_while_decrypting_leaves_nothing_half_done(sealed):
    blocked = sealed / "clear" / ".SHA256SUMS.new"  # where its draft would go, after segments and journal
    blocked.mkdir(parents=True)
    with pytest.raises(EnvironmentFault):
        decrypt_recording(sealed / "recordings" / FIRST, ARCHIVE, blocked.parent)
    assert list(blocked.parent.iterdir()) == [blocked]
    blocked.rmdir()
    assert verdict(clear(sealed)) == "complete"


def test_torn_tail_is_decrypted_too(cut):
    sealed_segment = cut / "recordings" / FIRST / "segment-0002.mp4.enc"
    size = sealed_segment.stat().st_size
    with sealed_segment.open("r+b") as file:  # the last fragment loses a stretch in its middle
        file.seek(size - 2000)
        file.write(bytes(500))
    recover(Spool(cut / "recordings", keys=keys_in(cut)), SIGNER, CLOCK)
    (torn,) = sealed_segment.parent.glob("*.torn")
    assert torn.stat().st_size > 0
    assert problems_of(cut) == {}
    assert (cut / "clear" / "segment-0002.mp4.torn").exists()
    assert verdict(cut / "clear") == "explained-gap"


def test_device_folder_with_an_archive_key_records_encrypted(tmp_path):
    """The composition that `liuhen-agent run` makes, from agent.toml to the archive's reading."""
    more = '[evidence]\narchive_key = "archive.pub"\n[capture]\ncamera = "test"\nwidth = 320\nheight = 192\n'
    config = DistrictKeys().write_folder(tmp_path, 8883, more=more)
    write_keys(tmp_path)
    events: list[object] = []
    part = equip(read_config(config), SIGNER, CLOCK, events.append)
    part.start(StartRecording(FIRST, UNIT, GENESIS, {}))
    eventually(lambda: len(events) >= 3, "fragments")
    part.stop(Reason.STOPPED.value)
    assert part.close(60)
    assert isinstance(events[-1], RecordingSealed)
    state = tmp_path / "state"
    assert (state / "recordings" / FIRST / SEGMENT).exists()
    assert [place.suffix for place in (state / "keys").iterdir()] == [".end"]
    assert verdict(clear(state)) == "complete"


@pytest.mark.faults
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tiny disk needs root")
def test_full_disk_becomes_a_gap_and_every_stored_fragment_is_read_by_the_archive(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(disk)], check=True)
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(300_000))
        tracks, packets = footage(60)
        rest = itertools.chain.from_iterable((packet, 0.002) for packet in packets[600:])
        source = FakeSource(tracks, itertools.chain(packets[:600], itertools.repeat(0.02, 20), rest))
        settings = RecorderSettings(retry_s=0.2, margin_bytes=0)
        bench = RecordingBench(disk / "recordings", iter([source]), settings, keys=keys_in(disk))
        bench.start()
        eventually(lambda: any(isinstance(event, GapOpened) for event in bench.events), "the disk full")
        before = len(bench.stored())
        assert before > 0
        ballast.unlink()
        eventually(lambda: len(bench.stored()) > before, "a fragment after room was made")
        bench.recorder.stop(Reason.STOPPED)
        end = bench.wait_for_end()
        assert bench.recorder.close(60)
        assert isinstance(end, RecordingSealed), end
        assert end.fragments == len(bench.stored())
        out = tmp_path / "clear"
        done = decrypt_recording(disk / "recordings" / FIRST, ARCHIVE, out)
        assert [it.problems for it in done] == [()] * end.segments
        assert verdict(out) == "unexplained-gap"  # a person has to explain a full disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("offset", [3, 40])
def test_a_flipped_bit_in_the_header_of_a_growing_segment_ends_neither_recorder_nor_segment(tmp_path, offset):
    """Bites when sealing reads back what it wrote: the recorder's thread died of it."""
    write_keys(tmp_path)
    bench = bench_in(tmp_path)
    bench.start()
    bench.wait_for_fragments(4)
    growing = bench.spool.segment(FIRST, 1)
    durable.overwrite(growing, 0, flipped(growing.read_bytes()[: offset + 1], offset))
    bench.recorder.stop(Reason.STOPPED)
    assert isinstance(bench.wait_for_end(), RecordingSealed)
    assert bench.recorder.close(60)
    assert verdict(clear(tmp_path)) == "complete"


@pytest.mark.parametrize("damaged", [0, 1])
def test_a_broken_segment_that_the_card_changed_is_kept_and_the_others_are_sealed(cut, damaged):
    segments = [cut / "recordings" / FIRST / name for name in (SEGMENT, "segment-0002.mp4.enc")]
    hit, other = segments[damaged], segments[1 - damaged]
    changed = flipped(hit.read_bytes(), 3)
    hit.write_bytes(changed)
    broken = {it: Break(Reason.STORAGE_FAILED, it.stat().st_size) for it in segments}
    discarded, lost = seal_broken(broken, SIGNER, CLOCK, keys_in(cut))
    assert lost == [hit]
    assert discarded >= len(changed)
    kept = hit if hit.exists() else hit.with_name(hit.name + ".torn")
    assert kept.read_bytes() == changed
    assert read_sealed(other, SIGNER, keys_in(cut)).sealed


def test_the_end_of_a_recording_that_cannot_be_read_is_told_and_stops_no_start(cut):
    """What a bad card gives back is never an exception of the operating system: the device starts and says so."""
    keys, spool = keys_in(cut), Spool(cut / "recordings", keys=keys_in(cut))
    end = cut / "keys" / f"{FIRST}.end"
    end.mkdir()
    with pytest.raises(EnvironmentFault, match="请"):
        keys.end(FIRST)
    (told,) = SpoolRecovery(spool, SIGNER, CLOCK, print).seal([FIRST])
    assert isinstance(told, RecordingFailed)


def test_an_end_whose_fields_are_of_another_kind_is_refused(cut):
    keys = keys_in(cut)
    sealed = RecordingSealed(FIRST, 1, 2, GENESIS, 3, 4, "stopped", False, 5, CLOCK.read())
    assert parse_end(encode_end(sealed)).recording == FIRST
    for other in (replace(sealed, segments="1"), replace(sealed, head=7), replace(sealed, recovered=1)):
        (cut / "keys" / f"{FIRST}.end").write_bytes(encode_end(other))
        with pytest.raises(SenderFault, match="请"):
            keys.end(FIRST)
