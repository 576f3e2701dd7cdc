"""What is laid into the folder of a recording under the name of a photo comes under no signature of the device."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agent.adapters.own_photos import ASIDE, own_photos
from agent.adapters.sidecar_files import sums_of_file
from agent.evidence.encrypted_photo import encrypt_photo
from agent.evidence.photo import sign_photo
from agent.wire.identifiers import device_id, recording_id
from tests.agent.evidence.bench import DEVICE, make_authority
from tests.agent.evidence.photos import PLACE, photo, picture, statement

AUTHORITY = make_authority()
SIGNER = AUTHORITY.signer()
OTHER = device_id("REC-0002")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / recording_id(DEVICE, 1)
    place.mkdir()
    return place


def listed(folder: Path, *named: str) -> dict[str, str]:
    found = own_photos(folder, set(named), SIGNER, lambda place: sums_of_file(place, sm3=False))
    return {name: sums.sha256 for name, sums in found.items()}


def test_what_the_journal_names_and_what_its_own_signature_says_is_listed(folder: Path) -> None:
    """The second was taken right before a power cut: its entry is lost, its signature is not."""
    told, cut, locked = b"any bytes", photo(SIGNER), photo(SIGNER)
    (folder / "photo-1.jpg").write_bytes(told)
    (folder / "photo-2.jpg").write_bytes(cut)
    encrypted = encrypt_photo(locked, ec.generate_private_key(ec.SECP256R1()).public_key())
    (folder / "photo-3.jpg.enc").write_bytes(encrypted)
    found = listed(folder, digest(told), digest(locked))
    assert found == {"photo-1.jpg": digest(told), "photo-2.jpg": digest(cut), "photo-3.jpg": digest(locked)}
    assert not list(folder.glob(f"{ASIDE}*"))


def test_strangers_pictures_are_put_aside_whole_and_come_under_no_signature(folder: Path) -> None:
    other = replace(PLACE, recording=recording_id(DEVICE, 2))
    laid = {
        "junk": b"\xff\xd8junk\xff\xd9",
        "of another device": sign_photo(picture(), replace(statement(), device=OTHER), AUTHORITY.signer(OTHER)),
        "of another recording": photo(SIGNER, other),
        "of no recording": photo(SIGNER, None),
    }
    for name, data in laid.items():
        (folder / f"photo-{name}.jpg").write_bytes(data)
    locked = encrypt_photo(b"x", ec.generate_private_key(ec.SECP256R1()).public_key())
    (folder / "photo-locked.jpg.enc").write_bytes(locked)
    assert listed(folder) == {}
    left = {it.name: it.read_bytes() for it in folder.iterdir()}
    assert left == {f"{ASIDE}photo-{name}.jpg": data for name, data in laid.items()} | {
        f"{ASIDE}photo-locked.jpg.enc": locked
    }
    (folder / "photo-junk.jpg").write_bytes(b"again")
    assert listed(folder) == {}
    assert (folder / f"{ASIDE}photo-junk.jpg").read_bytes() == laid["junk"], "nothing of it is lost"
    assert (folder / f"{ASIDE}1-photo-junk.jpg").read_bytes() == b"again"


def test_pipes_links_folders_and_giants_are_neither_waited_for_nor_followed(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "photo-pipe.jpg")
    (folder / "photo-zero.jpg").symlink_to("/dev/zero")
    (folder / "photo-gone.jpg").symlink_to(tmp_path / "nothing")
    (folder / "photo-folder.jpg").mkdir()
    with (folder / "photo-giant.jpg").open("wb") as giant:
        giant.truncate(300 * 2**30)
    assert listed(folder) == {}
    assert sorted(it.name for it in folder.iterdir()) == [
        f"{ASIDE}photo-{name}.jpg" for name in ("folder", "giant", "gone", "pipe", "zero")
    ]
