"""Files that go: only what the manifest lists, and what a power cut left of them."""

from pathlib import Path

import pytest

from agent.adapters.recording_removal import DELETED, RecordingRemoval
from agent.control.messages import WorkFailed
from agent.control.offload_messages import RecordingChanged, RecordingRemoved
from agent.wire.identifiers import Digest, device_id, district, recording_id
from agent.wire.offload_manifest import OffloadManifest, Part, StoredFile, manifest_digest

FIRST = recording_id(device_id("REC-0001"), 1)
DIGEST = Digest("a" * 64)
FILES = ("SHA256SUMS", "notes/0001.dsse", "segment-0001.mp4")


@pytest.fixture
def card(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings" / FIRST
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"four")
    (tmp_path / "offload").mkdir()
    (tmp_path / "offload" / f"{FIRST}.json").write_bytes(manifest().encode())
    return folder


def manifest(size: int = 4) -> OffloadManifest:
    parts = (Part(0, size, DIGEST),)
    return OffloadManifest(district("xinghe"), FIRST, tuple(StoredFile(name, DIGEST, parts) for name in FILES))


def named() -> Digest:
    return manifest_digest(manifest().encode())


def removal(card: Path) -> RecordingRemoval:
    return RecordingRemoval(card.parent, card.parents[1] / "offload")


def gone(card: Path) -> Path:
    return card.with_name(f"{DELETED}{FIRST}")


def test_the_files_of_the_manifest_go_and_asking_again_does_no_harm(card: Path) -> None:
    for _ in range(2):
        assert removal(card).remove(FIRST, named()) == RecordingRemoved(FIRST)
        assert [*card.parent.iterdir()] == []
        assert [*(card.parents[1] / "offload").iterdir()] == []


@pytest.mark.parametrize("name", ["photo.jpg", "notes/0002.dsse"])
def test_a_file_that_is_in_no_receipt_keeps_all_of_them(card: Path, name: str) -> None:
    (card / name).write_bytes(b"came later")
    assert removal(card).remove(FIRST, named()) == RecordingChanged(FIRST)
    assert (card / name).exists()
    assert (card / "segment-0001.mp4").exists()


def test_a_file_that_grew_or_is_missing_keeps_the_others(card: Path) -> None:
    (card / "SHA256SUMS").write_bytes(b"longer")
    assert removal(card).remove(FIRST, named()) == RecordingChanged(FIRST)
    (card / "SHA256SUMS").unlink()
    assert removal(card).remove(FIRST, named()) == RecordingChanged(FIRST)


def test_another_manifest_on_the_card_than_the_centre_signed_for_removes_nothing(card: Path) -> None:
    assert removal(card).remove(FIRST, Digest("b" * 64)) == RecordingChanged(FIRST)
    (card.parents[1] / "offload" / f"{FIRST}.json").unlink()
    assert removal(card).remove(FIRST, named()) == RecordingChanged(FIRST)
    assert (card / "segment-0001.mp4").exists()


def test_what_a_power_cut_left_of_a_removal_goes_on(card: Path) -> None:
    card.rename(gone(card))
    (gone(card) / "SHA256SUMS").unlink()
    assert removal(card).remove(FIRST, named()) == RecordingRemoved(FIRST)
    assert not gone(card).exists()


def test_a_file_that_slipped_in_before_the_other_name_comes_back_with_the_rest(card: Path) -> None:
    card.rename(gone(card))
    (gone(card) / "photo.jpg").write_bytes(b"came later")
    assert removal(card).remove(FIRST, named()) == RecordingChanged(FIRST)
    assert (card / "photo.jpg").exists()


def test_a_half_removed_folder_without_its_manifest_is_left_and_told(card: Path) -> None:
    card.rename(gone(card))
    (card.parents[1] / "offload" / f"{FIRST}.json").write_bytes(b"\x00")
    assert isinstance(removal(card).remove(FIRST, named()), WorkFailed)
    assert (gone(card) / "segment-0001.mp4").exists()


def test_two_folders_of_one_recording_are_nobodys_to_remove(card: Path) -> None:
    gone(card).mkdir()
    assert removal(card).remove(FIRST, named()) == RecordingChanged(FIRST)
    assert (card / "segment-0001.mp4").exists()
