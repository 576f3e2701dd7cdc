"""The gm profile: checked by openssl and cksum, refused where it cannot be done, never in the way of a recording."""

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from agent.adapters.fake_source import FakeSource
from agent.adapters.libcrypto_sm import Sm2Signer, load_sm2_signer
from agent.adapters.recorder import Recorder, RecorderSettings
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import SpoolRecovery, recover
from agent.adapters.watermark import Caption
from agent.clock import system_clock
from agent.config import read_config
from agent.control.effects import StartRecording
from agent.control.messages import RecordingSealed
from agent.errors import EnvironmentFault, OperatorFault
from agent.evidence import gm_sums
from agent.evidence.how_to import HOW_TO_NAME
from agent.evidence.journal import Reason
from agent.hook_part import HookPart
from agent.recording_part import CameraPart, equip
from agent.wire.device_events import GENESIS
from provisioning.center.export import Office, Wish, export_recording
from provisioning.center.export_certificate import Responsibility
from provisioning.center.export_ledger import LEDGER_NAME
from provisioning.center.time_stamping import Authority, stamp_recording
from provisioning.fleet.gm_key import write_sm2_key
from tests.agent.adapters.recording_bench import (
    AUTHORITY,
    CLOCK,
    FIRST,
    SIGNER,
    UNIT,
    eventually,
    examined,
    footage,
    verdict,
)
from tests.agent.evidence.bench import DEVICE, NOW, flipped
from tests.agent.evidence.photos import PLACE, photo
from tests.agent.evidence.test_how_to import MAX_PAGE_LINES, follow
from tests.provisioning.grounds import no_grounds
from tests.support.device import DistrictKeys
from tests.support.tsa import make_tsa

VERIFY = "openssl dgst -sm3 -verify {pub} -sigopt distid:{id} -signature SM3SUMS.sm2 SM3SUMS"


@pytest.fixture
def signer(tmp_path: Path) -> Sm2Signer:
    write_sm2_key(tmp_path)
    signer = load_sm2_signer((tmp_path / "sm2.key").read_bytes())
    yield signer
    signer.close()


def openssl_accepts(folder: Path, public: Path, distid: str = "1234567812345678") -> bool:
    command = VERIFY.format(pub=public, id=distid).split()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "Verified OK" in done.stdout


def test_signature_is_what_openssl_verifies(tmp_path: Path, signer: Sm2Signer) -> None:
    for size in (0, 1, 100_000):
        data = bytes(size)
        (tmp_path / "SM3SUMS").write_bytes(data)
        (tmp_path / "SM3SUMS.sm2").write_bytes(signer.sign(data))
        assert openssl_accepts(tmp_path, tmp_path / "sm2.pub")
        assert not openssl_accepts(tmp_path, tmp_path / "sm2.pub", "another-id")
        (tmp_path / "SM3SUMS").write_bytes(data + b"x")
        assert not openssl_accepts(tmp_path, tmp_path / "sm2.pub")


def test_a_closed_key_signs_nothing_and_does_not_end_the_process(signer: Sm2Signer) -> None:
    signer.close()
    with pytest.raises(EnvironmentFault, match="已关闭"):
        signer.sign(b"late")


def test_key_id_names_the_public_key(tmp_path: Path, signer: Sm2Signer) -> None:
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", tmp_path / "sm2.pub", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    assert signer.key_id == hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize("content", [b"", b"no key", "p256"])
def test_key_that_is_no_sm2_key_is_refused(tmp_path: Path, content: bytes | str) -> None:
    if content == "p256":
        command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        content = subprocess.run(command, capture_output=True, check=True).stdout
    with pytest.raises(EnvironmentFault, match="不认识这把 SM2 私钥"):
        load_sm2_signer(content)


@pytest.mark.parametrize("library", ["libnowhere.so.9", "libc.so.6"])
def test_missing_libcrypto_is_an_environment_fault_with_the_next_step(tmp_path: Path, library: str) -> None:
    write_sm2_key(tmp_path)
    with pytest.raises(EnvironmentFault, match="没有带 SM2 的 libcrypto"):
        load_sm2_signer((tmp_path / "sm2.key").read_bytes(), library)


def record(root: Path, gm: gm_sums.GmSigner | None, labels: dict[str, str]) -> Spool:
    spool, events = Spool(root / "recordings", gm=gm), []
    source = FakeSource(*footage(2))
    recorder = Recorder(spool, SIGNER, CLOCK, lambda: source, events.append, RecorderSettings(margin_bytes=0))
    recovery = SpoolRecovery(spool, SIGNER, CLOCK, events.append)
    part = CameraPart(DEVICE, spool, CLOCK, recovery, recorder, HookPart([], []), Caption(DEVICE, UNIT), labels)
    part.start(StartRecording(FIRST, UNIT, GENESIS, {}))
    eventually(lambda: len(events) >= 2, "fragments")
    part.stop(Reason.STOPPED.value)
    assert part.close(60)
    assert isinstance(events[-1], RecordingSealed)
    return spool


def test_recording_has_sums_that_cksum_and_openssl_check(tmp_path: Path, signer: Sm2Signer) -> None:
    folder = record(tmp_path, signer, gm_sums.labels(signer.key_id)).folder(FIRST)
    assert openssl_accepts(folder, tmp_path / "sm2.pub")
    check = ["cksum", "-a", "sm3", "--check", "--strict", "SM3SUMS"]
    assert subprocess.run(check, cwd=folder, capture_output=True, check=False).returncode == 0
    assert "1.2.156.10197.1.501" in (folder / "SM3SUMS").read_text().splitlines()[0]
    assert verdict(folder) == "complete"
    segment = folder / "segment-0001.mp4"
    assert examined(segment).origin.context["sm2_key"] == signer.key_id
    segment.write_bytes(flipped(segment.read_bytes(), 90_000 % segment.stat().st_size))
    assert subprocess.run(check, cwd=folder, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("stamp", [False, True])
def test_exported_gm_recording_is_verified_by_the_page_that_lies_in_it(
    tmp_path: Path, signer: Sm2Signer, stamp: bool
) -> None:
    folder = record(tmp_path, signer, gm_sums.labels(signer.key_id)).folder(FIRST)
    assert (folder / "sm2.pub").read_bytes() == (tmp_path / "sm2.pub").read_bytes()
    if stamp:
        tsa = make_tsa(tmp_path / "tsa")
        stamp_recording(folder, Authority(tsa.answer, [tsa.root]))
    office = Office("receiver-1", AUTHORITY.signer("receiver-1"), AUTHORITY.root, tmp_path / LEDGER_NAME, no_grounds)
    wish = Wish(Responsibility("示例-000003", "示例区法院调取", "示例-000004"))
    out = tmp_path / "out"
    export_recording(folder, out, wish, office, NOW)
    assert list(follow(out).values()) == [(0, True)] * (15 if stamp else 14)
    assert len((out / HOW_TO_NAME).read_text(encoding="utf-8").splitlines()) <= 2 * MAX_PAGE_LINES
    (out / "SM3SUMS").write_bytes(flipped((out / "SM3SUMS").read_bytes(), 200))
    assert (0, True) not in [answer for line, answer in follow(out).items() if "openssl dgst -sm3 -verify" in line]


def test_page_of_a_gm_recording_with_a_photo_tells_what_its_command_prints(tmp_path: Path, signer: Sm2Signer) -> None:
    spool = record(tmp_path, signer, gm_sums.labels(signer.key_id))
    folder, taken = spool.folder(FIRST), photo(SIGNER, replace(PLACE, recording=FIRST))
    (folder / f"photo-20261122T020000000Z-{hashlib.sha256(taken).hexdigest()[:8]}.jpg").write_bytes(taken)
    for name in ("SHA256SUMS.p7s", "SHA256SUMS", *gm_sums.NAMES):
        (folder / name).unlink()
    recover(spool, SIGNER, CLOCK)
    assert "photo-" in (folder / "SM3SUMS").read_text()
    office = Office("receiver-1", AUTHORITY.signer("receiver-1"), AUTHORITY.root, tmp_path / LEDGER_NAME, no_grounds)
    told = Responsibility("示例-000003", "示例区法院调取", "示例-000004")
    export_recording(folder, tmp_path / "out", Wish(told), office, NOW)
    assert set(follow(tmp_path / "out").values()) == {(0, True)}


def test_gm_recording_after_a_power_cut_gets_its_sums_at_the_next_start(tmp_path: Path, signer: Sm2Signer) -> None:
    spool = record(tmp_path, signer, gm_sums.labels(signer.key_id))
    for name in ("SHA256SUMS.p7s", *gm_sums.NAMES):
        (spool.folder(FIRST) / name).unlink()
    assert [type(event) for event in recover(spool, SIGNER, CLOCK)] == [RecordingSealed]
    assert openssl_accepts(spool.folder(FIRST), spool.folder(FIRST) / "sm2.pub")


class Broken:
    """An SM2 key that stopped working in the middle of a run."""

    key_id, public_key = "00", b""

    def sign(self, data: bytes) -> bytes:
        raise EnvironmentFault(f"坏了，没有签 {len(data)} 字节。")


def test_sm2_that_fails_at_the_seal_costs_only_its_own_files(tmp_path: Path) -> None:
    folder = record(tmp_path, Broken(), gm_sums.labels("00")).folder(FIRST)
    assert verdict(folder) == "complete"
    assert not (folder / "SM3SUMS").exists()


def gm_folder(tmp_path: Path) -> Path:
    config = DistrictKeys().write_folder(tmp_path, 8883)
    write_sm2_key(tmp_path)
    config.write_text(config.read_text() + '\n[evidence]\nprofile = "gm"\nsm2_key = "sm2.key"\n')
    return config


def test_device_without_sm2_records_and_says_so_in_the_recording(tmp_path: Path) -> None:
    config = gm_folder(tmp_path)
    able = equip(read_config(config), SIGNER, system_clock(), print)
    assert len(able.labels["sm2_key"]) == 64
    (tmp_path / "sm2.key").write_bytes(b"worn out")
    unable = equip(read_config(config), SIGNER, system_clock(), print)
    assert unable.labels == {"profile": "gm", "sm2_key": "unavailable"}
    spool = record(tmp_path / "r", None, dict(unable.labels))
    assert examined(spool.segment(FIRST, 1)).origin.context["sm2_key"] == "unavailable"


def test_profile_and_key_go_together(tmp_path: Path) -> None:
    config = gm_folder(tmp_path)
    config.write_text(config.read_text().replace('sm2_key = "sm2.key"', ""))
    with pytest.raises(OperatorFault, match="同时写"):
        read_config(config)


def test_sm2_key_is_private_and_made_once(tmp_path: Path) -> None:
    assert write_sm2_key(tmp_path)
    assert (tmp_path / "sm2.key").stat().st_mode & 0o077 == 0
    before = (tmp_path / "sm2.key").read_bytes()
    assert not write_sm2_key(tmp_path)
    assert (tmp_path / "sm2.key").read_bytes() == before
