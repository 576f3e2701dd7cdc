"""`outgoing/`: a file goes when its event is committed, and not before."""

from pathlib import Path

from agent.adapters.hall_folder import MAX_FACTS, HallFolder
from agent.control.hall_messages import OutgoingRead
from agent.wire.hall_facts import FactKind, HallFact

FACT = HallFact("display-00000001", FactKind.DISPLAY_HEAD, {"at": "x", "head": "y", "seq": 1, "state": "normal"})


def made(tmp_path: Path, count: int = 1) -> HallFolder:
    folder = HallFolder(tmp_path)
    folder.prepare()
    for number in range(count):
        (tmp_path / f"outgoing/f-{number:03d}.json").write_bytes(FACT.encode())
    return folder


def test_reading_removes_nothing_so_that_a_power_cut_loses_nothing(tmp_path: Path) -> None:
    folder = made(tmp_path)
    assert folder.read() == folder.read() == OutgoingRead((("f-000.json", FACT.encode()),))
    assert folder.clear(("f-000.json",), ()) is None
    assert list((tmp_path / "outgoing").iterdir()) == []


def test_what_waits_behind_the_first_is_read_when_they_are_gone(tmp_path: Path) -> None:
    folder = made(tmp_path, MAX_FACTS + 3)
    first = folder.read()
    assert isinstance(first, OutgoingRead)
    rest = folder.clear([name for name, _ in first.files], ())
    assert isinstance(rest, OutgoingRead)
    assert len(rest.files) == 3


def test_a_refused_file_is_kept_aside_and_never_read_again(tmp_path: Path) -> None:
    folder = made(tmp_path)
    assert folder.clear((), ("f-000.json",)) is None
    assert (tmp_path / "outgoing/f-000.json.refused").exists()


def test_links_and_folders_are_passed_over(tmp_path: Path) -> None:
    folder = made(tmp_path, 0)
    (tmp_path / "secret").write_bytes(b"key")
    (tmp_path / "outgoing/a.json").symlink_to(tmp_path / "secret")
    (tmp_path / "outgoing/b.json").mkdir()
    assert folder.read() is None


def test_the_screen_reads_when_the_centre_was_heard(tmp_path: Path) -> None:
    folder = made(tmp_path, 0)
    assert folder.show(b'{"heard":"2026-11-22T02:00:00.000Z"}') is None
    assert (tmp_path / "heard.json").read_bytes().startswith(b'{"heard"')
