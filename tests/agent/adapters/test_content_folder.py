import io
import zipfile
from pathlib import Path

from agent import durable
from agent.adapters.bundle_folder import BundleFolder
from agent.adapters.content_folder import ContentFolder
from agent.bundle import pack
from agent.control.content_messages import BundleRead, ContentBroken, ContentKept
from agent.wire.content import CHUNK_BYTES, attach

CONTENT = bytes(range(256)) * 1024 + b"end"
FILE = attach("search.sqlite", CONTENT)
PIECES = [CONTENT[at : at + CHUNK_BYTES] for at in range(0, len(CONTENT), CHUNK_BYTES)]


def test_pieces_in_any_order_and_across_a_restart_become_one_file(tmp_path: Path) -> None:
    assert ContentFolder(tmp_path).keep(FILE, 2, PIECES[2]) is None
    assert ContentFolder(tmp_path).keep(FILE, 0, PIECES[0]) is None
    assert ContentFolder(tmp_path).read() == []
    assert ContentFolder(tmp_path).keep(FILE, 1, PIECES[1]) == ContentKept((FILE.sha256,))
    assert (tmp_path / FILE.sha256).read_bytes() == CONTENT
    assert ContentFolder(tmp_path).read() == [FILE.sha256]
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_pieces_that_do_not_make_the_signed_file_leave_nothing(tmp_path: Path) -> None:
    folder = ContentFolder(tmp_path)
    for number in (0, 1):
        folder.keep(FILE, number, PIECES[number])
    assert isinstance(folder.keep(FILE, 2, b"END"), ContentBroken)
    assert folder.read() == []
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_a_file_that_the_card_has_damaged_is_not_held_and_makes_room_for_the_good_one(tmp_path: Path) -> None:
    folder = ContentFolder(tmp_path)
    folder.put(FILE, CONTENT)
    durable.overwrite(tmp_path / FILE.sha256, 77, b"?")
    (tmp_path / ("a" * 64)).symlink_to("/etc/hostname")
    assert folder.read() == []
    assert sorted(path.name for path in tmp_path.glob("*")) == []


def test_what_no_document_names_is_removed_with_its_pieces(tmp_path: Path) -> None:
    folder = ContentFolder(tmp_path)
    folder.put(FILE, CONTENT)
    other = attach("photo-1.jpg", b"x" * (CHUNK_BYTES + 1))
    folder.keep(other, 0, b"x" * CHUNK_BYTES)
    assert folder.only(frozenset({other.sha256})) is None
    assert not (tmp_path / FILE.sha256).exists()
    assert (tmp_path / ".incoming" / other.sha256 / "0000").exists()


def bundles(state: Path) -> BundleFolder:
    folder = BundleFolder(state, ContentFolder(state / "content"))
    folder.prepare()
    return folder


def test_a_bundle_gives_its_documents_then_the_files_asked_for_then_goes(tmp_path: Path) -> None:
    folder, place = bundles(tmp_path), tmp_path / "bundles" / "hall.liuhen"
    place.write_bytes(pack({"notice.n": b"sealed"}, {FILE.sha256: CONTENT, "b" * 64: b"forged"}))
    assert folder.read() == BundleRead(place, (b"sealed",))
    forged = attach("photo-1.jpg", b"honest")
    forged = type(forged)(forged.name, "b" * 64, 6, forged.media_type)  # type: ignore[arg-type]
    assert folder.unpack(place, (FILE, forged)) == ContentKept((FILE.sha256,))
    assert folder.read() is None
    assert ContentFolder(tmp_path / "content").read() == [FILE.sha256]


def test_a_bomb_on_a_stick_is_put_aside_unopened(tmp_path: Path) -> None:
    folder, place = bundles(tmp_path), tmp_path / "bundles" / "bomb.liuhen"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"content/{FILE.sha256}", b"\0" * 50_000_000)
    place.write_bytes(out.getvalue())
    answer = folder.read()
    assert isinstance(answer, BundleRead)
    assert "压缩" in answer.fault
    assert [path.name for path in place.parent.iterdir()] == ["bomb.liuhen.refused"]
