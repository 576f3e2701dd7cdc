"""Photos beside the segments of their recording: taken away, changed, exchanged, laid in; told by both verifiers."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent.evidence.encrypted_photo import encrypt_photo
from agent.evidence.journal import PHOTO, JournalEvent
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.wire.identifiers import Digest, recording_id
from tests.agent.evidence.bench import DEVICE, START, Authority, Bench, flipped
from tests.agent.evidence.photos import PLACE, photo
from tests.agent.evidence.test_standalone import ALONE
from tests.support.commands import run_here

NAME = "photo-20261122T020000000Z-0a1b2c3d.jpg"


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    """A whole recording with one photo, which its signed sums list."""
    bench = Bench(authority.signer())
    files = {"segment-0001.mp4": bench.sealed(), NAME: photo(bench.signer)}
    files["journal.jsonl"] = journal_lines(bench.records)
    files["SHA256SUMS"] = sha256sums({name: Digest(hashlib.sha256(data).hexdigest()) for name, data in files.items()})
    files["SHA256SUMS.p7s"] = sign_sums(files["SHA256SUMS"], bench.signer)
    place = tmp_path / "REC-0001-R000001"
    place.mkdir()
    for name, data in files.items():
        (place / name).write_bytes(data)
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    return place


def _said(folder: Path, *, alone: bool = False) -> tuple[str, str]:
    """The verdict, and all that was said."""
    root = folder.parent / "root.pem"
    command = [sys.executable, ALONE, folder, "--root", root, "--json"]
    if alone:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    else:
        done = run_here("agent.verify_cli", folder, "--roots", root, "--json")
    return json.loads(done.stdout)["verdict"], str(json.loads(done.stdout))


def test_photo_of_the_recording_is_judged_with_it(folder: Path) -> None:
    verdict, words = _said(folder)
    assert (verdict, "照片 1 张，各自的签名均与照片一致" in words) == ("complete", True)
    verdict, _ = _said(folder, alone=True)
    assert verdict == "complete"


@pytest.mark.parametrize("attack", ["removed", "changed", "laid in", "of another recording"])
def test_photo_that_is_not_as_it_was_is_told_by_both(folder: Path, authority: Authority, attack: str) -> None:
    place, other = folder / NAME, replace(PLACE, recording=recording_id(DEVICE, 2))
    if attack == "removed":
        place.unlink()
    elif attack == "changed":
        place.write_bytes(flipped(place.read_bytes(), place.stat().st_size - 40))
    else:
        target = place if attack == "of another recording" else folder / NAME.replace("0a1b", "ffff")
        target.write_bytes(photo(authority.signer(), other))
    expected = "missing" if attack == "removed" else "altered"
    assert [_said(folder, alone=alone)[0] for alone in (False, True)] == [expected] * 2


def test_photo_of_another_recording_is_found_without_the_sums(folder: Path, authority: Authority) -> None:
    """A recording from a dead device has no sums: then the statement in the photo tells."""
    for name in ("SHA256SUMS", "SHA256SUMS.p7s"):
        (folder / name).unlink()
    (folder / NAME).write_bytes(photo(authority.signer(), replace(PLACE, recording=recording_id(DEVICE, 2))))
    verdict, words = _said(folder)
    assert (verdict, "不是在这次录制中拍的" in words) == ("altered", True)


def test_photo_given_to_the_standalone_verifier_is_refused_in_a_line(folder: Path) -> None:
    command = [sys.executable, str(ALONE), str(folder / NAME), "--root", str(folder.parent / "root.pem")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("\n"), "photos are not judged here" in done.stderr) == (2, 1, True)


def _told(folder: Path, authority: Authority, data: bytes) -> str:
    """The name of the photo `data`, which the journal of the recording in `folder` names; there are no sums."""
    for place in folder.iterdir():
        place.unlink()
    digest, bench = hashlib.sha256(data).hexdigest(), Bench(authority.signer())
    events = {2: (JournalEvent(PHOTO, START, None, digest),)}
    (folder / "segment-0001.mp4").write_bytes(bench.sealed(events=events))
    return f"photo-20261122T020000000Z-{digest[:8]}.jpg"


def test_photo_that_the_journal_names_cannot_vanish_with_the_list_of_sums(folder: Path, authority: Authority) -> None:
    data = photo(authority.signer())
    name = _told(folder, authority, data)
    verdict, words = _said(folder)
    assert (verdict, "第 3 片段所记的照片" in words) == ("missing", True)
    (folder / name).write_bytes(data)
    assert _said(folder)[0] == "complete"


def test_another_photo_of_the_recording_does_not_stand_for_the_one_in_the_journal(
    folder: Path, authority: Authority
) -> None:
    name = _told(folder, authority, photo(authority.signer()))
    (folder / name).write_bytes(photo(authority.signer()))  # signed anew: the same picture with another signature
    verdict, words = _said(folder)
    assert (verdict, f"{name}：不是日志" in words) == ("altered", True)


def test_plain_photo_laid_beside_the_encrypted_one_is_held_against_the_same_line(
    folder: Path, authority: Authority, tmp_path: Path
) -> None:
    key, path = ec.generate_private_key(ec.SECP256R1()), tmp_path / "archive.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    (folder / f"{NAME}.enc").write_bytes(encrypt_photo((folder / NAME).read_bytes(), key.public_key()))
    command = (folder, "--roots", folder.parent / "root.pem", "--key", path, "--json")
    assert run_here("agent.verify_cli", *command).returncode == 0  # the same photo in the clear
    (folder / NAME).write_bytes(photo(authority.signer()))
    done = run_here("agent.verify_cli", *command)
    assert (done.returncode, [place["file"] for place in json.loads(done.stdout)["places"]]) == (13, [NAME])
