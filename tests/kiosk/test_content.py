"""Files of disclosures at the screen: nothing that is not, byte for byte, what two people signed."""

import os
from pathlib import Path

import pytest

from agent.errors import SenderFault
from agent.wire.content import attach
from kiosk.content import ContentStore
from kiosk.shelf import Shelf, restock
from tests.kiosk.bench import HALL, NOW, XINGHE, Bench, sample

PHOTO = attach("photo-1.jpg", b"a photo")


def stocked(bench: Bench, folder: Path, shelf: Shelf, version: int) -> Shelf:
    board = sample("window-board", version)
    document = type(board)(**{**board.__dict__, "attachments": (PHOTO,)}) if version > 1 else board
    files = {"window-board.hall-1": bench.sealed(document)}
    return restock(
        shelf, files, trust=bench.trust(), now=NOW, district=XINGHE, audience=HALL, verify=ContentStore(folder).path
    )


def test_a_document_whose_file_is_missing_or_altered_leaves_the_last_good_one(tmp_path: Path) -> None:
    bench = Bench()
    first = stocked(bench, tmp_path, Shelf(), 1)
    missing = stocked(bench, tmp_path, first, 2)
    assert missing.shown["window-board.hall-1"].document.version == 1
    assert "尚未收到" in missing.refused[0].reason
    (tmp_path / PHOTO.sha256).write_bytes(b"a photO")
    altered = stocked(bench, tmp_path, missing, 2)
    assert altered.shown["window-board.hall-1"].document.version == 1
    assert "校验值不符" in altered.refused[0].reason
    (tmp_path / PHOTO.sha256).write_bytes(b"a photo")
    assert stocked(bench, tmp_path, altered, 2).shown["window-board.hall-1"].document.version == 2


def test_a_file_altered_after_it_was_verified_is_not_given_out(tmp_path: Path) -> None:
    store = ContentStore(tmp_path)
    (tmp_path / PHOTO.sha256).write_bytes(b"a photo")
    assert store.read(PHOTO) == b"a photo"
    (tmp_path / PHOTO.sha256).write_bytes(b"A PHOTO")
    with pytest.raises(SenderFault):
        store.path(PHOTO)


def test_a_file_rewritten_in_its_place_with_its_old_times_is_not_given_out(tmp_path: Path) -> None:
    """Bites when a file counts as verified by size and time of change alone: both can be set back by its writer."""
    store, place = ContentStore(tmp_path), tmp_path / PHOTO.sha256
    place.write_bytes(b"a photo")
    assert store.path(PHOTO) == place
    before = place.stat()
    place.write_bytes(b"A PHOTO")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (place.stat().st_mtime_ns, place.stat().st_size) == (before.st_mtime_ns, before.st_size)
    with pytest.raises(SenderFault):
        store.path(PHOTO)
